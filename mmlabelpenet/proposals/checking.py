"""Looking a set of proposals over: are they there, do they fit, what do they cover."""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmlabelpenet.utils import UserError, image_size, read_image_bytes

from .recall import best_overlaps, summarize_overlaps, true_boxes
from .store import Proposals, image_proposal_path, read_proposals

IOU_THRS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass
class CheckedImage:
    """What is to be told of one image's proposals.

    Attributes:
        num_boxes: How many there are.
        faults: Sentences by kind.
        overlaps: [G] best overlap with each true box; None where only tags are known.
        labels: [G] classes of these boxes.
    """

    num_boxes: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    overlaps: np.ndarray | None = None
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))


def check_image(info: Mapping, proposal_root: str | Path) -> CheckedImage:
    """Check the proposals of one image.

    Args:
        info: Of the data set.
        proposal_root: Folder with one folder per data set.

    Returns:
        What is to be told.
    """
    path = image_proposal_path(proposal_root, info)
    result = CheckedImage()
    gt_bboxes = true_boxes(info)
    if gt_bboxes is not None:
        kept = [obj['bbox_label'] for obj in info['instances'] if not obj['ignore_flag']]
        result.labels = np.array(kept, dtype=int)
        # An image without proposals covers none of its boxes.
        result.overlaps = best_overlaps(np.zeros((0, 4)), gt_bboxes)
    if not path.exists():
        result.faults['photos without proposals'] = f'{info["img_path"]}: no {path}'
        return result
    try:
        proposals = read_proposals(path)
        result.faults = _compare(proposals, info['img_path'], path)
    except UserError as error:
        result.faults['unreadable'] = str(error)
        return result
    result.num_boxes = len(proposals)
    if gt_bboxes is not None:
        result.overlaps = best_overlaps(proposals.bboxes, gt_bboxes)
    return result


def _compare(proposals: Proposals, img_path: str, path: Path) -> dict[str, str]:
    """Faults of the proposals of an image, by kind."""
    faults = {}
    size, crc = image_size(img_path), zlib.crc32(read_image_bytes(img_path))
    if size != (proposals.height, proposals.width):
        faults['of another size'] = (
            f'{path} is for {proposals.width} x {proposals.height} pixels, '
            f'{img_path} has {size[1]} x {size[0]}'
        )
    elif proposals.photo_crc not in (0, crc):
        faults['of another photo'] = f'{path} was not made from {img_path} as it is now'
    boxes = proposals.bboxes
    if len(boxes) == 0:
        faults['no boxes'] = f'{path} holds no box'
    outside = (boxes[:, :2] < 0).any(1) | (boxes[:, 2:] > [size[1], size[0]]).any(1)
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(1)
    for kind, wrong in (('boxes outside the photo', outside), ('empty boxes', empty)):
        if wrong.any():
            faults[kind] = f'{path}: {wrong.sum()} of {len(boxes)} boxes'
    return faults


def summarize_check(checked: Sequence[CheckedImage]) -> dict[str, float]:
    """Figures of a whole set.

    Args:
        checked: Its images.

    Returns:
        ``images``; ``boxes_mean``, ``boxes_median``, ``boxes_min``, ``boxes_max`` of an image;
        where boxes are known ``true_boxes``, ``recall_50`` to ``recall_90``, ``ABO`` (mean best
        overlap of all true boxes) and ``MABO`` (the mean over classes of that of each class).
    """
    counts = np.array([image.num_boxes for image in checked])
    figures: dict[str, float] = {
        'photos': len(checked),
        'boxes_mean': float(counts.mean()),
        'boxes_median': float(np.median(counts)),
        'boxes_min': int(counts.min()),
        'boxes_max': int(counts.max()),
    }
    known = [image for image in checked if image.overlaps is not None]
    overlaps = [image.overlaps for image in known if image.overlaps is not None]
    if not known or not sum(map(len, overlaps)):
        return figures
    figures['true_boxes'] = sum(map(len, overlaps))
    figures |= summarize_overlaps(overlaps, IOU_THRS)
    best, labels = np.concatenate(overlaps), np.concatenate([image.labels for image in known])
    figures['MABO'] = float(np.mean([best[labels == label].mean() for label in set(labels)]))
    return figures


def collect_faults(checked: Sequence[CheckedImage]) -> dict[str, list[str]]:
    """All faults by kind, in the order of the images."""
    faults = defaultdict(list)
    for image in checked:
        for kind, sentence in image.faults.items():
            faults[kind].append(sentence)
    return dict(faults)
