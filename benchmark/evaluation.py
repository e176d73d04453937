"""Cost of evaluation, and its agreement with chainercv.

Images, objects and predictions are generated: noisy blobs on 500 x 375 pixels, of which a part
lies near the ground truth. Metrics are timed on masks as run lengths, as in a file, and mask
figures also on the tensors that a model returns; encoding these is timed apart. All runs on one
core, so that CPU seconds are those of an idle machine. ``--chainercv-python`` compares figures on
many small random sets; chainercv runs in an interpreter of its own, since it needs a NumPy before
1.24. Tests compare with pycocotools.
``--dump`` writes such predictions for the images of a config, to time
tools/analysis_tools/eval_metric.py.

Example:
    python benchmark/evaluation.py --images 240 --predictions 100
    python benchmark/evaluation.py --agree 50 --chainercv-python /tmp/chainercv/bin/python
"""

import argparse
import json
import logging
import pickle
import subprocess
import time
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.config import Config

from mmlabelpenet.evaluation import METRICS_BY_NAME, to_rles
from mmlabelpenet.evaluation.metrics.base import ImageMetric
from mmlabelpenet.evaluation.offline import load_ground_truth
from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import atomic_path, dump_arrays, register_all_modules

CLASSES = tuple(f'class {label}' for label in range(20))
IOU_THRS = (0.25, 0.5, 0.7, 0.75)
# Runs in chainercv's interpreter; its GPU helper, which does not compile on Python 3.11, is left
# out.
CHAINERCV = """
import pickle, sys, types, warnings
warnings.simplefilter('ignore')
helper = types.ModuleType('chainercv.utils.bbox._nms_gpu_post')
helper._nms_gpu_post = None
sys.modules[helper.__name__] = helper
from chainercv.evaluations import eval_instance_segmentation_voc
import numpy as np
sets, thresholds = pickle.load(sys.stdin.buffer)
answers = []
for columns in sets:
    case = [
        [np.frombuffer(data, dtype).reshape(shape) for dtype, shape, data in column]
        for column in columns
    ]
    aps = [eval_instance_segmentation_voc(*case, iou_thresh=thr)['ap'] for thr in thresholds]
    answers.append([ap.tolist() for ap in aps])
sys.stdout.buffer.write(pickle.dumps(answers, protocol=2))
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Time evaluation, or compare it with others')
    parser.add_argument('--images', type=int, default=240)
    parser.add_argument('--predictions', type=int, default=100, help='of each image')
    parser.add_argument(
        '--dump',
        nargs=2,
        metavar=('CONFIG', 'FILE'),
        help="write such predictions for a config's test images to this .pkl",
    )
    parser.add_argument('--agree', type=int, default=50, help='compare on so many random sets')
    parser.add_argument('--chainercv-python', help='interpreter that has chainercv 0.13.1')
    return parser.parse_args(argv)


def blobs(rng: np.random.Generator, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Ellipses in boxes with ragged borders, bool [N, height, width]."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    masks = np.zeros((len(boxes), *size), dtype=bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes):
        across = (2 * columns - left - right) / (right - left + 1)
        down = (2 * rows - top - bottom) / (bottom - top + 1)
        ragged = rng.normal(0, 0.05, size[0])[:, None]
        mask[:] = across**2 + down**2 + ragged <= 1
    return masks


def boxes_within(rng: np.random.Generator, number: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes [N, 4] of a tenth to three quarters of an image's sides."""
    sides = np.array([size[1], size[0]])
    extent = (rng.uniform(0.1, 0.75, (number, 2)) * sides).astype(int)
    start = (rng.uniform(0, 1, (number, 2)) * (sides - extent)).astype(int)
    return np.concatenate([start, start + extent - 1], axis=1)


def instances(
    rng: np.random.Generator, labels: np.ndarray, boxes: np.ndarray, size: tuple[int, int]
) -> dict:
    """Instances with masks as a bool tensor."""
    return {
        'labels': torch.from_numpy(labels),
        'bboxes': torch.from_numpy(boxes.astype(np.float32)),
        'masks': torch.from_numpy(blobs(rng, boxes, size)),
    }


