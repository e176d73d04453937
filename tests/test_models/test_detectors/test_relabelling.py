import pytest
import torch

from mmlabelpenet.models import relabelled
from mmlabelpenet.structures import Maps
from mmlabelpenet.structures.boxes import paired_iou

from ..tiny import build_model, collate, image

MINING = dict(keep_ratio=0.0, max_per_class=3, iou_threshold=1.0)


def build(**mining):
    model = build_model().eval()
    model.cascade['segmentation'].mining = mining
    return model


def evidence_in(model, *images):
    data = model.data_preprocessor(collate(*images), False)
    return model.evidence(data['inputs'], data['data_samples'])


def test_the_best_box_of_a_tagged_class_counts_by_the_scores_of_both_box_modules():
    model = build(max_per_class=1)
    evidence = evidence_in(model, image(tags=(1, 0, 1)))
    [one] = relabelled(model.cascade, evidence)
    parts = [
        model.cascade[name].score_regions(evidence[0].batch_feats, evidence)[0][0]
        for name in ('detection', 'segmentation')
    ]
    mean = (parts[0] * parts[1]).sqrt().amax(0)
    assert one.pseudo_instances.labels.tolist() == [0, 2]
    assert torch.allclose(one.pseudo_instances.weights, mean[[0, 2]])


def test_the_box_of_a_label_is_tight_around_its_map():
    model = build(max_per_class=1)
    [one] = relabelled(model.cascade, evidence_in(model, image()))
    pseudo = one.pseudo_instances
    tight = Maps(pseudo.attention > 0, one.instance_stride).tight_boxes(one.img_shape)
    assert torch.equal(pseudo.bboxes, tight)
    assert pseudo.attention.amax((1, 2)).tolist() == [1.0, 1.0]
    positive = pseudo.attention[pseudo.attention > 0]
    assert positive.min() >= 0.5


def test_parts_of_a_better_instance_are_no_labels():
    whole = torch.tensor([[8.0, 8, 80, 56], [10, 10, 30, 30], [60, 20, 78, 50], [9, 9, 79, 55]])
    model = build(**MINING)
    evidence = evidence_in(model, image(tags=(1, 0, 0), bboxes=whole))
    loose = relabelled(model.cascade, evidence, 0.0, inside=1.0)[0].pseudo_instances
    strict = relabelled(model.cascade, evidence, 0.0, inside=0.5)[0].pseudo_instances
    assert len(strict) < len(loose)
    assert strict.weights.max() == loose.weights.max()


def test_a_further_instance_of_a_class_needs_a_high_score_the_best_one_does_not():
    model = build(**MINING)
    evidence = evidence_in(model, image(tags=(1, 0, 1)))
    every, best = (
        relabelled(model.cascade, evidence, further, inside=1.0)[0].pseudo_instances
        for further in (0.0, 1.1)
    )
    assert best.labels.tolist() == [0, 2]
    assert len(every) > 2
    for label in (0, 2):
        own = every.labels == label
        assert best.weights[best.labels == label] == every.weights[own].max()


def test_untagged_images_get_no_labels():
    model = build()
    [one] = relabelled(model.cascade, evidence_in(model, image(tags=(0, 0, 0))))
    assert len(one.pseudo_instances) == 0


def test_labels_of_a_batch_are_those_of_its_images():
    model = build()
    images = image(seed=1), image(64, 64, seed=2)
    together = relabelled(model.cascade, evidence_in(model, *images))
    for one, alone in zip(together, images):
        [other] = relabelled(model.cascade, evidence_in(model, alone))
        assert torch.equal(one.pseudo_instances.labels, other.pseudo_instances.labels)
        overlap = paired_iou(one.pseudo_instances.bboxes, other.pseudo_instances.bboxes)
        assert overlap.min() > 0.95


def test_a_cascade_without_masks_cannot_label_anew():
    model = build_model(cascade=dict(segmentation=None, refinement=None)).eval()
    with pytest.raises(TypeError, match='stage 4'):
        relabelled(model.cascade, evidence_in(model, image()))
