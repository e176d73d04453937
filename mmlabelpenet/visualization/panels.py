"""One picture of one image's way through the cascade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData
from PIL import Image, ImageDraw
from pycocotools import mask as mask_api

from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.utils import atomic_path

from .canvas import Canvas, Colour, font

GAP = 14
HEADER = 46
INK, PALE_INK = (32, 32, 32), (112, 112, 112)


@dataclass
class Look:
    """How pictures are painted.

    Attributes:
        classes: Names of the classes.
        palette: A colour (red, green, blue in 0..255) per class.
        panel_width: Width of each panel in pixels.
        score_thr: Predictions below are not painted.
        max_proposals: As many proposals are painted, spread evenly over all.
        columns: Panels in a row; None puts all side by side.
    """

    classes: Sequence[str]
    palette: Sequence[Colour]
    panel_width: int = 320
    score_thr: float = 0.3
    max_proposals: int = 60
    columns: int | None = None

    def colour(self, label: int) -> Colour:
        """Get the colour of a class."""
        red, green, blue = self.palette[int(label) % len(self.palette)]
        return int(red), int(green), int(blue)


@dataclass
class Panel:
    """A painted image with what stands above it."""

    title: str
    caption: str
    image: Image.Image


def _array(values: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)


def _masks_of(instances: InstanceData) -> np.ndarray | None:
    """Masks [M, h, w] of instances, decoded where they are run lengths; None without masks."""
    masks = instances.get('masks')
    if masks is None or len(masks) == 0:
        return None
    if isinstance(masks[0], Mapping):
        return mask_api.decode(list(masks)).transpose(2, 0, 1)
    return _array(masks)


def shown_classes(evidence: Evidence, at_most: int = 4) -> list[int]:
    """Choose the classes whose attention is painted: the tagged, else the likely ones.

    Args:
        evidence: Of one image.
        at_most: More colours on one image can not be told apart.
    """
    if 'tags' in evidence:
        tagged = np.flatnonzero(_array(evidence.tags) > 0.5)
        return [int(label) for label in tagged[:at_most]]
    if 'image_scores' not in evidence:
        return []
    scores = _array(evidence.image_scores)
    likely = np.argsort(-scores, kind='stable')[:at_most]
    return [int(label) for label in likely if scores[label] >= 0.5] or [int(likely[0])]


def _on_input(maps: Maps, evidence: Evidence) -> np.ndarray:
    """Maps [M, h, w] on the pixels of the network input, [M, H, W]."""
    values = _array(maps.values)
    if len(values) == 0:
        return values
    size = (int(values.shape[2] * maps.stride), int(values.shape[1] * maps.stride))
    pixels = np.stack([cv2.resize(heat.astype(np.float32), size) for heat in values])
    height, width = evidence.img_shape[:2]
    return pixels[:, :height, :width]


def _image_panel(photo: np.ndarray, evidence: Evidence | None, look: Look) -> Panel:
    names = [look.classes[label] for label in shown_classes(evidence)] if evidence else []
    return Panel('photo', ', '.join(names), Canvas(photo, look.panel_width).finish())


def _proposal_panel(photo: np.ndarray, evidence: Evidence, look: Look) -> Panel:
    """Paint a sample of the proposals in grey, and each class's best in its colour."""
    boxes = _array(evidence.proposals.bboxes)
    count = min(look.max_proposals, len(boxes))
    sample = np.linspace(0, max(len(boxes) - 1, 0), count).astype(int)
    canvas = Canvas(photo, look.panel_width)
    canvas.fade(grey=0.3, white=0.25)
    shape = evidence.img_shape[:2]
    canvas.paint_boxes(boxes[sample], shape, [(80, 80, 80)] * count, line=0.5)
    scores = evidence.proposals.get('scores')
    if scores is not None and scores.ndim == 2:
        for label in shown_classes(evidence):
            best = np.argsort(-_array(scores)[:, label], kind='stable')[:3]
            canvas.paint_boxes(boxes[best], shape, [look.colour(label)] * len(best), line=2)
    return Panel('proposals', f'{count} of {len(boxes)}, best coloured', canvas.finish())


def _attention_panel(photo: np.ndarray, evidence: Evidence, look: Look) -> Panel:
    labels = shown_classes(evidence)
    maps = _on_input(evidence.attention[labels], evidence)
    canvas = Canvas(photo, look.panel_width)
    canvas.fade(grey=0.9, white=0.15)
    canvas.paint_heat(maps, [look.colour(label) for label in labels])
    return Panel('attention', 'of the classes in the photo', canvas.finish())