def predictions(
    rng: np.random.Generator, objects: dict, number: int, size: tuple[int, int], num_classes: int
) -> dict:
    """Predictions with random scores, of which about half lie near one of the objects."""
    boxes = boxes_within(rng, number, size)
    labels = rng.integers(0, num_classes, number)
    count = len(objects['labels'])
    near = np.flatnonzero(rng.random(number) < (0.5 if count else 0))
    which = rng.integers(0, max(1, count), len(near))
    moved = objects['bboxes'].numpy()[which] + rng.normal(0, 0.02 * size[0], (len(near), 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 2)
    boxes[near], labels[near] = moved, objects['labels'].numpy()[which]
    scores = torch.from_numpy(rng.random(number).astype(np.float32))
    return {**instances(rng, labels, boxes, size), 'scores': scores}


def make_image(
    rng: np.random.Generator, number: int, size: tuple[int, int], num_classes: int = 20
) -> dict:
    """An image of one to five objects, with predictions."""
    labels = rng.integers(0, num_classes, rng.integers(1, 6))
    objects = instances(rng, labels, boxes_within(rng, len(labels), size), size)
    return {
        'pred_instances': predictions(rng, objects, number, size, num_classes),
        'gt_instances': {name: objects[name] for name in ('labels', 'bboxes')},
        'gt_mask_instances': {**objects, 'masks': to_rles(objects['masks'])},
        'objects': objects,
    }


def dump(config: str, path: str, number: int) -> dict:
    """Write predictions for the test images of a config, as tools/test.py --out does."""
    rng, samples = np.random.default_rng(0), []
    metainfo, images = load_ground_truth(Config.fromfile(config).test_dataloader.dataset)
    for image in images:
        size = tuple(image['gt_sem_seg']['sem_seg'].shape[-2:])
        objects = image['gt_mask_instances']
        found = predictions(rng, objects, number, size, len(metainfo['classes']))
        found['masks'] = to_rles(found['masks'])
        samples.append({'img_id': image['img_id'], 'pred_instances': found})
    with atomic_path(path) as temporary:
        dump_arrays(samples, temporary)
    return {'images': len(samples), 'predictions': number, 'file': path}


def built(name: str, **settings: object) -> ImageMetric:
    """A metric by its short name."""
    metric = METRICS.build({'type': METRICS_BY_NAME[name], **settings})
    metric.dataset_meta = {'classes': CLASSES}
    return metric


def measured(name: str, images: Sequence[dict], **settings: object) -> tuple[dict, list, float]:
    """Figures, tables and CPU seconds of one metric on images."""
    metric = built(name, **settings)
    start = time.process_time()
    metric.process({}, images)
    figures = metric.evaluate(len(images))
    return figures, metric.tables, time.process_time() - start


def times(num_images: int, num_predictions: int) -> dict:
    """CPU seconds of mask figures of tensors, of encoding these, and of metrics on run lengths.

    Raises:
        RuntimeError: If figures of tensors and of run lengths differ.
    """
    size, rng, images = (375, 500), np.random.default_rng(0), []
    metric, clock = built('segm'), time.process_time
    seconds = dict.fromkeys(('segm_of_tensors', 'encode_masks'), 0.0)
    for _ in range(num_images):
        image = make_image(rng, num_predictions, size)
        found = image['pred_instances']
        start = clock()
        metric.process({}, [{**image, 'pred_instances': {**found}}])
        between = clock()
        found['masks'] = to_rles(found['masks'])
        seconds['segm_of_tensors'] += between - start
        seconds['encode_masks'] += clock() - between
        images.append(image)
    start = clock()
    of_tensors = metric.evaluate(num_images)
    seconds['segm_of_tensors'] += clock() - start
    results = {'images': num_images, 'predictions': num_predictions, 'size': list(size)}
    results['threads'] = torch.get_num_threads()
    for name in ('bbox', 'segm', 'coco', 'corloc'):
        figures, _, seconds[name] = measured(name, images)
        results |= {key: round(one, 4) for key, one in figures.items() if key.endswith('_50')}
        if name == 'segm' and figures != of_tensors:
            raise RuntimeError(f'tensors give {of_tensors}, their run lengths {figures}')
    return results | {f'{name}_s': round(one, 2) for name, one in seconds.items()}


def by_chainercv(sets: Sequence[Sequence[dict]], python: str) -> list:
    """AP of each set by threshold and class, of chainercv in its own interpreter."""
    columns = [('pred_instances', name) for name in ('masks', 'labels', 'scores')]
    columns += [('objects', name) for name in ('masks', 'labels')]
    cases = [
        [[_plain(image[part][name].numpy()) for image in images] for part, name in columns]
        for images in sets
    ]
    content = pickle.dumps((cases, IOU_THRS), protocol=2)
    answer = subprocess.run([python, '-c', CHAINERCV], input=content, capture_output=True)
    if answer.returncode:
        raise SystemExit(answer.stderr.decode()[-2000:])
    return pickle.loads(answer.stdout)


def _plain(array: np.ndarray) -> tuple:
    """An array as an older NumPy can read it."""
    return array.dtype.str, array.shape, array.tobytes()


def agreement(number: int, python: str) -> dict:
    """Largest difference from chainercv of the AP of any class, and the mean AP.

    Args:
        number: Of random sets of images.
        python: Interpreter that has chainercv.
    """
    size, rng = (40, 60), np.random.default_rng(0)
    sets = [[make_image(rng, 12, size, num_classes=5) for _ in range(10)] for _ in range(number)]
    differences, mean_ap = [], []
    for images, theirs in zip(sets, by_chainercv(sets, python)):
        _, (table,), _ = measured('segm', images, iou_thrs=IOU_THRS)
        for iou_thr, of_classes in zip(IOU_THRS, theirs):
            ours = table.columns[f'AP@{iou_thr:g}'][: len(of_classes)]
            if not np.array_equal(np.isnan(ours), np.isnan(of_classes)):
                raise SystemExit('chainercv has other absent classes')
            differences.append(np.nanmax(np.abs(ours - of_classes)))
            mean_ap.append(np.nanmean(ours))
    return {
        'sets': number,
        'images_a_set': 10,
        'size': list(size),
        'chainercv_largest_difference': float(max(differences)),
        'mean_AP': round(np.mean(mean_ap), 3),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print one JSON object."""
    args = parse_args(argv)
    register_all_modules()
    logging.disable(logging.INFO)
    if args.dump:
        found = dump(*args.dump, args.predictions)
    elif args.chainercv_python:
        found = agreement(args.agree, args.chainercv_python)
    else:
        found = times(args.images, args.predictions)
    print(json.dumps(found, indent=2))


if __name__ == '__main__':
    main()
