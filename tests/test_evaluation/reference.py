"""Slow and plain versions of published evaluation procedures, to compare with."""

import numpy as np


def box_iou_inclusive(box, other):
    """VOCevaldet.m: widths and heights are counted with both end pixels."""
    width = min(box[2], other[2]) - max(box[0], other[0]) + 1
    height = min(box[3], other[3]) - max(box[1], other[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
    return width * height / (sum(areas) - width * height)


def mask_iou(mask, other):
    union = np.logical_or(mask, other).sum()
    return np.logical_and(mask, other).sum() / union if union else 0.0


def voc_ap(recall, precision, mode):
    """VOCap.m, and the eleven points of VOC 2007."""
    if mode == '11points':
        return (
            sum(
                max((p for r, p in zip(recall, precision) if r >= t), default=0)
                for t in np.arange(0, 1.1, 0.1)
            )
            / 11
        )
    recall, precision = [0, *recall, 1], [0, *precision, 0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def evaluate_class(images, label, iou_of, iou_thr, mode):
    """VOCevaldet.m for one class, prediction by prediction.

    images: list of (predictions [(label, score, shape)], objects [(label, difficult, shape)]).
    """
    ranked = [
        (score, index, shape)
        for index, (predictions, _) in enumerate(images)
        for of, score, shape in predictions
        if of == label
    ]
    ranked.sort(key=lambda item: -item[0])
    gt = [[t for t in true if t[0] == label] for _, true in images]
    found = [[False] * len(of_image) for of_image in gt]
    num_gt = sum(not difficult for of_image in gt for _, difficult, _ in of_image)
    if num_gt == 0:
        return float('nan')
    right = wrong = 0
    recall, precision = [], []
    for _, index, shape in ranked:
        ious = [iou_of(shape, other) for _, _, other in gt[index]]
        best = int(np.argmax(ious)) if ious else -1
        if best < 0 or ious[best] < iou_thr:
            wrong += 1
        elif gt[index][best][1]:
            pass
        elif found[index][best]:
            wrong += 1
        else:
            found[index][best] = True
            right += 1
        recall.append(right / num_gt)
        precision.append(right / (right + wrong) if right + wrong else 0)
    return voc_ap(recall, precision, mode)


def instance_ap_by_class(images, num_classes, iou_thr):
    """Mask AP of each class as chainercv's ``eval_instance_segmentation_voc`` documents it.

    Image by image and class by class: predictions by falling score each take the true mask that
    they overlap most, if enough; a mask that was taken before makes them wrong. Then all images'
    predictions by falling score. Scores must differ: equal ones have no order there.

    images: list of (predictions [(label, score, mask)], objects [(label, mask)]).
    """
    aps = []
    for label in range(num_classes):
        scores, matches, num_gt = [], [], 0
        for predictions, objects in images:
            own = sorted((p for p in predictions if p[0] == label), key=lambda p: -p[1])
            masks = [mask for of, mask in objects if of == label]
            num_gt += len(masks)
            taken = set()
            for _, score, mask in own:
                ious = [mask_iou(mask, other) for other in masks]
                best = int(np.argmax(ious)) if ious else None
                enough = best is not None and ious[best] >= iou_thr
                scores.append(score)
                matches.append(enough and best not in taken)
                if enough:
                    taken.add(best)
        if num_gt == 0:
            aps.append(float('nan'))
            continue
        matches = np.array(matches, dtype=bool)[np.argsort(scores)[::-1]]
        found = np.cumsum(matches)
        precision = found / np.arange(1, len(matches) + 1)
        aps.append(voc_ap(found / num_gt, precision, 'area'))
    return aps
