"""The order in which rings are joined to one polygon, and the shortest bridges between them."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from scipy.spatial import Delaunay, QhullError


class Bridges:
    """Joins rings to the first one, always the one that is nearest to those already joined.

    A shortest bridge between the joined rings and the others is an edge of the Delaunay
    triangulation of all points: no point lies within the circle around it, as it would make a
    shorter bridge. So n points take n log n steps.

    Attributes:
        points: [N, 2], the different points.
        corners: For each ring the numbers of its points.

    Args:
        rings: Each [P, 2].
    """

    def __init__(self, rings: Sequence[np.ndarray]) -> None:
        self.points, numbers = np.unique(np.concatenate(rings), axis=0, return_inverse=True)
        ends = np.cumsum([len(ring) for ring in rings])
        self.corners = np.split(numbers.ravel(), ends[:-1])
        self._edges: list[list[tuple]] = [[] for _ in rings]
        for ring, other, *edge in zip(*self._edges_between_rings()):
            self._edges[ring].append((edge[0], other, *edge[1:]))

    def _edges_between_rings(self) -> list[list]:
        """Edges in both directions: their rings, squared lengths and ends."""
        counts = [len(corners) for corners in self.corners]
        owner = np.repeat(np.arange(len(counts)), counts)
        point = np.concatenate(self.corners)
        # A point can belong to several rings, which touch there.
        pairs = np.unique(np.stack([point, owner], axis=1), axis=0)
        first = np.searchsorted(pairs[:, 0], np.arange(len(self.points) + 1))
        edges = _triangulate(self.points)
        same = np.arange(len(self.points)).repeat(2).reshape(-1, 2)
        edges = np.concatenate([edges, edges[:, ::-1], same])
        # all pairs of a ring of the start and a ring of the end
        spread = [first[edges[:, side] + 1] - first[edges[:, side]] for side in (0, 1)]
        times = spread[0] * spread[1]
        edges, place = np.repeat(edges, times, axis=0), _ranges(times)
        width = np.repeat(spread[1], times)
        ring = pairs[first[edges[:, 0]] + place // width, 1]
        other = pairs[first[edges[:, 1]] + place % width, 1]
        between = ring != other
        edges, ring, other = edges[between], ring[between], other[between]
        length = ((self.points[edges[:, 0]] - self.points[edges[:, 1]]) ** 2).sum(-1)
        return [column.tolist() for column in (ring, other, length, edges[:, 0], edges[:, 1])]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Join all rings, of equally near ones the first.

        Yields:
            The index of the next ring, and the shortest bridges to it: the numbers of their
            points in the joined rings, and of those in the ring.
        """
        rest = set(range(1, len(self.corners)))
        heap = list(self._edges[0])
        heapq.heapify(heap)
        while rest:
            while heap and heap[0][1] not in rest:
                heapq.heappop(heap)
            # by length, then by ring
            length, ring = heap[0][:2]
            found = []
            while heap and heap[0][:2] == (length, ring):
                found.append(heapq.heappop(heap)[2:])
            here, there = np.array(found).T
            rest.remove(ring)
            for edge in self._edges[ring]:
                heapq.heappush(heap, edge)
            yield ring, here, there


def _ranges(counts: np.ndarray) -> np.ndarray:
    """The numbers 0 .. n - 1 for each n of counts, one after the other."""
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return np.arange(len(starts)) - starts


def _triangulate(points: np.ndarray) -> np.ndarray:
    """Edges [E, 2] that connect points [N, 2], among them those of their triangulation."""
    # neighbours by x: they connect points on a line, which have no triangles
    order = np.lexsort(points.T)
    chain = np.stack([order[:-1], order[1:]], axis=1)
    with suppress(QhullError, ValueError):
        # relative to the middle numbers are smaller, and distances the same
        corners = Delaunay(points - points.mean(axis=0).round()).simplices
        chain = np.concatenate([chain, corners[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)])
    return np.unique(np.sort(chain, axis=1), axis=0)
