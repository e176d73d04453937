"""What all data sets of tagged images share."""

import os
import os.path as osp
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset

from mmlabelpenet.utils import UserError

SUPERVISIONS = ('none', 'tags', 'full')


class ImageFolder:
    """Finds images by name with one listing of each folder.

    A name is found in whichever way its accents are composed: lists that were written on one
    system name images that lie on another.

    Args:
        root: Folder that the names are relative to.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._listings: dict[str, dict[str, str]] = {}

    def find(self, name: str) -> str | None:
        """Get the path of an image; None where there is none of this name."""
        folder, base = osp.split(name)
        if folder not in self._listings:
            path = osp.join(self.root, folder)
            files = os.listdir(path) if osp.isdir(path) else []
            self._listings[folder] = {unicodedata.normalize('NFC', file): file for file in files}
            self._listings[folder] |= {file: file for file in files}
        listing = self._listings[folder]
        found = listing.get(base) or listing.get(unicodedata.normalize('NFC', base))
        return None if found is None else osp.join(self.root, folder, found)


class TaggedDataset(BaseDetDataset):
    """A data set of images with tags, of which some also know boxes and masks.

    Args:
        supervision: ``'tags'``; ``'full'`` for what tests and measurements look at; ``'none'`` for
            images of which nothing is known, as VOC 2012's test images.
        skip: A text file of images to leave out, one a line, by file name or id; what
            ``tools/misc/check_dataset.py --write-skip`` writes.
        strict: Whether a fault of the data is an error. Where it is not, as for the checker,
            it is added to ``problems``, and the image stays in as far as that is possible.
        **kwargs: Of mmdet's ``BaseDetDataset``.

    Attributes:
        problems: Sentences on what is wrong.

    Raises:
        UserError: If ``supervision`` is unknown or the skip list is missing.
    """

    REMEDY = 'set data_root in the config'

    def __init__(
        self,
        supervision: str = 'tags',
        skip: str | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        if supervision not in SUPERVISIONS:
            raise UserError(
                f'Unknown supervision {supervision!r}: choose one of {", ".join(SUPERVISIONS)}.'
            )
        self.supervision = supervision
        self.strict = strict
        self.problems: list[str] = []
        self._skipped = read_skip_list(skip) if skip else frozenset()
        super().__init__(**kwargs)

    def get_cat_ids(self, idx: int) -> list[int]:
        """The tags of an image: what class-aware samplers ask for."""
        return self.get_data_info(idx)['tags']

    def complain(self, sentence: str) -> None:
        """Raise a fault of the data, or note it where the data set is not strict."""
        if self.strict:
            raise UserError(sentence)
        self.problems.append(sentence)

    def is_skipped(self, name: str) -> bool:
        """Whether the skip list names an image, by its file name, with the suffix or without."""
        return name in self._skipped or osp.splitext(name)[0] in self._skipped

    def find_images(self, root: str, names: Iterable[str], source: str) -> dict[str, str]:
        """Find images, and complain of those that are missing.

        Args:
            root: Folder that the names are relative to.
            names: File names.
            source: What names them, for the message.

        Returns:
            The path of every image by its name; also, where the data set is not strict, of
            missing ones.
        """
        folder, names = ImageFolder(root), list(names)
        for name in names:
            # Results and proposals are filed by this name, which must not lead elsewhere.
            if osp.isabs(name) or os.pardir in osp.normpath(name).split(os.sep):
                self.complain(
                    f'{source} names the photo {name}, which is not within {root}: name photos '
                    'relative to that folder.'
                )
        found = {name: folder.find(name) for name in names}
        missing = [name for name, path in found.items() if path is None]
        for name in missing[: 1 if self.strict else None]:
            self.complain(
                f'The photo {osp.join(root, name)} is missing ({len(missing)} of {len(names)} in '
                f'{source}): {self.REMEDY}.'
            )
        return {name: path or osp.join(root, name) for name, path in found.items()}


def read_skip_list(path: str | Path) -> frozenset[str]:
    """Read a list of images to leave out.

    Args:
        path: A text file, one image a line; blank lines don't count.

    Returns:
        The names.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'The skip list {path} cannot be read ({error}): mend the path, or leave skip out.'
        ) from None
    return frozenset(line.strip() for line in lines if line.strip())
