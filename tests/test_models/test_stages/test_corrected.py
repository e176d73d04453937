"""Corrected labels of one image of a batch take the place of its pseudo instances."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from mmlabelpenet.structures import Step

from ..tiny import build_model, collate, image, losses_of, train_as

BOXES = torch.tensor([[8.0, 8, 40, 40], [50.0, 10, 90, 60]])


def corrected_image(known=True, boxes=BOXES):
    inputs, sample = image(seed=1)
    masks = np.full((len(boxes), 64, 96), 255, dtype=np.uint8)
    if known:
        masks[:] = 0
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist()):
            mask[y1:y2, x1:x2] = 1
    sample.gt_instances = InstanceData(
        bboxes=boxes,
        labels=torch.tensor([2, 0])[: len(boxes)],
        masks=BitmapMasks(masks, 64, 96),
        weights=torch.ones(len(boxes)),
    )
    sample.set_metainfo(dict(corrected=True))
    return inputs, sample


@pytest.fixture(scope='module')
def shared():
    return build_model(calibration=dict(mode='full'))


@pytest.fixture
def model(shared):
    return train_as(shared, learning=())


def evidence_of_batch(model, *images):
    batch = model.data_preprocessor(collate(*images), True)
    return model.evidence(batch['inputs'], batch['data_samples'])


def test_only_the_corrected_image_has_other_labels(model):
    plain = model.cascade.down(evidence_of_batch(model, image(seed=0), image(seed=1)))[0]
    mixed = model.cascade.down(evidence_of_batch(model, image(seed=0), corrected_image()))[0]
    for name in ('bboxes', 'weights', 'attention', 'masks'):
        assert mixed[0].pseudo_instances[name].equal(plain[0].pseudo_instances[name])
    pseudo = mixed[1].pseudo_instances
    assert pseudo.bboxes.equal(BOXES)
    assert pseudo.labels.tolist() == [2, 0]
    assert pseudo.weights.tolist() == [1, 1]
    assert mixed[1].instance_stride == plain[1].instance_stride
    stride = int(mixed[1].instance_stride)
    for maps in (pseudo.attention, pseudo.masks):
        assert maps.shape == (2, *plain[1].pseudo_instances.attention.shape[1:])
        assert maps.sum((1, 2)).tolist() == [32 * 32 / stride**2, 40 * 50 / stride**2]


def test_attention_stands_in_for_masks_that_are_unknown(model):
    [one] = model.cascade.down(evidence_of_batch(model, corrected_image(known=False)))[0]
    maps = one.pseudo_instances.attention
    truth = InstanceData(bboxes=BOXES, labels=torch.tensor([2, 0]))
    own = model.calibration.attention_in(one, truth)
    expected = own.resample(int(one.instance_stride), maps.shape[1:]).values
    assert maps.equal(expected)
    assert not maps.isnan().any()


def test_the_way_back_leaves_corrected_labels_alone(model):
    images = evidence_of_batch(model, image(seed=0), corrected_image())
    evidence = model.cascade.up(model.cascade.down(images)[0])
    one = model.cascade.above(evidence, 0.5)[1].pseudo_instances
    assert one.bboxes.equal(BOXES)
    assert one.weights.tolist() == [1, 1]


@pytest.mark.parametrize('direction', ['forward', 'backward'])
@pytest.mark.parametrize('boxes', [BOXES, BOXES[:0]])
def test_mixed_batches_train(shared, direction, boxes):
    model = train_as(shared, direction=direction)
    for known in (True, False):
        losses = losses_of(model, image(seed=0), corrected_image(known, boxes))
        assert all(value.isfinite().all() for value in losses.values())


def test_results_do_not_depend_on_corrections(shared):
    shared.step = Step(learning=())
    shared.eval()
    batch = shared.data_preprocessor(collate(corrected_image()), False)
    assert 'ground_truth' not in shared.evidence(batch['inputs'], batch['data_samples'])[0]
