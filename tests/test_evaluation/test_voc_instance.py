import numpy as np
import pytest
import torch
from pycocotools import mask as mask_api

from mmlabelpenet.evaluation import VOCInstanceMetric, mask_iou, to_rles
from mmlabelpenet.utils import UserError

from . import reference
from .samples import instances, run


def strip(start, stop, size=20):
    mask = np.zeros((4, size), dtype=bool)
    mask[:, start:stop] = True
    return mask


def mask_sample(predicted, true, as_rles=False):
    """predicted: (label, score, mask); true: (label, mask)."""

    def pack(masks):
        stacked = np.stack(masks) if masks else np.zeros((0, 4, 20), dtype=bool)
        return to_rles(stacked) if as_rles else torch.from_numpy(stacked)

    return {
        'pred_instances': instances(
            [label for label, _, _ in predicted],
            np.zeros((len(predicted), 4)),
            [score for _, score, _ in predicted],
            masks=pack([mask for _, _, mask in predicted]),
        ),
        'gt_mask_instances': {
            'labels': torch.tensor([label for label, _ in true], dtype=torch.long),
            'masks': to_rles(np.stack([mask for _, mask in true])) if true else [],
        },
    }


def test_overlap_of_masks_counts_pixels():
    overlaps = mask_iou(np.stack([strip(0, 10)]), np.stack([strip(5, 15), strip(10, 20)]))
    assert overlaps == pytest.approx(np.array([[5 / 15, 0]]))
    assert mask_iou(np.stack([strip(0, 0)]), np.stack([strip(0, 0)])) == 0
    assert mask_iou([], np.stack([strip(0, 5)])).shape == (0, 1)


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.float32])
def test_run_lengths_hold_the_very_pixels(dtype):
    masks = np.random.default_rng(0).random((3, 7, 5)) > 0.5
    rles = to_rles(torch.from_numpy(masks.astype(dtype)))
    assert np.array_equal(mask_api.decode(rles).transpose(2, 0, 1), masks)
    assert to_rles(rles) == rles
    assert to_rles(torch.zeros(0, 7, 5)) == []


@pytest.mark.parametrize('as_rles', [False, True])
def test_thresholds_and_best_overlap(as_rles):
    # overlap 7 / 10 = .7: enough at .25, .5 and .7 itself, not at .75
    sample = mask_sample([(0, 0.9, strip(0, 7))], [(0, strip(0, 10))], as_rles)
    assert run(VOCInstanceMetric(), [sample]) == {
        'segm_mAP_25': 1,
        'segm_mAP_50': 1,
        'segm_mAP_70': 1,
        'segm_mAP_75': 0,
        # found at .5, .55, .6, .65 and .7 of the ten thresholds
        'segm_AR': pytest.approx(0.5),
        'segm_ABO': pytest.approx(0.7),
    }


def test_each_object_is_found_once():
    predicted = [(0, 0.9, strip(0, 10)), (0, 0.8, strip(0, 9)), (0, 0.7, strip(12, 20))]
    sample = mask_sample(predicted, [(0, strip(0, 10)), (0, strip(12, 20))])
    figures = run(VOCInstanceMetric(iou_thrs=[0.5]), [sample])
    assert figures['segm_mAP_50'] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_best_overlap_is_averaged_per_class_then_over_classes():
    # class 0: overlaps 1 and 0 (nothing predicted near): .5; class 1: only class 0 predicted: 0
    sample = mask_sample(
        [(0, 0.1, strip(0, 5))], [(0, strip(0, 5)), (0, strip(10, 15)), (1, strip(0, 5))]
    )
    assert run(VOCInstanceMetric(), [sample])['segm_ABO'] == pytest.approx(0.25)


def test_a_poor_score_does_not_lower_best_overlap():
    predicted = [(0, 0.9, strip(0, 2)), (0, 0.01, strip(0, 10))]
    sample = mask_sample(predicted, [(0, strip(0, 10))])
    assert run(VOCInstanceMetric(), [sample])['segm_ABO'] == 1


def test_photos_without_objects_or_predictions():
    samples = [
        mask_sample([], []),
        mask_sample([(0, 0.5, strip(0, 5))], []),
        mask_sample([], [(0, strip(0, 5))]),
    ]
    figures = run(VOCInstanceMetric(), samples)
    assert figures['segm_mAP_50'] == 0
    assert figures['segm_ABO'] == 0


def test_void_counts_as_outside_unless_it_is_ignored():
    # 10 columns of object, 5 of void, and a prediction that covers both: IoU 10 / 15 or 1
    sample = mask_sample([(0, 0.9, strip(0, 15))], [(0, strip(0, 10))])
    classes = np.where(strip(10, 15), 255, strip(0, 10).astype(np.uint8))
    sample['gt_sem_seg'] = {'sem_seg': torch.from_numpy(classes[None])}
    assert run(VOCInstanceMetric(), [sample])['segm_ABO'] == pytest.approx(2 / 3)
    assert run(VOCInstanceMetric(ignore_void=True), [sample])['segm_ABO'] == 1


def test_missing_masks_are_told():
    no_prediction = mask_sample([], [])
    del no_prediction['pred_instances']['masks']
    with pytest.raises(UserError, match='leave segm out'):
        run(VOCInstanceMetric(), [no_prediction])
    with pytest.raises(UserError, match='split whose photos have masks'):
        run(VOCInstanceMetric(), [{'pred_instances': no_prediction['pred_instances']}])


@pytest.mark.parametrize('seed', range(3))
def test_random_cases_agree_with_the_published_procedure(seed):
    rng = np.random.default_rng(seed)
    photos, samples = [], []
    for _ in range(10):
        starts = rng.integers(0, 12, 4)
        true = [(int(rng.integers(3)), strip(s, s + int(rng.integers(3, 8)))) for s in starts]
        predicted = [
            (label, float(score), np.roll(mask, int(rng.integers(-2, 3)), axis=1))
            for (label, mask), score in zip(true * 2, rng.permutation(1000)[:8] / 1000)
        ]
        true = true[: rng.integers(0, 5)]
        samples.append(mask_sample(predicted, true))
        predicted = [(label, np.float32(score), mask) for label, score, mask in predicted]
        photos.append((predicted, [(label, False, mask) for label, mask in true]))
    figures = run(VOCInstanceMetric(), samples)
    for iou_thr in (0.25, 0.5, 0.7, 0.75):
        aps = [
            reference.evaluate_class(photos, label, reference.mask_iou, iou_thr, 'area')
            for label in range(3)
        ]
        expected = pytest.approx(np.nanmean(aps), abs=1e-9)
        assert figures[f'segm_mAP_{round(iou_thr * 100)}'] == expected
