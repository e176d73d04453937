import pytest
import torch

from mmlabelpenet.models import ProposalTTA
from mmlabelpenet.models.detectors.proposal_tta import share_proposals, to_original, to_view

from ..tiny import LEARNED, build_model, evidence_of, image, predictions_of


def view_of(img, sample, flip=False, scale=1.0):
    """A view of an image, as TestTimeAug makes it."""
    sample = sample.clone()
    height, width = img.shape[1:]
    if scale != 1:
        size = (round(height * scale), round(width * scale))
        img = torch.nn.functional.interpolate(img[None].float(), size, mode='bilinear')[0].byte()
        sample.proposals.bboxes = sample.proposals.bboxes * scale
        factor = tuple(scale * one for one in sample.scale_factor)
        sample.set_metainfo(dict(img_shape=size, scale_factor=factor))
        width = size[1]
    if flip:
        img = img.flip(-1)
        x1, y1, x2, y2 = sample.proposals.bboxes.unbind(1)
        sample.proposals.bboxes = torch.stack([width - x2, y1, width - x1, y2], dim=1)
        sample.set_metainfo(dict(flip=True))
    return img, sample


def scored(model, img, sample):
    """Scores and boxes that the detection gives to an image's proposals, and the evidence."""
    data = dict(inputs=[img], data_samples=[sample])
    evidence = model.read_evidence(data, tagged=False)
    inferred = model.cascade.infer('detection', evidence)
    [pair] = model.cascade['detection'].score_regions(evidence[0].batch_feats, inferred)
    return *pair, evidence[0]


def results_of(model, *views):
    """Results of one image in some views."""
    data = dict(inputs=[[img] for img, _ in views], data_samples=[[one] for _, one in views])
    return ProposalTTA(model.eval()).test_step(data)[0]


@pytest.mark.parametrize('stage', ['classification', 'detection', 'refinement', 'segmentation'])
def test_one_view_gives_what_the_model_gives(stage):
    model = build_model(test_cfg=dict(stage=stage))
    alone = predictions_of(model, image())[0]
    averaged = results_of(model, view_of(*image()))
    for name, value in alone.pred_instances.items():
        other = averaged.pred_instances[name]
        if name == 'masks':
            assert (value != other).float().mean() < 1e-3
        else:
            assert torch.allclose(value, other, atol=1e-4), name
    assert torch.allclose(alone.pred_image_scores, averaged.pred_image_scores, atol=1e-6)


def test_scores_of_a_proposal_are_averaged_over_the_views():
    model = build_model(test_cfg=dict(stage='detection')).eval()
    views = [view_of(*image()), view_of(*image(), flip=True), view_of(*image(), scale=1.5)]
    scores, boxes = [], []
    for view in views:
        of_view, bboxes, evidence = scored(model, *view)
        scores.append(of_view)
        boxes.append(to_original(bboxes, evidence))
    result = results_of(model, *views).pred_instances
    mean_scores, mean_boxes = torch.stack(scores).mean(0), torch.stack(boxes).mean(0)
    for box, score, label in zip(result.bboxes, result.scores, result.labels):
        matches = (mean_boxes - box).abs().amax(1) < 1e-3
        assert (mean_scores[matches, label] - score).abs().min() < 1e-5
    for one, other in ((0, 1), (0, 2)):
        assert (boxes[one] - boxes[other]).abs().max() < 20


def test_a_flipped_view_of_a_symmetric_image_adds_nothing():
    img, sample = image()
    img = torch.cat([img[..., :48], img[..., :48].flip(-1)], dim=-1)
    half = sample.proposals.bboxes[:4]
    x1, y1, x2, y2 = half.unbind(1)
    mirrored = torch.stack([96 - x2, y1, 96 - x1, y2], dim=1)
    sample.proposals.bboxes = torch.cat([half, mirrored])
    model = build_model(test_cfg=dict(stage='detection')).eval()
    plain = scored(model, img, sample)[0]
    flipped = scored(model, *view_of(img, sample, flip=True))[0]
    # The network sees the same image, its proposals in another order.
    assert torch.allclose(plain[4:], flipped[:4], atol=1e-5)


@pytest.mark.parametrize('stage', ['refinement', 'segmentation'])
def test_results_of_a_flipped_view_are_flipped_back(stage):
    model = build_model(test_cfg=dict(stage=stage, score_threshold=0.0)).eval()
    mirrored = view_of(*image(), flip=True)
    flipped = results_of(model, mirrored).pred_instances
    # The same pixels as an image of its own, which is not to be flipped back.
    mirrored[1].set_metainfo(dict(flip=False))
    plain = results_of(model, mirrored).pred_instances
    assert flipped.labels.equal(plain.labels)
    x1, y1, x2, y2 = plain.bboxes.unbind(1)
    expected = torch.stack([192 - x2, y1, 192 - x1, y2], dim=1)
    torch.testing.assert_close(flipped.bboxes, expected, atol=1e-3, rtol=0)
    assert plain.masks.any()
    assert (plain.masks != plain.masks.flip(-1)).float().mean() > 0.05
    assert (flipped.masks != plain.masks.flip(-1)).float().mean() < 1e-3


def test_boxes_of_a_view_return_to_the_original_image():
    evidence = evidence_of(
        50, 80, metainfo=dict(flip=True, scale_factor=(0.5, 0.25), img_shape=(50, 80))
    )
    boxes = torch.tensor([[10.0, 20, 60, 100]])
    in_view = to_view(boxes, evidence)
    assert in_view.tolist() == [[50, 5, 75, 25]]
    assert to_original(in_view, evidence).equal(boxes)


def test_learned_proposals_are_the_same_in_all_views():
    model = build_model(proposals=LEARNED).eval()
    img, sample = image()
    shared = model.read_evidence(dict(inputs=[img], data_samples=[sample.clone()]))
    del sample.proposals
    views = [(img, sample), (img.flip(-1), sample.clone())]
    views[1][1].set_metainfo(dict(flip=True))
    first, second = (
        model.read_evidence(dict(inputs=[one], data_samples=[other.clone()]), tagged=False)
        for one, other in views
    )
    share_proposals(first, second)
    assert to_original(second[0].proposals.bboxes, second[0]).allclose(
        to_original(first[0].proposals.bboxes, first[0]), atol=1e-3
    )
    assert second[0].proposals.objectness.equal(first[0].proposals.objectness)
    assert len(first[0].proposals.bboxes) != len(shared[0].proposals.bboxes)
    assert len(results_of(model, *views).pred_instances) > 0
