import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import SegmentationStage

from ..tiny import BOX_HEAD, MASK_HEAD, NUM_CLASSES, random_feats
from .test_refinement import PSEUDO, image_evidence


def test_it_learns_boxes_and_masks():
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD)
    evidence = image_evidence(PSEUDO.clone())
    evidence.pseudo_instances.masks = torch.rand(2, 4, 6)
    losses = stage.loss(random_feats(), [evidence])
    assert losses.keys() == {'loss_cls', 'loss_bbox', 'loss_mask'}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in stage.parameters())


def test_results_are_in_pixels_of_the_original_image():
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD).eval()
    evidence = image_evidence()
    evidence.set_metainfo(dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5)))
    result = stage.predict(random_feats(), [evidence])[0]
    assert tuple(result.masks.shape) == (len(result), 128, 192)
    assert result.bboxes.max() > 96


@pytest.mark.parametrize(('refine', 'off'), [(None, 6.0), (dict(type='PixelAffinity'), 2.0)])
def test_validation_starts_with_boxes_around_refined_masks(monkeypatch, refine, off):
    stage = SegmentationStage(
        NUM_CLASSES, BOX_HEAD, MASK_HEAD, mask_results=dict(refine=refine)
    ).eval()
    image, box = torch.zeros(3, 64, 96), torch.tensor([[32.0, 16, 64, 48]])
    image[0, 16:48, 32:64] = 1.0
    pseudo = PSEUDO.clone()
    pseudo.attention = torch.zeros(2, 32, 48)
    evidence = image_evidence(pseudo, 2, image=image, tags=torch.tensor([0.0, 1, 0]))
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


def test_it_is_the_last_stage_and_validation_starts_there():
    stage, evidence = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD), [image_evidence()]
    assert stage.starts_validation
    assert stage.propagate(random_feats(), evidence) is evidence


def found_by(stage, monkeypatch, logits, img_shape=(63, 95)):
    """What validation finds in an image whose size is no multiple of the stride of its grid."""
    logits = logits.expand(1, 14, 14)
    monkeypatch.setattr(stage.mask_head, 'label_logits', lambda *args: logits)
    for parameter in stage.box_head.fc_reg.parameters():
        parameter.data.zero_()  # boxes stay where they are
    pseudo = PSEUDO.clone()
    pseudo.attention = torch.zeros(2, 16, 24)
    image = torch.zeros(3, *img_shape)
    evidence = image_evidence(pseudo, 4, image=image, tags=torch.tensor([0.0, 1, 0]))
    evidence.set_metainfo(dict(img_shape=img_shape))
    whole = torch.tensor([[0.0, 0, img_shape[1], img_shape[0]]])
    evidence.proposals = InstanceData(bboxes=whole)
    [after] = stage.validate(random_feats(), [evidence])
    return after.found


def test_boxes_around_masks_end_with_the_image_though_their_cells_do_not(monkeypatch):
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD).eval()
    found = found_by(stage, monkeypatch, torch.tensor(20.0))
    assert (found.masks >= 0.5)[:, :-1, :-1].all()
    assert found.bboxes.tolist() == [[0, 0, 95, 63]]


def test_an_empty_mask_leaves_its_box(monkeypatch):
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD).eval()
    found = found_by(stage, monkeypatch, torch.tensor(-20.0), (60, 90))
    assert found.bboxes.tolist() == [[0, 0, 90, 60]]


def test_labels_on_the_way_back_have_no_gradient(monkeypatch):
    stage = SegmentationStage(NUM_CLASSES, BOX_HEAD, MASK_HEAD)
    found = found_by(stage, monkeypatch, torch.tensor(1.0, requires_grad=True))
    assert len(found) == 1
    assert not any(value.requires_grad for value in found.values())
