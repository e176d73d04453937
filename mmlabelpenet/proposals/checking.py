"""Checking stored proposals: whether they exist, match their images and cover the objects."""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmlabelpenet.utils import UserError, image_size, read_image_bytes

from .recall import best_overlaps, ground_truth_boxes, summarize_overlaps
from .store import Proposals, image_proposal_path, read_proposals

IOU_THRS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass
class CheckedImage:
    """Facts about one image's proposals.

    Attributes:
        num_boxes: Number of proposals.
        problems: Sentences by kind.
        overlaps: [G] best overlap with each ground-truth box; None if only tags are known.
        labels: [G] classes of these boxes.
    """

    num_boxes: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    overlaps: np.ndarray | None = None
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))


def check_image(info: Mapping, proposal_root: str | Path) -> CheckedImage:
    """Check the proposals of one image.

    Args:
        info: The image's entry in the data set.
        proposal_root: Folder with one folder per data set.

    Returns:
        The facts; an image without proposals covers none of its objects.
    """
    path = image_proposal_path(proposal_root, info)
    result, boxes = CheckedImage(), np.zeros((0, 4))
    try:
        proposals = read_proposals(path, inspect=True)
        result.problems = _compare(proposals, info['img_path'], path)
        boxes = proposals.bboxes
        result.num_boxes = len(boxes)
    except UserError as error:
        kind = 'unreadable' if path.exists() else 'photos without proposals'
        result.problems[kind] = f'{info["img_path"]}: {error}'
    gt_bboxes = ground_truth_boxes(info)
    if gt_bboxes is not None:
        kept = [obj['bbox_label'] for obj in info['instances'] if not obj['ignore_flag']]
        result.labels = np.array(kept, dtype=int)
        result.overlaps = best_overlaps(boxes, gt_bboxes)
    return result


def _compare(proposals: Proposals, img_path: str, path: Path) -> dict[str, str]:
    """Find the problems of an image's proposals, by kind."""
    problems = {}
    size, crc = image_size(img_path), zlib.crc32(read_image_bytes(img_path))
    if size != (proposals.height, proposals.width):
        problems['of another size'] = (
            f'{path} is for {proposals.width} x {proposals.height} pixels, '
            f'{img_path} has {size[1]} x {size[0]}'
        )
    elif proposals.photo_crc not in (0, crc):
        problems['of another photo'] = f'{path} was made from another version of {img_path}'
    boxes = proposals.bboxes
    if len(boxes) == 0:
        problems['no boxes'] = f'{path} contains no box'
    outside = (boxes[:, :2] < 0).any(1) | (boxes[:, 2:] > [size[1], size[0]]).any(1)
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(1)
    for kind, wrong in (('boxes outside the photo', outside), ('empty boxes', empty)):
        if wrong.any():
            problems[kind] = f'{path}: {wrong.sum()} of {len(boxes)} boxes'
    return problems


def summarize_check(checked: Sequence[CheckedImage]) -> dict[str, float]:
    """Compute the figures of a set of images.

    Args:
        checked: The images.

    Returns:
        ``photos``; ``boxes_mean``, ``boxes_median``, ``boxes_min``, ``boxes_max`` per image;
        if boxes are known ``true_boxes``, ``recall_50`` to ``recall_90``, ``ABO`` (mean best
        overlap of all ground-truth boxes) and ``MABO`` (mean over the classes of their ABO).
    """
    counts = np.array([image.num_boxes for image in checked])
    figures: dict[str, float] = {
        'photos': len(checked),
        'boxes_mean': float(counts.mean()),
        'boxes_median': float(np.median(counts)),
        'boxes_min': int(counts.min()),
        'boxes_max': int(counts.max()),
    }
    known = [(image.overlaps, image.labels) for image in checked if image.overlaps is not None]
    overlaps = [overlap for overlap, _ in known]
    if sum(map(len, overlaps)):
        figures['true_boxes'] = sum(map(len, overlaps))
        figures |= summarize_overlaps(overlaps, IOU_THRS)
        best, labels = np.concatenate(overlaps), np.concatenate([labels for _, labels in known])
        figures['MABO'] = float(np.mean([best[labels == label].mean() for label in set(labels)]))
    return figures


def collect_problems(checked: Sequence[CheckedImage]) -> dict[str, list[str]]:
    """Collect all problems by kind, in the order of the images."""
    problems = defaultdict(list)
    for image in checked:
        for kind, sentence in image.problems.items():
            problems[kind].append(sentence)
    return dict(problems)
