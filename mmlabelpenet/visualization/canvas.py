"""An image to paint boxes, masks and heat maps on."""

from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

# painted so much larger and then reduced, which smooths every edge
OVERSAMPLING = 2


@cache
def font(size: float, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Get DejaVu Sans, which matplotlib brings along, so that it is there on any machine.

    Args:
        size: Height in pixels.
        bold: Whether to take the bold cut.
    """
    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    folder = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
    return ImageFont.truetype(str(folder / name), round(size))


def ink_on(colour: Colour) -> Colour:
    """Choose black or white text, whichever reads better on a colour (ITU-R BT.601 luma)."""
    luma = np.dot(colour, (0.299, 0.587, 0.114))
    return (20, 20, 20) if luma > 140 else (255, 255, 255)


class Canvas:
    """An image shown at a given width, painted in the coordinates of some image of it.

    Args:
        image: [H, W, 3] uint8 RGB.
        width: Width of the painted picture in pixels; its height follows.
    """

    def __init__(self, photo: np.ndarray, width: int) -> None:
        height = max(1, round(photo.shape[0] * width / photo.shape[1]))
        self.size = (width, height)
        large = (width * OVERSAMPLING, height * OVERSAMPLING)
        self.image = Image.fromarray(photo).convert('RGB').resize(large, Image.Resampling.BICUBIC)

    def finish(self) -> Image.Image:
        """Get the painted picture."""
        return self.image.resize(self.size, Image.Resampling.LANCZOS)

    def fade(self, grey: float, white: float) -> None:
        """Step the image back, to let what is painted on it stand out.

        Args:
            grey: Share of the colour to take away, 0..1.
            white: Share of white to mix in, 0..1.
        """
        plain = self.image.convert('L').convert('RGB')
        self.image = Image.blend(self.image, plain, grey)
        self.image = Image.blend(self.image, Image.new('RGB', self.image.size, 'white'), white)

    def paint_heat(self, maps: np.ndarray, colours: list[Colour], strength: float = 0.85) -> None:
        """Lay heat maps over the image; where several are warm their colours mix.

        Args:
            maps: [K, h, w] floats in 0..1, stretched over the whole image.
            colours: K colours.
            strength: Opacity where a map is 1.
        """
        if len(maps) == 0:
            return
        warm = np.stack([self._stretch(heat) for heat in maps]).clip(0, 1)
        share = warm**2 / (warm**2).sum(axis=0).clip(1e-6)
        colour = np.tensordot(share, np.array(colours, dtype=np.float32), axes=(0, 0))
        self._blend(colour, strength * warm.max(axis=0))

    def paint_mask(self, mask: np.ndarray, colour: Colour, strength: float = 0.5) -> None:
        """Tint one mask and draw its outline.

        Args:
            mask: [h, w], bool or floats that count as inside from .5 on, stretched over the
                whole image.
            colour: Of tint and outline.
            strength: Opacity of the tint.
        """
        inside = (self._stretch(mask.astype(np.float32)) >= 0.5).astype(np.uint8)
        self._blend(np.array(colour, dtype=np.float32), strength * inside)
        outline, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        pixels = np.array(self.image)
        cv2.drawContours(pixels, outline, -1, colour, 2 * OVERSAMPLING, cv2.LINE_AA)
        self.image = Image.fromarray(pixels)

    def paint_boxes(
        self, boxes: np.ndarray, img_shape: tuple[int, int], colours: list[Colour], line: float
    ) -> None:
        """Draw outlines of boxes.

        Args:
            boxes: [N, 4] xyxy in pixels of an image of ``img_shape``.
            img_shape: (height, width) of that image.
            colours: N colours.
            line: Line width in pixels of the finished picture.
        """
        draw = ImageDraw.Draw(self.image)
        width = max(1, round(line * OVERSAMPLING))
        for box, colour in zip(self._scale(boxes, img_shape), colours):
            draw.rectangle(_ordered(box), outline=colour, width=width)

    def paint_label(
        self, text: str, box: np.ndarray, img_shape: tuple[int, int], colour: Colour
    ) -> None:
        """Write a text on a plate above a box's top left corner, or inside where it has no room.

        Args:
            text: What to write.
            box: [4] xyxy in pixels of an image of ``img_shape``.
            img_shape: (height, width) of that image.
            colour: Of the plate.
        """
        draw = ImageDraw.Draw(self.image)
        face = font(12 * OVERSAMPLING)
        pad = 2 * OVERSAMPLING
        width = draw.textlength(text, font=face) + 2 * pad
        height = sum(face.getmetrics()) + pad
        left, top = self._scale(box[None], img_shape)[0, :2]
        left = min(max(left, 0), max(self.image.width - width, 0))
        top = top - height if top >= height else max(top, 0)
        draw.rectangle((left, top, left + width, top + height), fill=colour)
        middle = (left + pad, top + height / 2)
        draw.text(middle, text, fill=ink_on(colour), font=face, anchor='lm')

    def _stretch(self, heat: np.ndarray) -> np.ndarray:
        return cv2.resize(
            np.ascontiguousarray(heat, dtype=np.float32),
            self.image.size,
            interpolation=cv2.INTER_LINEAR,
        )

    def _scale(self, boxes: np.ndarray, img_shape: tuple[int, int]) -> np.ndarray:
        factors = np.array(self.image.size) / img_shape[::-1]
        last = np.array(self.image.size) - 1
        return np.clip(boxes * np.tile(factors, 2), 0, np.tile(last, 2))

    def _blend(self, colour: np.ndarray, opacity: np.ndarray) -> None:
        pixels = np.asarray(self.image, dtype=np.float32)
        mixed = pixels + (colour - pixels) * opacity[..., None]
        self.image = Image.fromarray(mixed.round().astype(np.uint8))


def _ordered(box: np.ndarray) -> tuple[float, float, float, float]:
    """PIL refuses boxes whose end lies before their start."""
    left, top, right, bottom = (float(value) for value in box)
    return left, top, max(left, right), max(top, bottom)
