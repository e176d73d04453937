import numpy as np
import pytest
import torch
from pycocotools import mask as mask_api

from mmlabelpenet.evaluation import VOCInstanceMetric, mask_iou, to_rles
from mmlabelpenet.utils import UserError

from . import reference
from .samples import instances, random_sample, run

FIELDS = ('labels', 'scores', 'masks')


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


def test_empty_masks_do_not_overlap_whatever_pycocotools_gives(monkeypatch):
    monkeypatch.setattr(mask_api, 'iou', lambda *args: np.array([[np.nan, 0.5]]))
    nothing = to_rles(np.stack([strip(0, 0)]))
    assert mask_iou(nothing, np.stack([strip(0, 0), strip(0, 5)])).tolist() == [[0, 0.5]]


@pytest.mark.parametrize('size', [(9, 14), (1, 6), (6, 1)])
@pytest.mark.parametrize('dtype', [bool, np.uint8, np.float32])
def test_dense_masks_overlap_by_the_very_bits_of_run_lengths(size, dtype):
    rng = np.random.default_rng(0)
    masks, others = (rng.random((number, *size)) < rng.random((number, 1, 1)) for number in (9, 5))
    masks[0], others[0], region = False, False, rng.random(size) < 0.7
    for kept in (None, region):
        expected = mask_iou(to_rles(masks), others, kept)
        assert expected.max() > 0
        assert np.array_equal(mask_iou(masks.astype(dtype), others, kept), expected)
        assert np.array_equal(mask_iou(torch.from_numpy(masks), others, kept), expected)
        assert np.array_equal(mask_iou(list(masks), to_rles(others), kept), expected)
    assert mask_iou(masks[:0], others).shape == (0, 5)
    assert mask_iou(masks, others[:0]).shape == (9, 0)


@pytest.mark.parametrize('ignore_void', [False, True])
def test_tensors_and_run_lengths_give_equal_figures(ignore_void):
    samples = [random_sample(np.random.default_rng(seed), num_classes=3) for seed in range(6)]
    figures = run(VOCInstanceMetric(ignore_void=ignore_void), samples)
    for sample in samples:
        sample['pred_instances']['masks'] = to_rles(sample['pred_instances']['masks'])
    assert run(VOCInstanceMetric(ignore_void=ignore_void), samples) == figures
    assert 0 < figures['segm_mAP_25'] < 1


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


def test_images_without_objects_or_predictions():
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


def test_missing_masks_are_reported():
    no_prediction = mask_sample([], [])
    del no_prediction['pred_instances']['masks']
    with pytest.raises(UserError, match='leave segm out'):
        run(VOCInstanceMetric(), [no_prediction])
    with pytest.raises(UserError, match='split whose photos have masks'):
        run(VOCInstanceMetric(), [{'pred_instances': no_prediction['pred_instances']}])


@pytest.mark.parametrize('seed', range(5))
def test_random_cases_agree_with_chainercv_s_procedure(seed):
    # re-stated: the registry's chainercv 0.13 needs a NumPy before 1.24 (docs/guide/evaluate.md)
    rng = np.random.default_rng(seed)
    samples = [random_sample(rng) for _ in range(8)]
    # one class is never predicted, one never true
    for sample in samples:
        predicted, true = sample['pred_instances'], sample['gt_mask_instances']
        predicted['labels'][predicted['labels'] == 2] = 4
        true['labels'][true['labels'] == 3] = 0
    images = [
        (
            list(zip(*(sample['pred_instances'][key].numpy() for key in FIELDS))),
            list(zip(*(sample['gt_mask_instances'][key].numpy() for key in FIELDS[::2]))),
        )
        for sample in samples
    ]
    metric = VOCInstanceMetric(iou_thrs=[0.25, 0.5, 0.7, 0.75, 0.333])
    figures = run(metric, samples, classes=('cat', 'dog', 'owl', 'bee', 'elk'))
    (table,) = metric.tables
    for iou_thr in metric.iou_thrs:
        expected = reference.instance_ap_by_class(images, 5, iou_thr)
        found = table.columns[f'AP@{iou_thr:g}']
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
        mean = figures[f'segm_mAP_{round(iou_thr * 100)}']
        assert mean == pytest.approx(np.nanmean(expected), abs=1e-9)
    assert np.isnan(expected[3:]).all()
    assert not expected[2] > 0
    assert 0 < figures['segm_mAP_50'] < 1


def test_average_recall_is_the_share_found_over_ten_thresholds():
    # overlaps .9 (found at nine of ten) and .4 (at none) of class 0; class 1 is found whole
    predicted = [(0, 0.9, strip(0, 9)), (0, 0.8, strip(10, 14)), (1, 0.1, strip(0, 5))]
    true = [(0, strip(0, 10)), (0, strip(10, 20)), (1, strip(0, 5))]
    metric = VOCInstanceMetric()
    assert run(metric, [mask_sample(predicted, true)])['segm_AR'] == pytest.approx(
        ((0.9 + 0) / 2 + 1) / 2
    )
    recall, best = (metric.tables[0].columns[name] for name in ('AR', 'ABO'))
    assert recall == pytest.approx(np.array([0.45, 1, np.nan]), nan_ok=True)
    assert best == pytest.approx(np.array([0.65, 1, np.nan]), nan_ok=True)


def test_masks_of_another_size_are_reported():
    sample = mask_sample([(0, 0.9, strip(0, 5))], [(0, strip(0, 5))])
    sample['pred_instances']['masks'] = torch.ones(1, 8, 40, dtype=torch.bool)
    with pytest.raises(UserError, match='40 x 8 pixels, those of the ground truth 20 x 4'):
        run(VOCInstanceMetric(), [sample])
