import numpy as np
import pytest
from mmdet.evaluation import eval_map

from mmlabelpenet.evaluation import COCOStyleMetric, CorLocMetric, VOCDetectionMetric
from mmlabelpenet.utils import box_iou

from .reference import box_iou_inclusive, evaluate_class
from .samples import box_sample, run

# ten by ten pixels, counted with both ends
CAT, FAR = (0, 0, 9, 9), (50, 50, 59, 59)


def ap50(samples, **kwargs):
    return run(VOCDetectionMetric(iou_thrs=[0.5], **kwargs), samples)['bbox_mAP_50']


def test_pixels_are_inclusive():
    # 10 x 5 of 10 x 10 pixels: exactly one half, where x2 - x1 arithmetic would give 36 / 81
    half, beside = (np.array([box]) for box in ((0, 0, 9, 4), (10, 0, 19, 9)))
    assert box_iou(np.array([CAT]), half, inclusive=True) == pytest.approx(0.5)
    assert box_iou(np.array([CAT]), beside, inclusive=True) == 0
    assert box_iou(np.array([CAT]), half) == pytest.approx(36 / 81)


def test_an_overlap_equal_to_the_threshold_suffices():
    assert ap50([box_sample([(0, 0.9, (0, 0, 9, 4))], [(0, CAT)])]) == 1


def test_names_and_thresholds():
    # IoU .6: right at .25 and .5, wrong at .75
    figures = run(VOCDetectionMetric(), [box_sample([(0, 0.9, (0, 0, 9, 5))], [(0, CAT)])])
    assert figures == {'bbox_mAP_25': 1, 'bbox_mAP_50': 1, 'bbox_mAP_75': 0}


def test_a_duplicate_is_a_false_positive():
    # duplicate ranked before the second object: precision 1, 1/2, 2/3
    predicted = [(0, 0.9, CAT), (0, 0.8, CAT), (0, 0.7, FAR)]
    assert ap50([box_sample(predicted, [(0, CAT), (0, FAR)])]) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_duplicate_does_not_take_the_second_best_object():
    # both predictions overlap the first object most; VOC gives the second one to nobody
    near = (0, 0, 9, 10)
    sample = box_sample([(0, 0.9, CAT), (0, 0.8, CAT)], [(0, CAT), (0, near)])
    assert ap50([sample]) == pytest.approx(0.5)


def test_difficult_objects_count_neither_way():
    alone = box_sample([(0, 0.8, CAT)], [(0, CAT)])
    with_difficult = box_sample(
        [(0, 0.9, FAR), (0, 0.85, FAR), (0, 0.8, CAT)], [(0, CAT)], difficult=[(0, FAR)]
    )
    assert ap50([alone]) == ap50([with_difficult]) == 1


def test_a_class_with_difficult_objects_only_does_not_occur():
    sample = box_sample([(0, 0.8, CAT), (1, 0.9, FAR)], [(0, CAT)], difficult=[(1, FAR)])
    assert ap50([sample]) == 1


def test_a_wrong_class_is_a_miss_and_absent_classes_are_left_out():
    # class 1 occurs and is missed, class 2 does not occur though it is predicted
    sample = box_sample([(0, 0.9, CAT), (2, 0.9, FAR)], [(0, CAT), (1, FAR)])
    assert ap50([sample]) == pytest.approx(0.5)


def test_equal_scores_keep_the_order_of_the_images():
    wrong, right = box_sample([(0, 0.5, FAR)]), box_sample([(0, 0.5, CAT)], [(0, CAT)])
    assert ap50([right, wrong]) == 1
    assert ap50([wrong, right]) == pytest.approx(0.5)


def test_empty_images_and_empty_sets():
    assert ap50([box_sample(), box_sample([(0, 0.5, CAT)], [(0, CAT)])]) == 1
    assert ap50([box_sample([], [(0, CAT)])]) == 0
    assert np.isnan(ap50([box_sample()]))


def test_a_sampler_s_padding_is_not_counted():
    first = box_sample([(0, 0.9, CAT)], [(0, CAT)])
    second = box_sample([(0, 0.8, FAR)], [(0, CAT)])
    metric = VOCDetectionMetric(iou_thrs=[0.5])
    padded = run(metric, [first, second, first, second], size=2)
    assert padded['bbox_mAP_50'] == ap50([first, second]) == pytest.approx(0.5)


def test_results_are_forgotten_after_evaluation():
    metric = VOCDetectionMetric(iou_thrs=[0.5])
    assert run(metric, [box_sample([(0, 0.9, FAR)], [(0, CAT)])])['bbox_mAP_50'] == 0
    assert run(metric, [box_sample([(0, 0.9, CAT)], [(0, CAT)])])['bbox_mAP_50'] == 1


