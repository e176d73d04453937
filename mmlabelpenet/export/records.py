"""Records of the images to export, and selection of their instances."""

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_api

from mmlabelpenet.utils import UserError, image_name, mask_areas

# Reads an image: [H, W, 3] uint8 BGR of a path.
ImageReader = Callable[[str], np.ndarray]


@dataclass
class LabelledImage:
    """The instances of one image, by falling score.

    Attributes:
        img_id: Its name in the data set: the path below the folder of images without suffix.
        img_path: Its file.
        dataset_name: Name of its data set.
        size: (height, width) in pixels.
        labels: [N] int.
        scores: [N].
        boxes: [N, 4] xyxy in pixels, x2 and y2 exclusive.
        masks: N COCO RLE dicts; None without masks.
        tags: Labels of the classes in the image; None if unknown.
        ignored_tags: Labels of the classes that are neither present nor absent.
        doubt: In 0..1, how unsure the model is of the image, see :func:`doubt_of`.
    """

    img_id: str
    img_path: str
    dataset_name: str
    size: tuple[int, int]
    labels: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    masks: list[dict] | None = None
    tags: list[int] | None = None
    ignored_tags: Sequence[int] = ()
    doubt: float = 0.0

    def __len__(self) -> int:
        return len(self.labels)

    def areas(self) -> np.ndarray:
        """Compute the areas [N] in pixels of the masks, or without masks of the boxes."""
        if self.masks is not None:
            return mask_areas(self.masks)
        return (self.boxes[:, 2:] - self.boxes[:, :2]).clip(min=0).prod(axis=1)

    def take(self, indices: np.ndarray) -> 'LabelledImage':
        """Select the instances with the given indices, in this order."""
        return replace(
            self,
            labels=self.labels[indices],
            scores=self.scores[indices],
            boxes=self.boxes[indices],
            masks=None if self.masks is None else [self.masks[index] for index in indices],
        )


@dataclass(frozen=True)
class Selection:
    """Selects the instances to export.

    Attributes:
        score_thr: Minimum score.
        max_per_class: Maximum number of instances per class and image, those with the highest
            scores; None for all.
        min_area: Minimum area in pixels of the mask, or without masks of the box; empty masks are
            never selected.
        tagged_only: Whether to select only classes in the image's tags, if these are known.
        boxes: ``'detector'`` for the boxes of the stage that found the instances, ``'mask'`` for
            the tight boxes of their masks.
    """

    score_thr: float = 0.3
    max_per_class: int | None = None
    min_area: float = 1
    tagged_only: bool = True
    boxes: str = 'detector'

    def __call__(self, image: LabelledImage) -> LabelledImage:
        """Select instances of an image; they are sorted by falling score and boxes are clipped."""
        image = image.take(np.argsort(-image.scores, kind='stable'))
        height, width = image.size
        image = replace(image, boxes=image.boxes.clip(0, [width, height, width, height]))
        good = (image.scores >= self.score_thr) & (image.areas() >= max(self.min_area, 1))
        if self.tagged_only and image.tags is not None:
            good &= np.isin(image.labels, image.tags)
        image = image.take(np.flatnonzero(good))
        if self.boxes == 'mask' and image.masks:
            corners = np.array(mask_api.toBbox(image.masks), dtype=image.boxes.dtype)
            corners[:, 2:] += corners[:, :2]
            image = replace(image, boxes=corners)
        if self.max_per_class is None:
            return image
        same = image.labels[:, None] == image.labels
        return image.take(np.flatnonzero(np.tril(same, -1).sum(axis=1) < self.max_per_class))


def doubt_of(labels: np.ndarray, scores: np.ndarray, tags: Sequence[int] | None) -> float:
    """How unsure a model is of an image: of the tag whose best instance has the lowest score.

    Args:
        labels: [N] of the instances that it finds, of any score.
        scores: [N] in 0..1.
        tags: Labels of the classes in the image; None if unknown: then of its best instance.

    Returns:
        1 less that score, 1 if there is no instance; 0 if the image has no tag.
    """
    own = [np.ones(len(labels), bool)] if tags is None else [labels == tag for tag in tags]
    return float(1 - min((scores[one].max(initial=0) for one in own), default=1))


def most_doubtful(images: Sequence[LabelledImage], share: float) -> list[LabelledImage]:
    """The given share of images that the model is least sure of, at least one, by doubt."""
    order = sorted(images, key=lambda image: -image.doubt)
    return order[: max(math.ceil(share * len(images)), 1)]


def file_names(images: Sequence[LabelledImage], blanks: bool = True) -> list[str]:
    """Make a unique name for each image from its name in the data set, subfolders included.

    If images of several data sets have one name, the data set's name becomes a prefix.

    Args:
        images: The images.
        blanks: Whether names may have blanks; if not, they become underscores.

    Raises:
        UserError: If two images would still have the same name.
    """
    names = [_plain(image.img_id, blanks) for image in images]
    if len(set(names)) < len(names):
        names = [_plain(f'{image.dataset_name}_{image.img_id}', blanks) for image in images]
    taken: dict[str, str] = {}
    for name, image in zip(names, images):
        if name in taken:
            raise UserError(
                f'{image.img_path} and {taken[name]} would both be exported as {name}: rename one.'
            )
        taken[name] = image.img_path
    return names


def _plain(name: str, blanks: bool) -> str:
    name = image_name({'img_id': name})
    return name if blanks else re.sub(r'\s+', '_', name)


def class_counts(images: Sequence[LabelledImage], num_classes: int) -> np.ndarray:
    """Count the instances [C] of each class in all images."""
    labels = [image.labels.astype(np.int64) for image in images]
    return np.bincount(np.concatenate([np.zeros(0, np.int64), *labels]), minlength=num_classes)


def image_root(images: Sequence[LabelledImage]) -> Path:
    """Find the deepest folder that contains all images."""
    folders = {os.path.dirname(os.path.abspath(image.img_path)) for image in images}
    return Path(os.path.commonpath(folders) if folders else os.getcwd())
