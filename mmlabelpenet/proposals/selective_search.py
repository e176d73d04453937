"""Selective Search (Uijlings et al., IJCV 2013), as implemented in OpenCV's ximgproc module."""

import platform

import cv2
import numpy as np

from mmlabelpenet.utils import UserError, box_iou

from .grouping import AmbiguousOrderError, Grouping, regions_of
from .store import Proposals

QUALITIES = ('fast', 'quality')
# Increased whenever the same image would give other boxes than before.
VERSION = '1'
MIN_SIZE = 12
NMS_IOU = 0.9
# The longest side of VOC's images; larger images are searched at this size.
MAX_SIDE = 500
# Graph segmentation: smoothing, scales k of the fast search, and the least region in pixels.
SIGMA, SCALES, MIN_REGION = 0.8, (150, 300, 450), 100
# Elsewhere OpenCV may be compiled to round sums of products once instead of twice.
ROUNDS_AS_OPENCV = platform.machine() in ('x86_64', 'AMD64')
# Larger counts are no float32. Longer images reach out of themselves when turned by 45 degrees.
EXACT_COUNTS, MAX_ASPECT = 2**24, 2.4


def search_regions(img: np.ndarray, quality: str = 'fast') -> np.ndarray:
    """Search one image for regions that may be objects.

    OpenCV returns the same boxes in a random order, which differs between calls, so they are
    sorted here.

    Args:
        img: [H, W, 3] uint8, BGR.
        quality: ``'fast'`` or ``'quality'`` (about 3.4 times as many boxes, five times as slow).

    Returns:
        [N, 4] int xyxy in pixels, x2 and y2 exclusive, without duplicates, largest first.

    Raises:
        UserError: If the installed OpenCV has no ximgproc, or ``quality`` is unknown.
    """
    if quality not in QUALITIES:
        raise UserError(f'Unknown quality {quality!r}: choose one of {", ".join(QUALITIES)}.')
    try:
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    except AttributeError:
        raise UserError(
            f'OpenCV {cv2.__version__} lacks ximgproc, which contains Selective Search: run '
            '`pip uninstall -y opencv-python opencv-python-headless && pip install '
            '--no-deps --force-reinstall opencv-contrib-python-headless==4.12.0.88`.'
        ) from None
    known = img.size < EXACT_COUNTS and max(img.shape[:2]) <= MAX_ASPECT * min(img.shape[:2])
    if quality == 'fast' and ROUNDS_AS_OPENCV and known:
        return largest_first(_search_fast(img))
    search.setBaseImage(img)
    if quality == 'fast':
        search.switchToSelectiveSearchFast()
    else:
        search.switchToSelectiveSearchQuality()
    return largest_first(_process(search))


def _process(search: 'cv2.ximgproc.segmentation.SelectiveSearchSegmentation') -> np.ndarray:
    boxes = np.asarray(search.process(), dtype=np.int64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _search_fast(img: np.ndarray) -> np.ndarray:
    """Get the boxes [N, 4] xyxy of OpenCV's fast search, in less time."""
    module, boxes = cv2.ximgproc.segmentation, []
    for code in (cv2.COLOR_BGR2HSV, cv2.COLOR_BGR2Lab):
        converted = cv2.cvtColor(img, code)
        graphs = [module.createGraphSegmentation(np.float32(SIGMA), k, MIN_REGION) for k in SCALES]
        segmentations = [graph.processImage(converted) for graph in graphs]
        for graph, regions in zip(graphs, regions_of(converted, segmentations)):
            try:
                boxes += [Grouping(regions, color).boxes_of_all() for color in (True, False)]
            except AmbiguousOrderError:
                boxes.append(_group_by_opencv(converted, graph))
    return np.concatenate(boxes)


def _group_by_opencv(
    img: np.ndarray, graph: 'cv2.ximgproc.segmentation.GraphSegmentation'
) -> np.ndarray:
    """Get the boxes [N, 4] xyxy of one segmentation from OpenCV."""
    module = cv2.ximgproc.segmentation
    search = module.createSelectiveSearchSegmentation()
    search.setBaseImage(img)
    search.addImage(img)
    search.addGraphSegmentation(graph)
    kinds = ('Color', 'Fill', 'Texture', 'Size')
    terms = [
        getattr(module, f'createSelectiveSearchSegmentationStrategy{kind}')() for kind in kinds
    ]
    for used in (terms, terms[1:]):
        search.addStrategy(module.createSelectiveSearchSegmentationStrategyMultiple(*used))
    return _process(search)


def largest_first(boxes: np.ndarray) -> np.ndarray:
    """Remove duplicates and sort by falling area; equal areas by their coordinates.

    Args:
        boxes: [N, 4] integer xyxy.

    Returns:
        [M, 4] with M <= N.
    """
    boxes = np.unique(boxes, axis=0)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return boxes[np.argsort(-area, kind='stable')]


def suppress_duplicates(boxes: np.ndarray, iou_thr: float = NMS_IOU) -> np.ndarray:
    """Apply greedy non-maximum suppression in the given order.

    Args:
        boxes: [N, 4] xyxy, the most important first.
        iou_thr: A box that overlaps a kept one by more than this is removed.

    Returns:
        [M, 4] kept boxes in their order.
    """
    # Of 4,000 boxes: 16 MB, and four buffers of 64 MB while the IoU is computed.
    overlaps = box_iou(boxes, boxes, dtype=np.float32) > iou_thr
    alive: np.ndarray = np.ones(len(boxes), dtype=bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= ~overlaps[index, index + 1 :]
    return boxes[alive]


def _search_bounded(img: np.ndarray, quality: str, max_side: int) -> np.ndarray:
    """Search at no more than ``max_side`` pixels per side; boxes are in pixels of ``img``."""
    height, width = img.shape[:2]
    scale = min(max_side / max(height, width), 1)
    small_size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(img, small_size, interpolation=cv2.INTER_AREA)
    factor = np.array([width / small_size[0], height / small_size[1]] * 2)
    return np.rint(search_regions(small, quality) * factor).astype(np.int64)


def generator_tag(
    quality: str = 'fast', max_num: int | None = None, max_side: int = MAX_SIDE
) -> tuple[str, str]:
    """Get the generator's name, and its version with all settings that affect its boxes."""
    settings = f'min_size={MIN_SIZE};nms={NMS_IOU};max_num={max_num};max_side={max_side}'
    return f'selective_search_{quality}', f'{VERSION};{settings}'


def make_proposals(
    img: np.ndarray,
    quality: str = 'fast',
    max_num: int | None = None,
    max_side: int = MAX_SIDE,
) -> Proposals:
    """Make all proposals of one image, ready to be stored.

    The first one is always the whole image, so that even a uniform image has one.

    Args:
        img: [H, W, 3] uint8, BGR.
        quality: ``'fast'`` or ``'quality'``.
        max_num: Maximum number to keep, the largest; None for all.
        max_side: An image with a longer side, in pixels, is searched at this size.

    Returns:
        Proposals without near-duplicates, largest first.

    Raises:
        UserError: As :func:`search_regions`.
    """
    height, width = img.shape[:2]
    whole = np.array([[0, 0, width, height]])
    boxes = _search_bounded(img, quality, max_side)
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= MIN_SIZE]
    boxes = largest_first(np.concatenate([whole, boxes]))
    boxes = suppress_duplicates(boxes)[:max_num]
    return Proposals(boxes, width, height, *generator_tag(quality, max_num, max_side))
