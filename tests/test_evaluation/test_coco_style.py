import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlabelpenet.evaluation import COCOStyleMetric, to_rles
from mmlabelpenet.utils import UserError

from .samples import box_sample, random_sample, run

CAT, FAR = (0, 0, 9, 9), (50, 50, 59, 59)


def test_boxes_hold_their_last_pixel():
    # 10 x 6 of 10 x 10 pixels: IoU .6, found at .5, .55 and .6 of COCO's ten thresholds
    sample = box_sample([(0, 0.9, (0, 0, 9, 5))], [(0, CAT)])
    figures = run(COCOStyleMetric(), [sample])
    assert figures['coco_bbox_mAP'] == pytest.approx(0.3)
    assert figures['coco_bbox_mAP_50'] == pytest.approx(1)
    assert figures['coco_bbox_mAP_75'] == 0
    assert figures['coco_bbox_AR_100'] == pytest.approx(0.3)


def test_unless_the_data_set_says_otherwise():
    metric = COCOStyleMetric()
    metric.dataset_meta = {'classes': ('cat',), 'inclusive_boxes': False}
    # 10 x 5.5 of 10 x 10, found at .5 and .55; with last pixels it were 11 x 6.5 of 11 x 11
    metric.process({}, [box_sample([(0, 0.9, (0, 0, 10, 5.5))], [(0, (0, 0, 10, 10))])])
    assert metric.evaluate(1)['coco_bbox_mAP'] == pytest.approx(0.2)


def test_difficult_objects_are_crowds():
    predicted = [(0, 0.9, FAR), (0, 0.8, FAR), (0, 0.7, CAT)]
    figures = run(COCOStyleMetric(), [box_sample(predicted, [(0, CAT)], [(0, FAR)])])
    assert figures['coco_bbox_mAP'] == pytest.approx(1)


def test_sizes_without_objects_are_not_measurable():
    figures = run(COCOStyleMetric(), [box_sample([(0, 0.9, CAT)], [(0, CAT)])])
    assert figures['coco_bbox_mAP_s'] == pytest.approx(1)
    assert np.isnan(figures['coco_bbox_mAP_l'])


def test_masks_are_measured_where_there_are_some():
    sample = box_sample([(0, 0.9, CAT)], [(0, CAT)])
    assert not any('segm' in name for name in run(COCOStyleMetric(), [sample]))
    with pytest.raises(UserError, match='gt_mask_instances'):
        run(COCOStyleMetric(kinds=['segm']), [sample])
    with pytest.raises(ValueError, match='keypoints'):
        COCOStyleMetric(kinds=['keypoints'])


def by_files(samples, kind, folder):
    """The plain way to pycocotools: annotations and results as JSON files."""
    gt = {'images': [], 'annotations': [], 'categories': [{'id': i} for i in range(1, 5)]}
    results = []
    for number, sample in enumerate(samples, start=1):
        gt['images'].append({'id': number, 'height': 40, 'width': 50})
        as_masks = kind == 'segm'
        groups = [('gt_mask_instances', 0)]
        if not as_masks:
            groups = [('gt_instances', 0), ('ignored_instances', 1)]
        for name, crowd in groups:
            for annotation in shapes_of(sample[name], as_masks):
                annotation |= {'iscrowd': crowd, 'id': len(gt['annotations']) + 1}
                gt['annotations'].append({**annotation, 'image_id': number})
        scores = sample['pred_instances']['scores'].tolist()
        for annotation, score in zip(shapes_of(sample['pred_instances'], as_masks), scores):
            results.append({**annotation, 'image_id': number, 'score': score})
    for name, content in (('gt', gt), ('results', results)):
        (folder / f'{name}.json').write_text(json.dumps(content))
    coco = COCO(str(folder / 'gt.json'))
    evaluation = COCOeval(coco, coco.loadRes(str(folder / 'results.json')), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


def shapes_of(found, as_masks):
    made = []
    masks = to_rles(found['masks']) if as_masks else [None] * len(found['labels'])
    for row, (label, mask) in enumerate(zip(found['labels'].tolist(), masks)):
        made.append({'category_id': label + 1})
        if as_masks:
            counts = mask['counts'].decode()
            area = int(found['masks'][row].sum())
            made[-1] |= {'segmentation': {**mask, 'counts': counts}, 'area': area}
        else:
            left, top, right, bottom = found['bboxes'][row].tolist()
            box = [left, top, right - left + 1, bottom - top + 1]
            made[-1] |= {'bbox': box, 'area': box[2] * box[3]}
    return made


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_random_cases_agree_with_pycocotools_on_files(kind, tmp_path):
    rng = np.random.default_rng(1)
    samples = [random_sample(rng) for _ in range(12)]
    expected = by_files(samples, kind, tmp_path)
    figures = run(COCOStyleMetric(), samples, classes=('cat', 'dog', 'owl', 'bee'))
    found = [value for name, value in figures.items() if f'coco_{kind}' in name]
    assert np.nan_to_num(found, nan=-1) == pytest.approx(expected[:9], abs=1e-12)
    assert 0.03 < figures[f'coco_{kind}_mAP'] < 0.9
