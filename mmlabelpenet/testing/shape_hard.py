"""Generated images that are hard in the way in which real photos are.

Three kinds of error are built in: objects of a class touch, so that one box holds both; some
classes stand on a ground that seldom occurs without them, as trains do on rails, so that attention
spills over; and only one part of an object has the pattern of its class, so that attention stays
on that part.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .shape_objects import CLASSES, draw_coverage, random_outline, random_texture
from .shape_scene import (
    MIN_VISIBLE,
    PLACEMENTS,
    Scene,
    draw_background,
    draw_labels,
    full_area,
    join_coverages,
    light,
    paint_texture,
    smooth_noise,
    visible_fractions,
)

# Shares of images of a class: with a touching pair, with its ground; of others with that ground.
PAIRS, GROUNDS, STRAY_GROUNDS = 0.5, 0.85, 0.04
# Of the shorter side of the image; and of an object's diameter, the radius of its dominant part.
DIAMETERS, PART = (0.2, 0.55), 0.27
# The share of its class's pattern that the rest of an object shows.
FAINT = 0.12

# From coordinates along and across a band, in units of half its width, to a wave in 0..1.
GROUND_PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    # rails on sleepers
    'star': lambda u, v: np.maximum(np.abs(np.abs(v) - 0.45) < 0.1, (u % 0.5 < 0.18) * 0.4),
    # ripples on water
    'moon': lambda u, v: 0.5 + 0.5 * np.sin(9 * v + 1.1 * np.sin(2.6 * u)),
    # bricks of a wall
    'cross': lambda u, v: np.minimum(
        v % 0.4 > 0.07, (u + 0.4 * (np.floor(v / 0.4) % 2)) % 0.8 > 0.08
    ),
}
# Dark and light colour (BGR) of each ground.
GROUND_COLOURS = {
    'star': ((60, 70, 85), (205, 205, 200)),
    'moon': ((120, 85, 40), (200, 175, 120)),
    'cross': ((165, 170, 170), (70, 85, 150)),
}


@dataclass
class Placed:
    """An object of a scene before it is painted.

    Attributes:
        label: Its class.
        diameter: In pixels.
        centre: (x, y) in pixels.
        coverage: [H, W] in 0..1.
        area: In pixels, also of what is hidden.
    """

    label: int
    diameter: float
    centre: np.ndarray
    coverage: np.ndarray
    area: float


def draw_hard_scene(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Draw one image.

    Args:
        size: (height, width) in pixels.
        rng: Source of random numbers; the same state gives the same image.

    Returns:
        The image with 1 to 6 objects; of each class there may be a touching pair.
    """
    img = draw_background(size, rng)
    placed: list[Placed] = []
    for label in dict.fromkeys(draw_labels(rng)):
        diameter = min(size) * DIAMETERS[0] * (DIAMETERS[1] / DIAMETERS[0]) ** rng.uniform()
        if rng.uniform() < PAIRS:
            placed += _place_pair(placed, label, diameter * 0.8, size, rng)
        else:
            placed += _place_one(placed, label, diameter, size, rng)
    for name in GROUND_PATTERNS:
        own = [one for one in placed if CLASSES[one.label] == name]
        if rng.uniform() < (GROUNDS if own else STRAY_GROUNDS):
            draw_ground(img, name, own, rng)
    for one in placed:
        paint_object(img, one, rng)
    instance_map = join_coverages([one.coverage for one in placed], size)
    img = np.clip(np.rint(light(img, rng)), 0, 255).astype(np.uint8)
    return Scene(img, [one.label for one in placed], instance_map)


def _all_visible(placed: list[Placed]) -> bool:
    """Whether enough of every object can be seen."""
    coverages, areas = [one.coverage for one in placed], [one.area for one in placed]
    return bool(visible_fractions(coverages, areas).min() >= MIN_VISIBLE)


