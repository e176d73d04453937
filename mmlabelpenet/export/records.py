"""What is exported of one image, and which instances are."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_api

from mmlabelpenet.utils import UserError

# Reads an image: [H, W, 3] uint8 BGR of a path.
ImageReader = Callable[[str], np.ndarray]


@dataclass
class LabelledImage:
    """The instances of one image, the surest first.

    Attributes:
        img_id: Its name in the data set.
        img_path: Its file.
        dataset_name: Name of its data set.
        size: (height, width) in pixels.
        labels: [N] int.
        scores: [N].
        boxes: [N, 4] xyxy in pixels, x2 and y2 exclusive.
        masks: N run lengths as pycocotools has them; None where there are none.
        tags: Labels of the classes that are in the image; None where that is unknown.
        ignored_tags: Labels of which neither presence nor absence counts.
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

    def __len__(self) -> int:
        return len(self.labels)

    def areas(self) -> np.ndarray:
        """Pixels [N] of the masks, or of the boxes where there are no masks."""
        if self.masks is not None:
            return np.asarray(mask_api.area(self.masks) if self.masks else [], dtype=np.int64)
        return (self.boxes[:, 2:] - self.boxes[:, :2]).clip(min=0).prod(axis=1)

    def take(self, rows: np.ndarray) -> 'LabelledImage':
        """The instances of the given indices, in their order."""
        return replace(
            self,
            labels=self.labels[rows],
            scores=self.scores[rows],
            boxes=self.boxes[rows],
            masks=None if self.masks is None else [self.masks[row] for row in rows],
        )

    def inside(self) -> 'LabelledImage':
        """The same with boxes cut to the image."""
        height, width = self.size
        return replace(self, boxes=self.boxes.clip(0, [width, height, width, height]))


@dataclass(frozen=True)
class Selection:
    """Which instances are worth being learned from.

    Attributes:
        score_thr: Least score.
        max_per_class: At most so many of a class in an image, the surest; None takes all.
        min_area: Least pixels of the mask, or of the box where there are no masks; an empty
            mask never counts.
        tagged_only: Whether only classes count that are in the image's tags, where it has some.
    """

    score_thr: float = 0.3
    max_per_class: int | None = None
    min_area: float = 1
    tagged_only: bool = True

    def __call__(self, image: LabelledImage) -> LabelledImage:
        """Choose from an image's instances, the surest first."""
        order = np.argsort(-image.scores, kind='stable')
        image = image.take(order).inside()
        good = (image.scores >= self.score_thr) & (image.areas() >= max(self.min_area, 1))
        if self.tagged_only and image.tags is not None:
            good &= np.isin(image.labels, image.tags)
        image = image.take(np.flatnonzero(good))
        if self.max_per_class is None:
            return image
        same = image.labels[:, None] == image.labels
        return image.take(np.flatnonzero(np.tril(same, -1).sum(axis=1) < self.max_per_class))


def file_names(images: Sequence[LabelledImage]) -> list[str]:
    """A name of its own for each image: its id, fit for a file and for a list of words.

    Ids of several data sets may be the same; then the data set's name leads. Slashes and blanks
    become underlines.

    Raises:
        UserError: If two images would still have one name.
    """
    names = [_plain(image.img_id) for image in images]
    if len(set(names)) < len(names):
        names = [_plain(f'{image.dataset_name}_{image.img_id}') for image in images]
    taken: dict[str, str] = {}
    for name, image in zip(names, images):
        if name in taken:
            raise UserError(
                f'{image.img_path} and {taken[name]} would both be exported as {name}: rename one.'
            )
        taken[name] = image.img_path
    return names


def _plain(name: str) -> str:
    return re.sub(r'[\s/\\]+', '_', name)


def class_counts(images: Sequence[LabelledImage], num_classes: int) -> np.ndarray:
    """Instances [C] of each class in all images."""
    labels = [image.labels.astype(np.int64) for image in images]
    return np.bincount(np.concatenate([np.zeros(0, np.int64), *labels]), minlength=num_classes)


def image_root(images: Sequence[LabelledImage]) -> Path:
    """The deepest folder that holds all images."""
    folders = {os.path.dirname(os.path.abspath(image.img_path)) for image in images}
    return Path(os.path.commonpath(folders) if folders else os.getcwd())
