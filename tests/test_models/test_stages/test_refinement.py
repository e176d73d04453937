import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import RefinementStage, SegmentationStage
from mmlabelpenet.models.stages import MaskTeaching

from ..tiny import (
    BOX_HEAD,
    MASK_HEAD,
    NUM_CLASSES,
    boxes_in,
    evidence_of,
    pseudo_of,
    random_feats,
)

PSEUDO = pseudo_of([[16.0, 16, 64, 48], [48, 0, 96, 32]], [1, 2], [0.8, 0.3])
PSEUDO.attention = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(0))
NONE = pseudo_of([], [])
NONE.attention = torch.zeros(0, 4, 6)


def image_evidence(pseudo=PSEUDO, **fields):
    return evidence_of(
        64,
        96,
        metainfo=dict(instance_stride=16),
        proposals=InstanceData(bboxes=boxes_in(64, 96, 9)),
        pseudo_instances=pseudo,
        **fields,
    )


def test_regions_learn_from_the_instance_that_they_overlap():
    regions = MaskTeaching(num_samples=20).regions(image_evidence(), NUM_CLASSES)
    assert len(regions) == 2 + 9
    # the pseudo boxes themselves are among them and learn
    for box, label, weight in zip(PSEUDO.bboxes, PSEUDO.labels, PSEUDO.weights):
        place = (regions.bboxes == box).all(1).nonzero().item()
        assert regions.labels[place] == label
        assert regions.weights[place] == weight
    assert (regions.weights[regions.labels < 0] == 0).all()
    assert NUM_CLASSES not in regions.labels.tolist()


def test_without_pseudo_instances_regions_count_nothing():
    teaching = MaskTeaching(num_samples=6)
    regions = teaching.regions(image_evidence(NONE), NUM_CLASSES)
    assert len(regions) == 6
    assert (regions.weights == 0).all()
    targets, decided = teaching.targets(torch.zeros(0, 4, 6), 16, regions, 14)
    assert tuple(targets.shape) == (6, 14, 14)
    assert not decided.any()


def test_trimaps_leave_what_lies_between_open():
    ramp = torch.linspace(0, 1, 12).expand(1, 4, 12)
    regions = InstanceData(bboxes=torch.tensor([[0.0, 0, 96, 32]]), assigned=torch.tensor([0]))
    targets, decided = MaskTeaching(0.6, 0.2).targets(ramp, 8, regions, 12)
    row, sure = targets[0, 5], decided[0, 5]
    values = ramp[0, 0]
    assert row.bool().equal(values >= 0.6)
    assert sure.equal((values >= 0.6) | (values <= 0.2))


def build_refinement(**changes):
    return RefinementStage(NUM_CLASSES, MASK_HEAD, teaching=dict(num_samples=6), **changes)


@pytest.mark.parametrize('pseudo', [[PSEUDO], [PSEUDO, NONE], [NONE], [NONE, NONE]])
def test_any_number_of_pseudo_instances_trains_and_propagates(pseudo):
    stage, feats = build_refinement(), random_feats(batch=len(pseudo))
    evidence = [image_evidence(one) for one in pseudo]
    loss = stage.loss(feats, evidence)['loss_mask']
    loss.backward()
    assert loss.isfinite()
    assert (loss > 0) == any(len(one) for one in pseudo)
    for one, after in zip(pseudo, stage.propagate(feats, evidence)):
        masks = after.pseudo_instances.masks
        assert tuple(masks.shape) == (len(one), 4, 6)
        assert not masks.requires_grad


def test_a_propagated_mask_lies_in_its_box():
    stage = build_refinement()
    torch.nn.init.constant_(stage.mask_head.fcn.conv_logits.bias, 20.0)
    after = stage.propagate(random_feats(), [image_evidence()])[0]
    expected = torch.zeros(2, 4, 6)
    expected[0, 1:3, 1:4] = 1
    expected[1, 0:2, 3:6] = 1
    torch.testing.assert_close(after.pseudo_instances.masks, expected, atol=1e-3, rtol=0)
    assert 'masks' not in PSEUDO