@pytest.mark.parametrize(('inclusive', 'iou'), [(True, 66 / 121), (False, 50 / 100)])
def test_a_data_set_may_end_its_boxes_outside(inclusive, iou):
    # 10 x 5 of 10 x 10 where x2 - x1 is the width; 11 x 6 of 11 x 11 with the last pixel
    metric = VOCDetectionMetric()
    metric.dataset_meta = {'classes': ('cat',), 'inclusive_boxes': inclusive}
    record = metric.measure(box_sample([(0, 0.9, (0, 0, 10, 5))], [(0, (0, 0, 10, 10))]))
    assert record.overlaps == pytest.approx(iou)


@pytest.mark.parametrize('metric', [VOCDetectionMetric(), CorLocMetric(0.99), COCOStyleMetric()])
def test_predictions_may_end_outside(metric):
    # the ten by ten pixels of CAT, written as intervals
    sample = box_sample([(0, 0.9, (0, 0, 10, 10))], [(0, CAT)])
    as_they_are = run(metric, [sample])
    figures = run(metric, [{**sample, 'boxes_end': 'outside'}])
    name = next(name for name in ('bbox_mAP_75', 'corloc', 'coco_bbox_mAP') if name in figures)
    assert figures[name] == pytest.approx(1)
    assert metric.inclusive_boxes
    # 100 of 121 pixels: enough at .75, at .8 and not at .85, not at .99
    expected = {'bbox_mAP_75': 1, 'corloc': 0, 'coco_bbox_mAP': 0.7}
    assert as_they_are[name] == pytest.approx(expected[name])


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match='12points'):
        VOCDetectionMetric(eval_mode='12points')


def random_samples(rng, count=12, num_classes=3):
    def boxes(number):
        start = rng.integers(0, 30, (number, 2))
        return np.concatenate([start, start + rng.integers(5, 25, (number, 2))], axis=1)

    samples = []
    for _ in range(count):
        true = list(zip(rng.integers(0, num_classes, 5), boxes(rng.integers(0, 5))))
        difficult = list(zip(rng.integers(0, num_classes, 5), boxes(rng.integers(0, 3))))
        guesses = boxes(6)
        for guess, (_, box) in zip(guesses, true):
            guess[:] = box + rng.integers(0, 4, 4)
        labels = [label for label, _ in true] + list(rng.integers(0, num_classes, 6))
        scores = rng.permutation(1000)[:6] / 1000
        samples.append(box_sample(list(zip(labels, scores, guesses)), true, difficult))
    return samples


@pytest.mark.parametrize('mode', ['area', '11points'])
@pytest.mark.parametrize('seed', range(3))
def test_random_cases_agree_with_the_devkit_s_procedure(mode, seed):
    samples = random_samples(np.random.default_rng(seed))
    figures = run(VOCDetectionMetric(eval_mode=mode), samples)
    images = []
    for sample in samples:
        predicted, parts = sample['pred_instances'], []
        for name, difficult in (('gt_instances', False), ('ignored_instances', True)):
            part = sample[name]
            parts += [
                (int(label), difficult, box.tolist())
                for label, box in zip(part['labels'], part['bboxes'])
            ]
        guesses = zip(predicted['labels'], predicted['scores'], predicted['bboxes'])
        images.append(([(int(of), float(s), box.tolist()) for of, s, box in guesses], parts))
    for iou_thr in (0.25, 0.5, 0.75):
        aps = [
            evaluate_class(images, label, box_iou_inclusive, iou_thr, mode) for label in range(3)
        ]
        expected = pytest.approx(np.nanmean(aps), abs=1e-9)
        assert figures[f'bbox_mAP_{round(iou_thr * 100)}'] == expected


def test_agrees_with_mmdet_where_scores_differ():
    # one image only: mmdet's eval_map starts worker processes for more
    sample = random_samples(np.random.default_rng(7), count=1)[0]
    true, ignored = sample['gt_instances'], sample['ignored_instances']
    predicted = sample['pred_instances']
    annotation = {
        'labels': true['labels'].numpy(),
        'bboxes': true['bboxes'].numpy(),
        'labels_ignore': ignored['labels'].numpy(),
        'bboxes_ignore': ignored['bboxes'].numpy(),
    }
    rows = np.column_stack([predicted['bboxes'].numpy(), predicted['scores'].numpy()])
    detections = [rows[predicted['labels'].numpy() == label] for label in range(3)]
    theirs, _ = eval_map(
        [detections],
        [annotation],
        iou_thr=0.5,
        eval_mode='area',
        use_legacy_coordinate=True,
        nproc=1,
        logger='silent',
    )
    assert ap50([sample]) == pytest.approx(theirs, abs=1e-6)
