"""What is exported of one photo, and which instances are."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_api

from mmlabelpenet.utils import UserError

# Reads a photo: [H, W, 3] uint8 BGR of a path.
PhotoReader = Callable[[str], np.ndarray]


@dataclass
class LabelledPhoto:
    """The instances of one photo, the surest first.

    Attributes:
        img_id: Its name in the data set.
        img_path: Its file.
        dataset_name: Name of its data set.
        size: (height, width) in pixels.
        labels: [N] int.
        scores: [N].
        boxes: [N, 4] xyxy in pixels, x2 and y2 exclusive.
        masks: N run lengths as pycocotools has them; None where there are none.
        tags: Labels of the classes that are in the photo; None where that is unknown.
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

    def take(self, rows: np.ndarray) -> 'LabelledPhoto':
        """The instances of the given indices, in their order."""
        return replace(
            self,
            labels=self.labels[rows],
            scores=self.scores[rows],
            boxes=self.boxes[rows],
            masks=None if self.masks is None else [self.masks[row] for row in rows],
        )

    def inside(self) -> 'LabelledPhoto':
        """The same with boxes cut to the photo."""
        height, width = self.size
        return replace(self, boxes=self.boxes.clip(0, [width, height, width, height]))


@dataclass(frozen=True)
class Selection:
    """Which instances are worth being learned from.

    Attributes:
        score_thr: Least score.
        max_per_class: At most so many of a class in a photo, the surest; None takes all.
        min_area: Least pixels of the mask, or of the box where there are no masks; an empty
            mask never counts.
        tagged_only: Whether only classes count that are in the photo's tags, where it has some.
    """

    score_thr: float = 0.3
    max_per_class: int | None = None
    min_area: float = 1
    tagged_only: bool = True

    def __call__(self, photo: LabelledPhoto) -> LabelledPhoto:
        """Choose from a photo's instances, the surest first."""
        order = np.argsort(-photo.scores, kind='stable')
        photo = photo.take(order).inside()
        good = (photo.scores >= self.score_thr) & (photo.areas() >= max(self.min_area, 1))
        if self.tagged_only and photo.tags is not None:
            good &= np.isin(photo.labels, photo.tags)
        photo = photo.take(np.flatnonzero(good))
        if self.max_per_class is None:
            return photo
        same = photo.labels[:, None] == photo.labels
        return photo.take(np.flatnonzero(np.tril(same, -1).sum(axis=1) < self.max_per_class))


def file_names(photos: Sequence[LabelledPhoto]) -> list[str]:
    """A name of its own for each photo: its id, fit for a file and for a list of words.

    Ids of several data sets may be the same; then the data set's name leads. Slashes and blanks
    become underlines.

    Raises:
        UserError: If two photos would still have one name.
    """
    names = [_plain(photo.img_id) for photo in photos]
    if len(set(names)) < len(names):
        names = [_plain(f'{photo.dataset_name}_{photo.img_id}') for photo in photos]
    taken: dict[str, str] = {}
    for name, photo in zip(names, photos):
        if name in taken:
            raise UserError(
                f'{photo.img_path} and {taken[name]} would both be exported as {name}: rename one.'
            )
        taken[name] = photo.img_path
    return names


def _plain(name: str) -> str:
    return re.sub(r'[\s/\\]+', '_', name)


def class_counts(photos: Sequence[LabelledPhoto], num_classes: int) -> np.ndarray:
    """Instances [C] of each class in all photos."""
    labels = [photo.labels.astype(np.int64) for photo in photos]
    return np.bincount(np.concatenate([np.zeros(0, np.int64), *labels]), minlength=num_classes)


def photo_root(photos: Sequence[LabelledPhoto]) -> Path:
    """The deepest folder that holds all photos."""
    folders = {os.path.dirname(os.path.abspath(photo.img_path)) for photo in photos}
    return Path(os.path.commonpath(folders) if folders else os.getcwd())
