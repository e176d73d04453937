"""What is given for each image: its name, tags, proposals."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmlabelpenet.utils import UniqueNames, UserError

Tags = Sequence[str | int]

# mmdet's keywords of a call, without those of models that read texts.
KEYWORDS: tuple[str, ...] = ('return_vis', 'show', 'wait_time', 'no_save_vis', 'draw_pred')
KEYWORDS += ('pred_score_thr', 'return_datasamples', 'print_result', 'no_save_pred', 'out_dir')


class ShortDict(dict):
    """A dict that shows as its names and the numbers of their items, as at the end of a cell."""

    def __repr__(self) -> str:
        return f'<{", ".join(f"{name}: {len(items)}" for name, items in self.items())}>'


def require_keywords(given: Iterable[str]) -> None:
    """Refuse keywords of a call that the inferencer does not have.

    Raises:
        UserError: That names the first one, and those of mmdet's that there are.
    """
    unknown = [name for name in given if name not in KEYWORDS]
    if unknown:
        raise UserError(
            f"The inferencer has no keyword {unknown[0]!r}; of mmdet's it has "
            f'{", ".join(KEYWORDS)}.'
        )


def describe_images(images: Sequence[str | np.ndarray]) -> list[dict]:
    """Make a dict per image, with a unique name for its result.

    Args:
        images: Paths and arrays, see :func:`list_images`.

    Returns:
        For each image ``img_id``, and ``img`` or ``img_path``, ``photo_id`` and ``dataset_name``.
    """
    paths = [Path(os.path.abspath(one)) for one in images if not isinstance(one, np.ndarray)]
    stems = {path.stem for path in paths}
    # several folders: names begin with the folders in which the images differ
    root = Path(os.path.commonpath([path.parent for path in paths])) if paths else Path()
    flat = len(stems) == len({*paths})
    names, described = UniqueNames(), []
    for index, image in enumerate(images):
        if isinstance(image, np.ndarray):
            described.append({'img': image, 'img_id': names(f'{index:08d}', index)})
            continue
        path = Path(os.path.abspath(image))
        name = path.stem if flat else path.relative_to(root).with_suffix('').as_posix()
        described.append(
            {
                'img_path': image,
                'img_id': names(name, index),
                'photo_id': path.stem,
                'dataset_name': path.resolve().parent.name,
            }
        )
    return described


def per_image_tags(tags: Tags | Sequence[Tags], number: int) -> list[Tags]:
    """Give each of ``number`` images its own tags.

    Raises:
        UserError: If these are no lists, or not as many as images.
    """
    if isinstance(tags, str):
        raise UserError(f'Tags are lists of names; write [{tags!r}].')
    if all(isinstance(tag, str | int | np.integer) for tag in tags):
        return [tags] * number  # type: ignore[list-item]
    require_one_each('tags', tags, number)
    return list(tags)  # type: ignore[arg-type]


def require_one_each(what: str, given: Sequence, number: int) -> None:
    """Raise a UserError unless there is one of ``given`` for each of ``number`` images."""
    if len(given) != number:
        raise UserError(f'There are {number} photos, but {len(given)} lists of {what}: one each.')


def labels_of(names: Tags, classes: Sequence[str]) -> list[int]:
    """Get the sorted labels of tags, which are names or labels of classes.

    Raises:
        UserError: If one is no class.
    """
    known: dict[str | int, int] = {label: label for label in range(len(classes))}
    known |= {name: label for label, name in enumerate(classes)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f'The tag {unknown[0]!r} is no class of this model: it knows {", ".join(classes)}.'
        )
    return sorted({known[name] for name in names})
