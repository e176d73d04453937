"""A canvas to paint boxes, masks and heat maps on an image."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .fonts import font

Colour = tuple[int, int, int]

# Everything is painted at this scale and then reduced, which smooths the edges; pictures of more
# pixels are large enough without it.
OVERSAMPLING, MAX_PIXELS = 2, 4_000_000
# Height of texts as a share of the shorter side, and the least and largest one in pixels.
TEXT_SHARE, TEXT_LIMITS = 0.04, (12.0, 36.0)
LINE_SHARE, LEAST_LINE = 0.005, 2.0


def text_colour_on(colour: Colour) -> Colour:
    """Choose black or white text by the luma of the background (ITU-R BT.601)."""
    luma = np.dot(colour, (0.299, 0.587, 0.114))
    return (20, 20, 20) if luma > 140 else (255, 255, 255)


class Canvas:
    """An image at a given width, on which boxes and masks of any resolution are painted.

    Args:
        image: [H, W, 3] uint8 RGB.
        width: Width of the painted picture in pixels; its height follows.
    """

    def __init__(self, image: np.ndarray, width: int) -> None:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        self.size = (width, height)
        self.scale = OVERSAMPLING if width * height <= MAX_PIXELS else 1
        self.line = max(LEAST_LINE, LINE_SHARE * min(self.size))
        large = (width * self.scale, height * self.scale)
        # an image of the same size keeps its pixels where nothing is painted
        same = self.size == image.shape[1::-1]
        method = Image.Resampling.NEAREST if same else Image.Resampling.BICUBIC
        self.image = Image.fromarray(image).convert('RGB').resize(large, method)

    def finish(self) -> Image.Image:
        """Get the painted picture."""
        return self.image.reduce(self.scale)

    def fade(self, grey: float, white: float) -> None:
        """Fade the image, to emphasise what is painted on it.

        Args:
            grey: Fraction of the colour to remove, 0..1.
            white: Fraction of white to blend in, 0..1.
        """
        plain = self.image.convert('L').convert('RGB')
        self.image = Image.blend(self.image, plain, grey)
        self.image = Image.blend(self.image, Image.new('RGB', self.image.size, 'white'), white)

    def paint_heat(self, maps: np.ndarray, colours: list[Colour], strength: float = 0.85) -> None:
        """Overlay heat maps on the image; colours are mixed where several maps are high.

        Args:
            maps: [K, h, w] floats in 0..1, stretched over the whole image.
            colours: K colours.
            strength: Opacity where a map is 1.
        """
        if len(maps) == 0:
            return
        heat = np.stack([self._stretch(one) for one in maps]).clip(0, 1)
        weights = heat**2 / (heat**2).sum(axis=0).clip(1e-6)
        colour = np.tensordot(weights, np.array(colours, dtype=np.float32), axes=(0, 0))
        self._blend(colour, strength * heat.max(axis=0))

    def paint_mask(self, mask: np.ndarray, colour: Colour, strength: float = 0.4) -> None:
        """Tint a mask, so that the object stays visible, and draw its solid outline.

        Args:
            mask: [h, w], bool or floats that are inside from .5 on, stretched over the whole
                image.
            colour: Of tint and outline.
            strength: Opacity of the tint.
        """
        inside = (self._stretch(mask) >= 0.5).astype(np.uint8)
        self._blend(np.array(colour, dtype=np.float32), strength * inside)
        outline, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        pixels = np.array(self.image)
        cv2.drawContours(pixels, outline, -1, colour, round(self.line * self.scale), cv2.LINE_AA)
        self.image = Image.fromarray(pixels)

    def paint_boxes(
        self,
        boxes: np.ndarray,
        img_shape: tuple[int, int],
        colours: list[Colour],
        line: float | None = None,
    ) -> None:
        """Draw outlines of boxes.

        Args:
            boxes: [N, 4] xyxy in pixels of an image of ``img_shape``.
            img_shape: (height, width) of that image.
            colours: N colours.
            line: Line width in pixels of the finished picture; None for one that suits its size.
        """
        draw = ImageDraw.Draw(self.image)
        width = max(1, round((self.line if line is None else line) * self.scale))
        for box, colour in zip(self._scale(boxes, img_shape).tolist(), colours):
            draw.rectangle(box, outline=colour, width=width)

    def text_size(self, texts: Sequence[str]) -> float:
        """Choose one size for all texts of a picture, by its shorter side.

        Args:
            texts: The longest one has to fit into the picture.

        Returns:
            Height in pixels of the finished picture.
        """
        size = float(np.clip(TEXT_SHARE * min(self.size), *TEXT_LIMITS))
        longest = max((font(size, text=text).getlength(text) for text in texts), default=0.0)
        return size * min(1.0, (self.size[0] - size) / max(longest, 1.0))

    def paint_label(
        self, text: str, box: np.ndarray, img_shape: Sequence[int], colour: Colour, size: float = 0
    ) -> None:
        """Write a text on a plate above a box's top left corner, or inside without room above.

        Args:
            text: The text.
            box: [4] xyxy in pixels of an image of ``img_shape`` (height, width).
            img_shape: See ``box``.
            colour: Of the plate.
            size: See :meth:`text_size`; 0 chooses it for this text.
        """
        face = font(max(1.0, (size or self.text_size([text])) * self.scale), text=text)
        pad = face.size / 6
        width = face.getlength(text) + 2 * pad
        height = sum(face.getmetrics()) + pad
        left, top = self._scale(box[None], img_shape)[0, :2]
        left = min(max(left, 0), max(self.image.width - width, 0))
        top = top - height if top >= height else min(top, max(self.image.height - height, 0))
        draw = ImageDraw.Draw(self.image)
        draw.rectangle((left, top, left + width, top + height), fill=colour)
        ink, middle = text_colour_on(colour), (left + pad, top + height / 2)
        draw.text(middle, text, fill=ink, font=face, anchor='lm')

    def _stretch(self, values: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(values, dtype=np.float32)
        return cv2.resize(values, self.image.size, interpolation=cv2.INTER_LINEAR)

    def _scale(self, boxes: np.ndarray, img_shape: Sequence[int]) -> np.ndarray:
        """Scale boxes to the canvas and clip them; x2 >= x1 and y2 >= y1, as PIL requires."""
        size = np.array(self.image.size)
        scaled = np.clip(boxes * np.tile(size / img_shape[::-1], 2), 0, np.tile(size - 1, 2))
        scaled[:, 2:] = np.maximum(scaled[:, 2:], scaled[:, :2])
        return scaled

    def _blend(self, colour: np.ndarray, opacity: np.ndarray) -> None:
        pixels = np.asarray(self.image, dtype=np.float32)
        mixed = pixels + (colour - pixels) * opacity[..., None]
        self.image = Image.fromarray(mixed.round().astype(np.uint8))