def _instance_panel(
    photo: np.ndarray,
    instances: InstanceData,
    masks: np.ndarray | None,
    img_shape: tuple[int, int],
    look: Look,
) -> Image.Image:
    """Paint instances with masks, boxes, names and scores, the best on top."""
    labels = [int(label) for label in instances.labels]
    boxes = _array(instances.bboxes).reshape(-1, 4)
    scores = _array(instances.scores) if 'scores' in instances else None
    order = range(len(labels)) if scores is None else np.argsort(scores, kind='stable')
    canvas = Canvas(photo, look.panel_width)
    colours = [look.colour(label) for label in labels]
    for index in order:
        if masks is not None:
            canvas.paint_mask(masks[index], colours[index])
    for index in order:
        canvas.paint_boxes(boxes[index : index + 1], img_shape, [colours[index]], line=2)
    for index in order:
        text = look.classes[labels[index]]
        text += '' if scores is None else f' {scores[index]:.2f}'
        canvas.paint_label(text, boxes[index], img_shape, colours[index])
    return canvas.finish()


def _pseudo_panels(photo: np.ndarray, evidence: Evidence, look: Look) -> list[Panel]:
    pseudo = evidence.pseudo_instances
    shape = evidence.img_shape[:2]
    boxes = _instance_panel(photo, pseudo, None, shape, look)
    panels = [Panel('pseudo boxes', f'{len(pseudo)} from the attention', boxes)]
    if 'masks' in pseudo:
        masks = _on_input(evidence.instance_maps('masks'), evidence)
        painted = _instance_panel(photo, pseudo, masks, shape, look)
        panels.append(Panel('pseudo masks', 'refined, what stage 4 learns', painted))
    return panels


def _evidence_panels(photo: np.ndarray, evidence: Evidence, look: Look) -> list[Panel]:
    """Paint what the stages know, as far as they went."""
    panels = []
    if 'proposals' in evidence:
        panels.append(_proposal_panel(photo, evidence, look))
    if 'attention' in evidence:
        panels.append(_attention_panel(photo, evidence, look))
    if 'pseudo_instances' in evidence:
        panels.extend(_pseudo_panels(photo, evidence, look))
    return panels


def _result_panel(photo: np.ndarray, prediction: InstanceData, look: Look) -> Panel:
    kept = prediction[prediction.scores >= look.score_thr]
    image = _instance_panel(photo, kept, _masks_of(kept), photo.shape[:2], look)
    return Panel('result', f'{len(kept)} with score \u2265 {look.score_thr:g}', image)


def _join(panels: Sequence[Panel], columns: int) -> Image.Image:
    """Set panels in rows on white, each with its title and caption above."""
    width, height = panels[0].image.size
    rows = -(-len(panels) // columns)
    size = (GAP + columns * (width + GAP), rows * (HEADER + height + GAP))
    picture = Image.new('RGB', size, (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        left, top = GAP + column * (width + GAP), row * (HEADER + height + GAP)
        draw.text((left, top + 16), panel.title, fill=INK, font=font(16, bold=True), anchor='lm')
        draw.text((left, top + 35), panel.caption, fill=PALE_INK, font=font(12), anchor='lm')
        picture.paste(panel.image, (left, top + HEADER))
    return picture


def compose_panels(
    photo: np.ndarray,
    prediction: InstanceData,
    look: Look,
    evidence: Evidence | None = None,
    truth: InstanceData | None = None,
) -> np.ndarray:
    """Paint one image's way through the cascade, panels side by side.

    Image, proposals, attention, pseudo boxes, pseudo masks, result, ground truth; a panel
    whose content is not given is left out.

    Args:
        photo: [H, W, 3] uint8 RGB.
        prediction: ``bboxes`` [M, 4] in pixels of the image, ``labels`` [M], ``scores`` [M]
            and, where there are masks, ``masks`` (bool [M, H, W] or M run lengths).
        look: Names, colours and sizes.
        evidence: What the cascade knows of the image, in network input pixels.
        truth: Like ``prediction``, without scores.

    Returns:
        [h, w, 3] uint8 RGB.
    """
    panels = [_image_panel(photo, evidence, look)]
    if evidence is not None:
        panels.extend(_evidence_panels(photo, evidence, look))
    panels.append(_result_panel(photo, prediction, look))
    if truth is not None:
        image = _instance_panel(photo, truth, _masks_of(truth), photo.shape[:2], look)
        panels.append(Panel('ground truth', 'never seen in training', image))
    return np.asarray(_join(panels, min(look.columns or len(panels), len(panels))))


def save_picture(picture: np.ndarray, path: str | Path) -> None:
    """Write a picture, whole or not at all.

    Args:
        picture: [h, w, 3] uint8 RGB.
        path: File with the suffix of an image format.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)
