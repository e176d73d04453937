"""Selective Search's hierarchical grouping: OpenCV's boxes, without its histograms by mask.

OpenCV passes over the whole image once per region. Here one pass counts the parts that all
segmentations of an image have in common, and each region is a sum of parts. Additions are float32
and in OpenCV's order, so that the similarities, and with them the boxes, are the same to the bit.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import find_objects

COLOR_BINS = 25
TEXTURE_BINS = 10
# Bin of each value of a byte; OpenCV computes those of textures with float32 numbers.
_COLOR_BIN = (np.arange(256) * COLOR_BINS // 256).astype(np.uint8)
_TEXTURE_BIN = (np.arange(256, dtype=np.float32) / np.float32(25.6)).astype(np.uint8)


class AmbiguousOrderError(Exception):
    """Equal similarities whose order decides, which OpenCV leaves to an unstable sort."""


@dataclass
class Regions:
    """The regions of a segmentation.

    Attributes:
        color: [R, C * 25] float32 histograms, each of sum 1.
        texture: [R, C * 80] float32 histograms, each of sum 1.
        sizes: [R] pixels.
        boxes: [R, 4] xyxy, x2 and y2 exclusive.
        pairs: [2, P] neighbours.
        area: Pixels of the image.
    """

    color: np.ndarray
    texture: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    pairs: np.ndarray
    area: int


def texture_maps(img: np.ndarray) -> Iterator[np.ndarray]:
    """Compute the strength of edges of eight directions per channel, as OpenCV does.

    Args:
        img: [H, W, C] uint8.

    Yields:
        [H, W] uint8.
    """
    height, width = img.shape[:2]
    center = width / 2, height / 2
    corners = cv2.boxPoints((center, (width, height), 45.0))
    size = np.ceil(corners.max(0)).astype(int) - np.floor(corners.min(0)).astype(int) + 1
    turn = cv2.getRotationMatrix2D(center, 45.0, 1.0)
    turn[:, 2] += size / 2 - center
    middle = (int(size[0] / 2), int(size[1] / 2))
    back = cv2.getRotationMatrix2D(middle, -45.0, 1.0)
    left, top = (size - (width, height)) // 2
    for plane in cv2.split(img):
        turned = cv2.warpAffine(plane, turn, size.tolist())
        for source in (plane, turned):
            for direction in ((1, 0), (0, 1)):
                edges = cv2.Scharr(source, cv2.CV_32F, *direction)
                if source is turned:
                    edges = cv2.warpAffine(edges, back, size.tolist())
                    edges = edges[top : top + height, left : left + width]
                for sign in (cv2.THRESH_TOZERO, cv2.THRESH_TOZERO_INV):
                    part = cv2.threshold(edges, 0, 0, sign)[1]
                    yield cv2.normalize(part, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)


def regions_of(img: np.ndarray, segmentations: Sequence[np.ndarray]) -> list[Regions]:
    """Describe the regions of several segmentations of an image.

    Args:
        img: [H, W, C] uint8.
        segmentations: [H, W] int32 each, the numbers of the regions from 0.
    """
    flat, count = _common_parts(segmentations)

    def counts(values: np.ndarray, bin_of: np.ndarray, places: np.ndarray) -> np.ndarray:
        bins = int(bin_of[-1]) + 1
        where = places + cv2.LUT(values, bin_of).ravel()
        return np.bincount(where, minlength=count * bins).reshape(-1, bins)

    places = flat * COLOR_BINS
    color = [counts(plane, _COLOR_BIN, places) for plane in cv2.split(img)]
    places = flat * TEXTURE_BINS
    texture = [counts(part, _TEXTURE_BIN, places) for part in texture_maps(img)]
    table = np.concatenate([*color, *texture], axis=1)
    sizes, width = np.bincount(flat), len(color) * COLOR_BINS
    described = []
    for segmentation in segmentations:
        owner = np.zeros(count, dtype=np.int64)
        owner[flat] = segmentation.ravel()
        order = np.argsort(owner, kind='stable')
        starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
        sums = np.add.reduceat(table[order], starts)
        described.append(
            Regions(
                _normalise(sums[:, :width]),
                _normalise(sums[:, width:]),
                np.add.reduceat(sizes[order], starts),
                _boxes(segmentation),
                _neighbours(segmentation),
                segmentation.size,
            )
        )
    return described


def _common_parts(segmentations: Sequence[np.ndarray]) -> tuple[np.ndarray, int]:
    """Number the parts [H * W] of the image that all segmentations have in common; count them."""
    code = np.zeros(segmentations[0].size, dtype=np.int64)
    for segmentation in segmentations:
        code = code * (int(segmentation.max()) + 1) + segmentation.ravel()
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    found, number = np.unique(code[starts], return_inverse=True)
    return np.repeat(number, np.diff(starts, append=len(code))), len(found)


def _normalise(histograms: np.ndarray) -> np.ndarray:
    return histograms.astype(np.float32) / histograms.sum(axis=1, keepdims=True).astype(np.float32)


def _boxes(segmentation: np.ndarray) -> np.ndarray:
    found = find_objects(segmentation + 1)
    return np.array([[x.start, y.start, x.stop, y.stop] for y, x in found])


def _neighbours(segmentation: np.ndarray) -> np.ndarray:
    """Find pairs [2, P] of neighbours; as in OpenCV not along the first row and column."""
    here, count = segmentation[1:, 1:], int(segmentation.max()) + 1
    near = np.zeros(count * count, dtype=bool)
    for there in (segmentation[1:, :-1], segmentation[:-1, 1:], segmentation[:-1, :-1]):
        border = here != there
        one, other = here[border].astype(np.int64), there[border]
        near[np.minimum(one, other) * count + np.maximum(one, other)] = True
    return np.stack(np.divmod(np.flatnonzero(near), count))


class Grouping:
    """Merges the most similar neighbours until none are left.

    Args:
        regions: The regions.
        by_color: Whether the similarity has a term of colours beside fill, texture and size.
    """

    def __init__(self, regions: Regions, by_color: bool) -> None:
        count = len(regions.sizes)
        self.area = np.float32(regions.area)
        self.weight = np.float32(0.25 if by_color else 0.3333)
        # added one by one, as there
        self.weights = np.add.accumulate([self.weight] * (4 if by_color else 3))[-1]
        features = [regions.color, regions.texture] if by_color else [regions.texture]
        self.colors = features[0].shape[1] if by_color else 0
        self.histograms = np.concatenate(features, axis=1)
        self.histograms = np.pad(self.histograms, ((0, count), (0, 0)))
        self.sizes = np.pad(regions.sizes, (0, count))
        self.boxes = np.pad(regions.boxes, ((0, count), (0, 0)))
        self.near: list[set[int]] = [set() for _ in range(count)]
        self.heap: list[tuple[float, int, int]] = []
        one, other = regions.pairs
        pairs = zip(self.similarities(one, other).tolist(), one.tolist(), other.tolist())
        for value, first, second in pairs:
            self.near[first].add(second)
            self.near[second].add(first)
            self.heap.append((-value, first, second))
        heapq.heapify(self.heap)

    def similarities(self, one: np.ndarray | int, others: np.ndarray | list) -> np.ndarray:
        """Compute similarities [P] float32 of regions, given by their numbers."""
        common = np.minimum(self.histograms[one], self.histograms[others])
        size = self.sizes[one] + self.sizes[others]
        left_top = np.minimum(self.boxes[one, :2], self.boxes[others, :2])
        sides = np.maximum(self.boxes[one, 2:], self.boxes[others, 2:]) - left_top
        # not sum(): its order of additions is another one
        texture = np.add.accumulate(common[:, self.colors :], axis=1)[:, -1]
        value = self.weight * self._share(sides[:, 0] * sides[:, 1] - size)
        if self.colors:
            color = np.add.accumulate(common[:, : self.colors], axis=1)[:, -1]
            value += self.weight * color
        value += self.weight * texture
        value += self.weight * self._share(size)
        return value / self.weights

    def _share(self, pixels: np.ndarray) -> np.ndarray:
        return (1 - pixels.astype(np.float32) / self.area).clip(0, 1)

    def boxes_of_all(self) -> np.ndarray:
        """Merge until no neighbours are left.

        Returns:
            [N, 4] xyxy boxes of all regions there have been.

        Raises:
            AmbiguousOrderError: If the result depends on the order of equal similarities.
        """
        tied = left = 0
        while self.heap:
            value, one, other = heapq.heappop(self.heap)
            if other not in self.near[one]:
                continue
            if not left:
                tied = left = self._count_tied(value, one, other)
            left -= 1
            near = self._merge(one, other)
            merged = len(self.near)
            self.near[one] = self.near[other] = set()
            self.near.append(near)
            values = self.similarities(merged, list(near)).tolist()
            if tied > 1:
                _require_less(values, -value)
            for region, new in zip(list(near), values):
                self.near[region] -= {one, other}
                self.near[region].add(merged)
                heapq.heappush(self.heap, (-new, region, merged))
        return self.boxes[: len(self.near)]

    def _count_tied(self, value: float, one: int, other: int) -> int:
        """Count the pairs that are as similar as this one, the most similar one.

        Their order is of no consequence if they have no region in common and no merged region is
        as similar to a neighbour: then any order merges these pairs before all others.
        """
        tied = [(one, other)]
        while self.heap and self.heap[0][0] == value:
            _, first, second = heapq.heappop(self.heap)
            if second in self.near[first]:
                tied.append((first, second))
        if len(tied) > 1:
            if len({region for pair in tied for region in pair}) < 2 * len(tied):
                raise AmbiguousOrderError
            for pair in tied:
                # in the row of the next region, which will be written again
                near = self._merge(*pair)
                _require_less(self.similarities(len(self.near), list(near)).tolist(), -value)
        for pair in tied[1:]:
            heapq.heappush(self.heap, (value, *pair))
        return len(tied)

    def _merge(self, one: int, other: int) -> set[int]:
        """Describe the region that follows the last one; return its neighbours."""
        merged, first, second = len(self.near), self.sizes[one], self.sizes[other]
        weighted = self.histograms[one] * np.float32(first)
        weighted += self.histograms[other] * np.float32(second)
        self.histograms[merged] = weighted / np.float32(first + second)
        self.sizes[merged] = first + second
        self.boxes[merged, :2] = np.minimum(self.boxes[one, :2], self.boxes[other, :2])
        self.boxes[merged, 2:] = np.maximum(self.boxes[one, 2:], self.boxes[other, 2:])
        return (self.near[one] | self.near[other]) - {one, other}


def _require_less(values: list[float], limit: float) -> None:
    if max(values, default=-1) >= limit:
        raise AmbiguousOrderError
