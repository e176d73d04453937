"""Generated images: a cluttered background and objects that occlude each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .shape_objects import CLASSES, draw_coverage, random_outline, random_texture

MIN_VISIBLE = 0.4
DIAMETERS = (0.15, 0.65)
# Attempts to place an object without occluding too much of another one.
PLACEMENTS = 8


@dataclass
class Scene:
    """One generated image with its ground truth.

    Attributes:
        img: [H, W, 3] uint8, BGR.
        labels: Class indices of the G objects, from back to front.
        instance_map: [H, W] uint8, 0 = background, object i -> i + 1.
    """

    img: np.ndarray
    labels: list[int]
    instance_map: np.ndarray

    def boxes(self) -> np.ndarray:
        """Compute the tight boxes [G, 4] of the visible parts, xyxy, x2 and y2 exclusive."""
        masks = [self.instance_map == value + 1 for value in range(len(self.labels))]
        rectangles = [cv2.boundingRect(mask.astype(np.uint8)) for mask in masks]
        boxes = np.array(rectangles, dtype=np.int64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes


def smooth_noise(size: tuple[int, int], cells: int, rng: np.random.Generator) -> np.ndarray:
    """Noise [H, W, 3] of about ``cells`` waves along a side, standard deviation about 1."""
    grid = rng.normal(size=(cells, cells, 3)).astype(np.float32)
    return cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC)


def _draw_distractors(img: np.ndarray, rng: np.random.Generator) -> None:
    """Draw blobs, lines and polygons that belong to no class into ``img``."""
    side = max(img.shape[:2])
    for _ in range(rng.integers(6, 16)):
        x, y = (rng.uniform(size=2) * img.shape[1::-1]).astype(int).tolist()
        colour = rng.uniform(20, 235, 3).tolist()
        kind = rng.integers(3)
        if kind == 0:
            axes = tuple(int(a) for a in rng.uniform(0.02, 0.14, 2) * side)
            cv2.ellipse(img, (x, y), axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            end = (rng.uniform(-0.6, 0.6, 2) * side + (x, y)).astype(int)
            cv2.line(img, (x, y), end.tolist(), colour, int(rng.integers(1, 8)), cv2.LINE_AA)
        else:
            corners = rng.uniform(-0.14, 0.14, (rng.integers(3, 6), 2)) * side + (x, y)
            cv2.fillPoly(img, [corners.astype(np.int32)], colour, cv2.LINE_AA)


def draw_background(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw a gradient, stripes, distractors and noise at several scales.

    Args:
        size: (height, width) in pixels.
        rng: Source of random numbers.

    Returns:
        [H, W, 3] float32 BGR, about 0..255.
    """
    height, width = size
    x: np.ndarray = np.arange(width, dtype=np.float32)[None]
    y: np.ndarray = np.arange(height, dtype=np.float32)[:, None]
    direction = rng.uniform(0, 2 * np.pi)
    ramp = float(np.cos(direction)) / width * x + float(np.sin(direction)) / height * y
    grey, tint = rng.uniform(60, 190), rng.normal(0, 22, (2, 3)).astype(np.float32)
    img = grey + tint[0] + ramp[..., None] * (tint[1] + np.float32(rng.normal(0, 40)))
    stripes, wavelength = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 6)
    wave = np.sin(
        float(np.cos(stripes) / wavelength) * x + float(np.sin(stripes) / wavelength) * y
    )
    img += wave[..., None] * np.float32(rng.uniform(0, 14))
    img += 14 * smooth_noise(size, 5, rng)
    _draw_distractors(img, rng)
    img += np.float32(rng.uniform(4, 16)) * smooth_noise(size, int(rng.integers(12, 40)), rng)
    grain = rng.standard_normal((height, width, 3), dtype=np.float32)
    return img + np.float32(rng.uniform(2, 9)) * grain


def draw_labels(rng: np.random.Generator) -> list[int]:
    """Draw the classes of an image's 1 to 4 objects; few classes, so that tags are informative."""
    num_classes = int(rng.choice([1, 2, 3], p=[0.42, 0.43, 0.15]))
    classes = rng.permutation(len(CLASSES))[:num_classes]
    extra = int(rng.choice([0, 1, 2], p=[0.45, 0.35, 0.2]))
    more = rng.choice(classes, size=min(extra, 4 - num_classes))
    return [int(label) for label in rng.permutation(np.concatenate([classes, more]))]


