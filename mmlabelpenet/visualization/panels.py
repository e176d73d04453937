"""Pictures of one image's results in the cascade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData
from PIL import Image, ImageDraw
from pycocotools import mask as mask_api

from mmlabelpenet.datasets.devkit import voc_palette
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.utils import atomic_path

from .canvas import Canvas, Colour
from .fonts import font

GAP = 14
HEADER = 46
INK, PALE_INK = (32, 32, 32), (112, 112, 112)
# Number of proposals to paint, spread evenly over all.
MAX_PROPOSALS = 60
# More colours in one heat map can't be distinguished.
MAX_HEAT_MAPS = 4


@dataclass
class Style:
    """Names, colours and sizes of pictures.

    Attributes:
        classes: Names of the classes.
        palette: A colour (red, green, blue in 0..255) per class; VOC's colours without one.
        panel_width: Width of each panel in pixels.
        score_thr: Predictions below are not painted.
    """

    classes: Sequence[str]
    palette: Sequence[Colour] | None = None
    panel_width: int = 320
    score_thr: float = 0.3

    def colour(self, label: int) -> Colour:
        """Get the colour of a class."""
        colours = self.palette
        # a name such as 'random', as mmdet's palettes may be, is no list of colours
        if colours is None or isinstance(colours, str) or len(colours) == 0:
            colours = voc_palette()[1:-1].tolist()
        red, green, blue = colours[int(label) % len(colours)]
        return int(red), int(green), int(blue)


@dataclass
class Panel:
    """A painted image with the texts above it."""

    title: str
    caption: str
    image: Image.Image


def _array(values: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = (values.float() if values.is_floating_point() else values).detach().cpu()
    return np.asarray(values)


def _mask(mask: Mapping | torch.Tensor | np.ndarray) -> np.ndarray:
    """Pixels [h, w] of a mask; all run lengths of a large image at once would take gigabytes."""
    return mask_api.decode(mask) if isinstance(mask, Mapping) else _array(mask)


def shown_classes(evidence: Evidence) -> list[int]:
    """Choose the classes whose attention is painted: the tags, or else the most likely classes.

    Args:
        evidence: Of one image.
    """
    if 'tags' in evidence:
        return np.flatnonzero(_array(evidence.tags) > 0.5)[:MAX_HEAT_MAPS].tolist()
    if 'image_scores' not in evidence:
        return []
    scores = _array(evidence.image_scores)
    likely = np.argsort(-scores, kind='stable')[:MAX_HEAT_MAPS]
    return likely[: max(1, (scores >= 0.5).sum())].tolist()


def _on_input(maps: Maps, evidence: Evidence) -> np.ndarray:
    """Maps [M, h, w] on the pixels of the network input, [M, H, W]."""
    values = _array(maps.values)
    if len(values) == 0:
        return values
    size = (int(values.shape[2] * maps.stride), int(values.shape[1] * maps.stride))
    pixels = np.stack([cv2.resize(heat.astype(np.float32), size) for heat in values])
    height, width = evidence.img_shape[:2]
    return pixels[:, :height, :width]


def _image_panel(image: np.ndarray, evidence: Evidence | None, style: Style) -> Panel:
    names = [style.classes[label] for label in shown_classes(evidence)] if evidence else []
    return Panel('photo', ', '.join(names), Canvas(image, style.panel_width).finish())


def _proposal_panel(image: np.ndarray, evidence: Evidence, style: Style) -> list[Panel]:
    """Paint a sample of the proposals in grey, and each class's best in its colour."""
    boxes = _array(evidence.proposals.bboxes)
    count = min(MAX_PROPOSALS, len(boxes))
    sample = np.linspace(0, max(len(boxes) - 1, 0), count).astype(int)
    canvas = Canvas(image, style.panel_width)
    canvas.fade(grey=0.3, white=0.25)
    shape = evidence.img_shape[:2]
    canvas.paint_boxes(boxes[sample], shape, [(80, 80, 80)] * count, line=0.5)
    scores = evidence.proposals.get('scores')
    if scores is not None and scores.ndim == 2:
        for label in shown_classes(evidence):
            best = np.argsort(-_array(scores)[:, label], kind='stable')[:3]
            canvas.paint_boxes(boxes[best], shape, [style.colour(label)] * len(best), line=2)
    return [Panel('proposals', f'{count} of {len(boxes)}, best coloured', canvas.finish())]


def _attention_panel(image: np.ndarray, evidence: Evidence, style: Style) -> list[Panel]:
    labels = shown_classes(evidence)
    maps = _on_input(evidence.attention[labels], evidence)
    canvas = Canvas(image, style.panel_width)
    canvas.fade(grey=0.9, white=0.15)
    canvas.paint_heat(maps, [style.colour(label) for label in labels])
    return [Panel('attention', 'of the classes in the photo', canvas.finish())]


