"""Short ways to make data samples, as the dicts that metrics receive."""

import numpy as np
import torch


def instances(labels=(), bboxes=(), scores=None, **fields):
    made = {
        'labels': torch.tensor(labels, dtype=torch.long),
        'bboxes': torch.tensor(np.array(bboxes, dtype=np.float32).reshape(-1, 4)),
        **fields,
    }
    if scores is not None:
        made['scores'] = torch.tensor(scores, dtype=torch.float32)
    return made


def box_sample(predicted=(), true=(), difficult=()):
    """predicted: (label, score, box); true and difficult: (label, box)."""
    return {
        'pred_instances': instances(
            [label for label, _, _ in predicted],
            [box for _, _, box in predicted],
            [score for _, score, _ in predicted],
        ),
        'gt_instances': instances([label for label, _ in true], [box for _, box in true]),
        'ignored_instances': instances(
            [label for label, _ in difficult], [box for _, box in difficult]
        ),
    }


def run(metric, samples, classes=('cat', 'dog', 'owl'), size=None):
    metric.dataset_meta = {'classes': classes}
    metric.process({}, samples)
    return metric.evaluate(len(samples) if size is None else size)


def rectangle(box, size=(40, 50)):
    """The pixels of a box, both ends inside."""
    mask = np.zeros(size, dtype=bool)
    left, top, right, bottom = (int(side) for side in box)
    mask[top : bottom + 1, left : right + 1] = True
    return mask


def random_boxes(rng, number, size=(40, 50)):
    """Boxes of 5 to 19 pixels a side within an image."""
    sides = rng.integers(5, 20, (number, 2))
    start = rng.integers(0, np.array([size[1], size[0]]) - sides + 1)
    return np.concatenate([start, start + sides - 1], axis=1).astype(np.float32)


def random_instances(rng, number, num_classes, scored=False):
    """Ragged masks with their boxes and labels; scores all differ within an image."""
    boxes = random_boxes(rng, number)
    masks = [rectangle(box) & (rng.random((40, 50)) < rng.choice([0.7, 1.0])) for box in boxes]
    scores = rng.permutation(10_000)[:number] / 10_000 if scored else None
    made = instances(rng.integers(0, num_classes, number), boxes, scores)
    made['masks'] = torch.from_numpy(np.array(masks, dtype=bool).reshape(-1, 40, 50))
    return made


def random_sample(rng, num_classes=4):
    """An image with the fields of all metrics; predictions are close to the ground truth."""
    true = random_instances(rng, int(rng.integers(0, 5)), num_classes)
    predicted = random_instances(rng, 9, num_classes, scored=True)
    for row in range(len(true['labels'])):
        moved = rng.integers(-2, 3, 2)
        predicted['labels'][row] = true['labels'][row]
        predicted['bboxes'][row] = true['bboxes'][row] + torch.from_numpy(np.tile(moved, 2))
        predicted['masks'][row] = torch.roll(true['masks'][row], tuple(moved[::-1]), (0, 1))
    seg_map = rng.integers(0, num_classes + 1, (1, 40, 50)).astype(np.uint8)
    tags = np.isin(np.arange(num_classes), true['labels'].numpy())
    return {
        'pred_instances': predicted,
        'gt_instances': {name: true[name] for name in ('labels', 'bboxes')},
        'ignored_instances': instances([0], random_boxes(rng, 1)),
        'gt_mask_instances': {name: true[name] for name in ('labels', 'masks')},
        'pred_sem_seg': {'sem_seg': torch.from_numpy(rng.permutation(seg_map, axis=1))},
        'gt_sem_seg': {
            'sem_seg': torch.from_numpy(np.where(rng.random(seg_map.shape) < 0.1, 255, seg_map))
        },
        'pred_image_scores': torch.from_numpy(rng.random(num_classes).astype(np.float32)),
        'tags': torch.from_numpy(tags.astype(np.float32)),
        'proposals': instances(bboxes=random_boxes(rng, 12)),
    }
