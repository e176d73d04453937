"""Outlines and textures of generated objects."""

from collections.abc import Callable

import cv2
import numpy as np

from mmlabelpenet.datasets import ShapesDataset

CLASSES = ShapesDataset.METAINFO['classes']

# Outlines are drawn at this scale and then averaged, which gives smooth edges.
_OVERSAMPLING = 4
_CIRCLE = np.linspace(0, 2 * np.pi, 64, endpoint=False)


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def _moon() -> np.ndarray:
    # Two arcs that meet at the tips: the outer circle, and a shifted one that cuts into it.
    outer = np.linspace(0.25 * np.pi, 1.75 * np.pi, 48)
    tip = _polar(np.ones(1), outer[:1])[0]
    centre = 0.62
    radius = float(np.hypot(tip[0] - centre, tip[1]))
    angle = float(np.arctan2(tip[1], tip[0] - centre))
    inner = _polar(np.full(32, radius), np.linspace(2 * np.pi - angle, angle, 32))
    return np.concatenate([_polar(np.ones(48), outer), inner + np.array([centre, 0])])


def _cross(arm: float = 0.33) -> np.ndarray:
    quarter = np.array([[arm, arm], [arm, 1], [-arm, 1]])
    turns = [np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return np.concatenate([quarter @ turn for turn in turns])


def _heart() -> np.ndarray:
    x = 16 * np.sin(_CIRCLE) ** 3
    y = 13 * np.cos(_CIRCLE) - 5 * np.cos(2 * _CIRCLE) - 2 * np.cos(3 * _CIRCLE)
    return np.stack([x, -(y - np.cos(4 * _CIRCLE)) - 2.5], axis=-1) / 17


def _leaf() -> np.ndarray:
    along = np.linspace(-1, 1, 32)
    width = 0.4 * (1 - along**2) * (1 + 0.35 * np.sin(8 * np.pi * along) ** 2)
    edge = np.stack([along, width], axis=-1)
    return np.concatenate([edge, edge[::-1] * (1, -1)])


# Polygons of each class within the unit circle; the second one is a hole.
_OUTLINES: dict[str, list[np.ndarray]] = {
    'star': [_polar(np.tile([1, 0.5], 5), np.arange(10) * np.pi / 5 - np.pi / 2)],
    'ring': [_polar(np.ones(64), _CIRCLE), _polar(np.full(64, 0.52), _CIRCLE)],
    'moon': [_moon()],
    'cross': [_cross()],
    'heart': [_heart()],
    'leaf': [_leaf()],
}

# From object coordinates, in units of the pattern's period, to a wave in -1..1.
_TEXTURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    'star': lambda u, v: np.sin(np.maximum(np.abs(u), np.abs(v))),
    'ring': lambda u, v: np.sin(11 * np.arctan2(v, u)),
    'moon': lambda u, v: np.sin(u + 0.6 * np.sin(0.5 * v)),
    'cross': lambda u, v: 2.5 * np.sin(0.8 * u) * np.sin(0.8 * v),
    'heart': lambda u, v: 4 * np.cos(0.9 * u) * np.cos(0.9 * v) - 1.2,
    'leaf': lambda u, v: np.sin(u + 1.2 * np.abs(v)),
}


def random_outline(name: str, diameter: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the outline of one object at random: rotated, stretched, sheared and bent.

    Args:
        name: Its class.
        diameter: The longer side of its tight box, in pixels.
        rng: Source of random numbers.

    Returns:
        Polygons [P, 2] of (x, y) in pixels around (0, 0); the second one, if any, is a hole.
    """
    phase, bend = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0, 0.07, 2)
    stretch = np.diag([1, rng.uniform(0.75, 1)])
    shear = np.array([[1, rng.uniform(-0.2, 0.2)], [0, 1]])
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ shear @ stretch
    bent = []
    for polygon in _OUTLINES[name]:
        angle = np.arctan2(polygon[:, 1], polygon[:, 0])
        swell = 1 + bend[0] * np.sin(2 * angle + phase[0]) + bend[1] * np.sin(3 * angle + phase[1])
        bent.append(polygon * swell[:, None] @ matrix.T)
    low, high = bent[0].min(axis=0), bent[0].max(axis=0)
    scale = diameter / (high - low).max()
    return [(polygon - (low + high) / 2) * scale for polygon in bent]


def draw_coverage(
    polygons: list[np.ndarray], centre: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Rasterise an outline with smooth edges.

    Args:
        polygons: From :func:`random_outline`.
        centre: (x, y) of the object, in pixels.
        size: (height, width) of the image.

    Returns:
        [H, W] float32 in 0..1, the fraction of each pixel that the object covers.
    """
    height, width = size
    canvas: np.ndarray = np.zeros((height * _OVERSAMPLING, width * _OVERSAMPLING), dtype=np.uint8)
    points = [np.rint((p + centre) * _OVERSAMPLING).astype(np.int32) for p in polygons]
    cv2.fillPoly(canvas, points, 255)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _hsv_to_bgr(hue: float, saturation: float, value: float) -> np.ndarray:
    """Convert a colour (hue in turns, the rest in 0..1) to float32 BGR in 0..255."""
    pixel = np.array([[[hue % 1 * 360, saturation, value]]], dtype=np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0] * 255


def random_texture(
    name: str,
    diameter: float,
    corner: np.ndarray,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw a patch of the class's pattern in two random colours.

    The hue varies so much around that of the class that colour alone does not identify it.

    Args:
        name: The class.
        diameter: The object's diameter in pixels; larger objects have a coarser pattern.
        corner: (x, y) of the patch's first pixel, relative to the object's centre.
        size: (height, width) of the patch.
        rng: Source of random numbers.

    Returns:
        [h, w, 3] float32 BGR in 0..255.
    """
    period = float(np.clip(diameter / 7, 7, 14)) * rng.uniform(0.85, 1.15)
    turn, unit = rng.uniform(0, 2 * np.pi), 2 * np.pi / period
    x = (np.arange(size[1], dtype=np.float32) + np.float32(corner[0]))[None] * np.float32(unit)
    y = (np.arange(size[0], dtype=np.float32) + np.float32(corner[1]))[:, None] * np.float32(unit)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    wave = _TEXTURES[name](cos * x + sin * y, cos * y - sin * x)
    share = np.clip(0.5 + 1.2 * wave, 0, 1)[..., None]
    hue = CLASSES.index(name) / len(CLASSES) + rng.normal(0, 0.11)
    light = _hsv_to_bgr(hue, rng.uniform(0.45, 0.7), rng.uniform(0.85, 1))
    dark = _hsv_to_bgr(hue + rng.normal(0, 0.06), rng.uniform(0.7, 1), rng.uniform(0.25, 0.5))
    return dark + (light - dark) * share
