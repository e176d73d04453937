import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import RefinementStage

from ..tiny import (
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


def image_evidence(pseudo=PSEUDO, stride=16, **fields):
    return evidence_of(
        64,
        96,
        instance_stride=stride,
        proposals=InstanceData(bboxes=boxes_in(64, 96, 9)),
        pseudo_instances=pseudo,
        **fields,
    )


def build_refinement(**changes):
    return RefinementStage(NUM_CLASSES, MASK_HEAD, dict(num_samples=6), **changes)


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


def test_steps_on_the_loss_fit_the_attention():
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


def test_results_have_masks_in_pixels_of_the_original_image():
    stage, evidence = build_refinement().eval(), image_evidence()
    evidence.set_metainfo(dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5)))
    detections = pseudo_of([[16.0, 16, 64, 48], [50, 4, 90, 30]], [1, 2])
    evidence.detections = detections
    result = stage.predict(random_feats(), [evidence])[0]
    assert tuple(result.masks.shape) == (2, 128, 192)
    assert result.bboxes.equal(2 * detections.bboxes)
    assert detections.bboxes.max() == 90


def test_ground_truth_masks_are_kept():
    pseudo = PSEUDO.clone()
    pseudo.masks = torch.rand(2, 4, 6)
    evidence = [image_evidence(pseudo)]
    assert build_refinement().propagate(random_feats(), evidence) is evidence


@pytest.mark.parametrize('stride', [16, 2])
def test_refined_masks_that_are_propagated_reach_the_edges_of_colour(monkeypatch, stride):
    image, box = torch.zeros(3, 64, 96), torch.tensor([[24.0, 8, 72, 56]])
    image[0, 16:48, 32:64] = 1.0
    rows, columns = 64 // stride, 96 // stride
    pseudo = pseudo_of(box, [1], [0.8])
    pseudo.attention = torch.rand(1, rows, columns)
    shares = []
    for refined in (False, True):
        stage = RefinementStage(
            NUM_CLASSES,
            MASK_HEAD,
            mask_results=dict(refine=dict(type='PixelAffinity')),
            propagate_refined_masks=refined,
        )
        # It is most confident of the object's middle, and less of all the object.
        x = torch.linspace(-24, 24, 14).abs()
        distance = torch.maximum(x[:, None].expand(14, 14), x[None].expand(14, 14))
        logits = (0.05 * (9 - distance))[None]
        monkeypatch.setattr(stage.mask_head, 'label_logits', lambda *args, logits=logits: logits)
        evidence = image_evidence(pseudo, stride, image=image)
        after = stage.propagate(random_feats(), [evidence])[0]
        fine = after.instance_stride
        assert fine == (min(stride, 4) if refined else stride)
        masks = after.pseudo_instances.masks
        assert masks.shape == after.pseudo_instances.attention.shape
        assert tuple(masks.shape) == (1, 64 // fine, 96 // fine)
        full = torch.nn.functional.interpolate(masks[None], size=(64, 96))[0, 0] >= 0.5
        square = image[0] > 0
        shares.append((full & square).sum() / (full | square).sum())
        assert evidence.instance_stride == stride
        assert 'masks' not in pseudo
    assert shares[1] > shares[0] + 0.1
    assert shares[1] > 0.8


def test_masks_are_not_refined_without_a_refiner():
    with pytest.raises(ValueError, match='which is not set'):
        build_refinement(propagate_refined_masks=True)