def join_coverages(coverages: Sequence[np.ndarray], size: tuple[int, ...]) -> np.ndarray:
    """The object of each pixel, [H, W] uint8: 0 = background, object i -> i + 1."""
    instance_map: np.ndarray = np.zeros(size, dtype=np.uint8)
    for index, coverage in enumerate(coverages):
        instance_map[coverage > 0.5] = index + 1
    return instance_map


def visible_fractions(coverages: Sequence[np.ndarray], areas: Sequence[float]) -> np.ndarray:
    """The fraction of each object that no later one and no border occludes."""
    instance_map = join_coverages(coverages, coverages[0].shape)
    return np.bincount(instance_map.ravel(), minlength=len(areas) + 1)[1:] / np.array(areas)


def full_area(polygons: list[np.ndarray]) -> float:
    """Area in pixels inside an outline, holes excluded."""
    solid, *holes = (cv2.contourArea(polygon.astype(np.float32)) for polygon in polygons)
    return max(solid - sum(holes), 1.0)


def _paint(
    img: np.ndarray,
    label: int,
    diameter: float,
    centre: np.ndarray,
    coverage: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Paint an object into ``img``, shaded towards its edge."""
    x, y, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    texture = random_texture(CLASSES[label], diameter, (x, y) - centre, (height, width), rng)
    paint_texture(img, texture, coverage)


def paint_texture(img: np.ndarray, texture: np.ndarray, coverage: np.ndarray) -> None:
    """Paint an object of any texture into ``img``, shaded towards its edge.

    Args:
        img: [H, W, 3] float32.
        texture: [h, w, 3] float32 of the tight box of the coverage; changed in place.
        coverage: [H, W] in 0..1, the fraction of each pixel that the object covers.
    """
    x, y, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    patch = np.s_[y : y + height, x : x + width]
    alpha = coverage[patch]
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    texture *= np.clip(0.55 + depth / 9, 0, 1)[..., None]
    img[patch] += (texture - img[patch]) * alpha[..., None]


def light(img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change the lighting of the whole image: brightness, a soft shadow, a tint."""
    shadow = cv2.resize(
        rng.uniform(0.72, 1.15, (3, 3)).astype(np.float32),
        img.shape[1::-1],
        interpolation=cv2.INTER_CUBIC,
    )
    tint = rng.uniform(0.93, 1.07, 3).astype(np.float32)
    return img * shadow[..., None] * tint + np.float32(rng.uniform(-12, 12))


def draw_scene(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Draw one image.

    Later objects occlude earlier ones. An object is moved until at least ``MIN_VISIBLE`` of the
    area of every object is visible, and left out if no attempt succeeds.

    Args:
        size: (height, width) in pixels.
        rng: Source of random numbers; the same state gives the same image.

    Returns:
        The image with 1 to 4 objects.
    """
    img = draw_background(size, rng)
    placed: list[tuple[int, np.ndarray, float]] = []
    for label in draw_labels(rng):
        diameter = min(size) * DIAMETERS[0] * (DIAMETERS[1] / DIAMETERS[0]) ** rng.beta(1.6, 1.2)
        polygons = random_outline(CLASSES[label], diameter, rng)
        area = full_area(polygons)
        for _ in range(PLACEMENTS):
            # At most an eighth of the diameter lies outside the image.
            margin = diameter * 3 / 8
            centre = margin + rng.uniform(size=2) * (np.array(size[::-1]) - 2 * margin)
            coverage = draw_coverage(polygons, centre, size)
            _, coverages, areas = zip(*placed, (label, coverage, area))
            if visible_fractions(coverages, areas).min() >= MIN_VISIBLE:
                placed.append((label, coverage, area))
                _paint(img, label, diameter, centre, coverage, rng)
                break
    instance_map = join_coverages([coverage for _, coverage, _ in placed], size)
    img = np.clip(np.rint(light(img, rng)), 0, 255).astype(np.uint8)
    return Scene(img, [label for label, _, _ in placed], instance_map)