def _random_centre(margin: float, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return margin + rng.uniform(size=2) * (np.array(size[::-1]) - 2 * margin)


def _place_one(
    placed: list[Placed],
    label: int,
    diameter: float,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> list[Placed]:
    """An object where it hides not too much of the others; none if no attempt succeeds."""
    polygons = random_outline(CLASSES[label], diameter, rng)
    for _ in range(PLACEMENTS):
        centre = _random_centre(diameter * 3 / 8, size, rng)
        coverage = draw_coverage(polygons, centre, size)
        one = Placed(label, diameter, centre, coverage, full_area(polygons))
        if _all_visible([*placed, one]):
            return [one]
    return []


def _place_pair(
    placed: list[Placed],
    label: int,
    diameter: float,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> list[Placed]:
    """Two objects of a class side by side that touch; none if no attempt succeeds."""
    diameters = diameter * rng.uniform(0.85, 1.15, 2)
    outlines = [random_outline(CLASSES[label], one, rng) for one in diameters]
    for _ in range(PLACEMENTS):
        # Side by side rather than one above the other, as most things stand.
        angle = rng.choice([0, np.pi]) + rng.normal(0, 0.45)
        direction = np.array([np.cos(angle), np.sin(angle)])
        middle = _random_centre(min(diameter * 7 / 8, min(size) / 2), size, rng)
        centre = middle - direction * diameter / 2
        first = Placed(
            label,
            diameters[0],
            centre,
            draw_coverage(outlines[0], centre, size),
            full_area(outlines[0]),
        )
        for gap in np.linspace(1.1, 0.5, 13) * diameter:
            there = centre + gap * direction
            coverage = draw_coverage(outlines[1], there, size)
            if np.minimum(coverage, first.coverage).sum() > 0.015 * first.area:
                break
        second = Placed(label, diameters[1], there, coverage, full_area(outlines[1]))
        if _all_visible([*placed, first, second]):
            return [first, second]
    return []


def draw_ground(
    img: np.ndarray, name: str, objects: list[Placed], rng: np.random.Generator
) -> None:
    """Draw a band of the ground of a class under its objects, or anywhere if there are none.

    Args:
        img: [H, W, 3] float32 BGR, changed in place.
        name: The class.
        objects: Its objects.
        rng: Source of random numbers.
    """
    height, width = img.shape[:2]
    half = min(height, width) * rng.uniform(0.12, 0.25)
    centre, length = _random_centre(half, (height, width), rng), half * rng.uniform(2, 4)
    if objects:
        half = max(one.diameter for one in objects) * rng.uniform(0.4, 0.6)
        low = np.array([0, 0.3]) * objects[0].diameter
        centre = np.mean([one.centre for one in objects], axis=0) + low
        reach = max(np.linalg.norm(one.centre - centre) for one in objects)
        length = reach + half * rng.uniform(1.5, 3.5)
    turn = rng.normal(0, 0.2)
    x = np.arange(width, dtype=np.float32)[None] - np.float32(centre[0])
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(centre[1])
    u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    alpha = np.clip((half - np.abs(v)) / 3, 0, 1) * np.clip((length - np.abs(u)) / 6, 0, 1)
    wave = np.clip(GROUND_PATTERNS[name](u / half, v / half), 0, 1).astype(np.float32)[..., None]
    dark, bright = (np.array(one) + rng.normal(0, 14, 3) for one in GROUND_COLOURS[name])
    texture = dark + (bright - dark) * wave + 7 * smooth_noise((height, width), 24, rng)
    img += (texture.astype(np.float32) - img) * alpha[..., None].astype(np.float32)


def paint_object(img: np.ndarray, one: Placed, rng: np.random.Generator) -> None:
    """Paint an object whose class shows in one part alone.

    Args:
        img: [H, W, 3] float32 BGR, changed in place.
        one: The object.
        rng: Source of random numbers.
    """
    x, y, width, height = cv2.boundingRect((one.coverage > 0).astype(np.uint8))
    shape = (height, width)
    pattern = random_texture(CLASSES[one.label], one.diameter, (x, y) - one.centre, shape, rng)
    colour = rng.uniform(60, 200, 3).astype(np.float32)
    body = colour + 14 * smooth_noise(shape, 4, rng)
    place = dominant_place(one.coverage[y : y + height, x : x + width], rng)
    rows, columns = np.ogrid[:height, :width]
    distance = np.hypot(columns - place[0], rows - place[1])
    share = np.clip((PART * one.diameter - distance) / 4, FAINT, 1).astype(np.float32)[..., None]
    paint_texture(img, body + (pattern - body) * share, one.coverage)


def dominant_place(coverage: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Choose the place (x, y) of an object's dominant part: at one end, but inside.

    Args:
        coverage: [h, w] in 0..1 of the object.
        rng: Source of random numbers.
    """
    depth = cv2.distanceTransform((coverage > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    rows, columns = np.nonzero(depth >= 0.45 * depth.max())
    turn = rng.uniform(0, 2 * np.pi)
    end = int(np.argmax(columns * np.cos(turn) + rows * np.sin(turn)))
    return int(columns[end]), int(rows[end])