def paint_instances(
    image: np.ndarray,
    instances: InstanceData,
    masks: Sequence | np.ndarray | None,
    img_shape: tuple[int, int],
    style: Style,
) -> Image.Image:
    """Paint instances with masks, boxes, names and scores, the highest scores on top.

    Args:
        image: [H, W, 3] uint8 RGB.
        instances: ``bboxes`` [N, 4], ``labels`` [N] and perhaps ``scores`` [N].
        masks: N masks [h, w] over the whole image, or run lengths; None paints none.
        img_shape: (height, width) of the image to which the boxes belong.
        style: Names, colours and the width of the picture.
    """
    labels = [int(label) for label in instances.labels]
    boxes = _array(instances.bboxes).reshape(-1, 4)
    scores = _array(instances.scores) if 'scores' in instances else None
    order = range(len(labels)) if scores is None else np.argsort(scores, kind='stable')
    canvas = Canvas(image, style.panel_width)
    colours = [style.colour(label) for label in labels]
    for index in order:
        if masks is not None:
            canvas.paint_mask(_mask(masks[index]), colours[index])
    canvas.paint_boxes(boxes[order], img_shape, [colours[index] for index in order])
    names = [style.classes[label] for label in labels]
    texts = names if scores is None else [f'{a} {b:.2f}' for a, b in zip(names, scores)]
    size = canvas.text_size(texts)
    for index in order:
        canvas.paint_label(texts[index], boxes[index], img_shape, colours[index], size)
    return canvas.finish()


def _pseudo_panels(image: np.ndarray, evidence: Evidence, style: Style) -> list[Panel]:
    pseudo = evidence.pseudo_instances
    shape = evidence.img_shape[:2]
    boxes = paint_instances(image, pseudo, None, shape, style)
    panels = [Panel('pseudo boxes', f'{len(pseudo)} from the attention', boxes)]
    if 'masks' in pseudo:
        masks = _on_input(evidence.instance_maps('masks'), evidence)
        painted = paint_instances(image, pseudo, masks, shape, style)
        panels.append(Panel('pseudo masks', 'refined, what stage 4 learns', painted))
    return panels


def _validated_panel(image: np.ndarray, evidence: Evidence, style: Style) -> list[Panel]:
    """Paint the labels of the way back, with their weights in place of scores."""
    labels = evidence.validated
    weighted = InstanceData(bboxes=labels.bboxes, labels=labels.labels, scores=labels.weights)
    masks = None
    if 'masks' in labels:
        masks = _on_input(Maps(labels.masks, evidence.instance_stride), evidence)
    painted = paint_instances(image, weighted, masks, evidence.img_shape[:2], style)
    return [Panel('validated', 'labels of the way back, weights', painted)]


# The panels of each field of the evidence.
_PAINTERS = {
    'proposals': _proposal_panel,
    'attention': _attention_panel,
    'pseudo_instances': _pseudo_panels,
    'validated': _validated_panel,
}


def arrange_panels(rows: Sequence[Sequence[Panel]]) -> np.ndarray:
    """Arrange panels in rows on white, each below its title and caption.

    Args:
        rows: The panels of each row, all of the same width.

    Returns:
        [h, w, 3] uint8 RGB.
    """
    width = GAP + rows[0][0].image.width
    heights = [HEADER + GAP + max(panel.image.height for panel in row) for row in rows]
    size = (GAP + width * max(map(len, rows)), sum(heights))
    picture = Image.new('RGB', size, (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for row, height, bottom in zip(rows, heights, accumulate(heights)):
        for column, panel in enumerate(row):
            left, top = GAP + column * width, bottom - height
            title, caption = font(16, True, panel.title), font(12, text=panel.caption)
            draw.text((left, top + 16), panel.title, fill=INK, font=title, anchor='lm')
            draw.text((left, top + 35), panel.caption, fill=PALE_INK, font=caption, anchor='lm')
            picture.paste(panel.image, (left, top + HEADER))
    return np.asarray(picture)


def paint_panels(
    image: np.ndarray,
    prediction: InstanceData,
    style: Style,
    evidence: Evidence | None = None,
    ground_truth: InstanceData | None = None,
) -> list[Panel]:
    """Paint one image's results in the cascade as panels.

    The panels are image, proposals, attention, pseudo boxes, pseudo masks, validated labels,
    result and ground truth; those without content are left out.

    Args:
        image: [H, W, 3] uint8 RGB.
        prediction: ``bboxes`` [M, 4] in pixels of the image, ``labels`` [M], ``scores`` [M]
            and optionally ``masks`` (bool [M, H, W] or M run lengths).
        style: Names, colours and sizes.
        evidence: Results of the cascade for the image, in pixels of the network input.
        ground_truth: Like ``prediction``, without scores.
    """
    shape = image.shape[:2]
    panels = [_image_panel(image, evidence, style)]
    for field, paint in _PAINTERS.items():
        if evidence is not None and field in evidence:
            panels += paint(image, evidence, style)
    kept = prediction[prediction.scores >= style.score_thr]
    painted = paint_instances(image, kept, kept.get('masks'), shape, style)
    panels.append(Panel('result', f'{len(kept)} with score \u2265 {style.score_thr:g}', painted))
    if ground_truth is not None:
        masks = ground_truth.get('masks')
        painted = paint_instances(image, ground_truth, masks, shape, style)
        panels.append(Panel('ground truth', 'never seen in training', painted))
    return panels


def compose_panels(*args: Any, **kwargs: Any) -> np.ndarray:
    """Paint the panels of :func:`paint_panels` in one row.

    Args:
        *args: Of :func:`paint_panels`.
        **kwargs: Of :func:`paint_panels`.

    Returns:
        [h, w, 3] uint8 RGB.
    """
    return arrange_panels([paint_panels(*args, **kwargs)])


def save_picture(picture: np.ndarray, path: str | Path) -> None:
    """Write a picture, whole or not at all.

    Args:
        picture: [h, w, 3] uint8 RGB.
        path: File with the suffix of an image format.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)
