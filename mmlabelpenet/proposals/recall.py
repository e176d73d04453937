"""Recall of proposals on ground-truth boxes."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mmlabelpenet.utils import box_iou


def ground_truth_boxes(info: Mapping) -> np.ndarray | None:
    """Get the ground-truth boxes of an image, without difficult ones.

    Args:
        info: The image's entry in the data set, whose boxes include both corners.

    Returns:
        [G, 4] float32 xyxy, x2 and y2 exclusive; None if only tags are known.
    """
    if 'instances' not in info:
        return None
    boxes = [obj['bbox'] for obj in info['instances'] if not obj['ignore_flag']]
    inclusive = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return inclusive + np.array([0, 0, 1, 1], dtype=np.float32)


def best_overlaps(proposals: np.ndarray, gt_bboxes: np.ndarray) -> np.ndarray:
    """Compute the best overlap of any proposal with each ground-truth box.

    Args:
        proposals: [N, 4] xyxy, x2 and y2 exclusive.
        gt_bboxes: [G, 4] likewise.

    Returns:
        [G] IoU in 0..1; all 0 without proposals.
    """
    return box_iou(proposals, gt_bboxes, dtype=np.float32).max(axis=0, initial=0)


def summarize_overlaps(
    overlaps: Iterable[np.ndarray], iou_thrs: Sequence[float] = (0.5, 0.7)
) -> dict[str, float]:
    """Compute recall and mean best overlap over all ground-truth boxes of a data set.

    Args:
        overlaps: One array per image, from :func:`best_overlaps`.
        iou_thrs: IoU thresholds of recall.

    Returns:
        ``recall_50`` etc., the fraction of ground-truth boxes that a proposal overlaps by at least
        .5 etc., and ``ABO``, the mean best overlap; NaN without any ground-truth box.
    """
    best = np.concatenate([np.zeros(0, dtype=np.float32), *overlaps])
    recalled = {f'recall_{round(100 * thr)}': best >= np.float32(thr) for thr in iou_thrs}
    figures = {**recalled, 'ABO': best}
    return {
        name: float(values.mean()) if len(best) else float('nan')
        for name, values in figures.items()
    }