def test_steps_on_the_loss_teach_the_attention():
    stage, feats = build_refinement(), random_feats()
    evidence = image_evidence(PSEUDO[:1])
    evidence.pseudo_instances.attention = torch.zeros(1, 4, 6)
    evidence.pseudo_instances.attention[0, 1:3, 1:3] = 1.0  # two thirds of the box
    optimizer = torch.optim.Adam(stage.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        stage.loss(feats, [evidence])['loss_mask'].backward()
        optimizer.step()
    masks = stage.propagate(feats, [evidence])[0].pseudo_instances.masks[0]
    assert masks[1:3, 1:3].min() > 0.5
    assert masks[1:3, 3].max() < 0.5


def test_segmentation_learns_boxes_and_masks():
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD)
    evidence = image_evidence(PSEUDO.clone())
    evidence.pseudo_instances.masks = torch.rand(2, 4, 6)
    losses = stage.loss(random_feats(), [evidence])
    assert losses.keys() == {'loss_cls', 'loss_bbox', 'loss_mask'}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in stage.parameters())


def test_segmentation_gives_masks_in_image_pixels():
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD).eval()
    evidence = image_evidence()
    evidence.set_metainfo(dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5)))
    result = stage.predict(random_feats(), [evidence])[0]
    assert tuple(result.masks.shape) == (len(result), 128, 192)
    assert result.bboxes.max() > 96


@pytest.mark.parametrize(('refine', 'off'), [(None, 6.0), (dict(type='PixelAffinity'), 2.0)])
def test_what_is_found_is_boxed_by_its_mask_up_to_the_edges_of_colour(monkeypatch, refine, off):
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD | dict(refine=refine)).eval()
    image, box = torch.zeros(3, 64, 96), torch.tensor([[32.0, 16, 64, 48]])
    image[0, 16:48, 32:64] = 1.0
    evidence = image_evidence(image=image, tags=torch.tensor([0.0, 1, 0]))
    evidence.set_metainfo(dict(instance_stride=2))
    evidence.pseudo_instances = PSEUDO.clone()
    evidence.pseudo_instances.attention = torch.zeros(2, 32, 48)
    # One region, 8 pixels too large; its mask ends 7 pixels within the object.
    scores = torch.tensor([[0.0, 0.9, 0.0]])
    region = box + torch.tensor([-8.0, -8, 8, 8])
    monkeypatch.setattr(stage, 'score_regions', lambda *args: [(scores, region)])
    x = torch.linspace(-24, 24, 14).abs()
    distance = torch.maximum(x[:, None].expand(14, 14), x[None].expand(14, 14))
    logits = (0.05 * (9 - distance))[None]
    monkeypatch.setattr(stage.mask_head, 'label_logits', lambda *args: logits)
    found = stage.validate(random_feats(), [evidence])[0].found
    assert found.labels.tolist() == [1]
    assert tuple(found.masks.shape) == (1, 32, 48)
    assert off - 2 <= (found.bboxes - box).abs().max() <= off + 2


@pytest.mark.parametrize('stride', [16, 2])
def test_masks_handed_on_run_up_to_the_edges_of_colour_where_they_are_fitted(monkeypatch, stride):
    head = MASK_HEAD | dict(refine=dict(type='PixelAffinity'))
    image, box = torch.zeros(3, 64, 96), torch.tensor([[24.0, 8, 72, 56]])
    image[0, 16:48, 32:64] = 1.0
    rows, columns = 64 // stride, 96 // stride
    pseudo = pseudo_of(box, [1], [0.8])
    pseudo.attention = torch.rand(1, rows, columns)
    shares = []
    for fitted in (False, True):
        stage = RefinementStage(NUM_CLASSES, head, hand_on_fitted=fitted)
        # Most of all it sees the object's middle, and all of it a little.
        x = torch.linspace(-24, 24, 14).abs()
        distance = torch.maximum(x[:, None].expand(14, 14), x[None].expand(14, 14))
        logits = (0.05 * (9 - distance))[None]
        monkeypatch.setattr(stage.mask_head, 'label_logits', lambda *args, logits=logits: logits)
        evidence = image_evidence(pseudo, image=image)
        evidence.set_metainfo(dict(instance_stride=stride))
        after = stage.propagate(random_feats(), [evidence])[0]
        fine = after.instance_stride
        assert fine == (min(stride, 4) if fitted else stride)
        masks = after.pseudo_instances.masks
        assert masks.shape == after.pseudo_instances.attention.shape
        assert tuple(masks.shape) == (1, 64 // fine, 96 // fine)
        full = torch.nn.functional.interpolate(masks[None], size=(64, 96))[0, 0] >= 0.5
        true = image[0] > 0
        shares.append((full & true).sum() / (full | true).sum())
        assert evidence.instance_stride == stride
        assert 'masks' not in pseudo
    assert shares[1] > shares[0] + 0.1
    assert shares[1] > 0.8


def test_masks_can_not_be_fitted_by_nothing():
    with pytest.raises(ValueError, match='which is not set'):
        build_refinement(hand_on_fitted=True)
