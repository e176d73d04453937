"""Folders of images with a tag file."""

import logging
import os
import os.path as osp
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mmengine.logging import print_log

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .metainfo import class_metainfo
from .tag_file import TagFile, TagLine, read_class_folders, read_tag_file
from .tag_names import is_image_name
from .tagged import TaggedDataset

# Names of images in exports of Label Studio.
SERVED = re.compile(r'(?:\w+:/+[^/]+)?/?data/(?:upload/(?:\d+/)?|local-files/\?d=)(.+)')


@DATASETS.register_module()
class TagFileDataset(TaggedDataset):
    """A folder of images and a tag file, see :func:`read_tag_file`.

    Without a tag file, every subfolder of the images is a class, see :func:`read_class_folders`.
    The classes are those of the file. An image is a dict of

    - ``img_id``: its path in the folder without the suffix; ``img_path``;
    - ``dataset_name``: name of its proposals' folder; ``num_classes``;
    - ``tags``, ``ignored_tags``: sorted class indices, the latter of unsure tags such as ``?dog``.

    Args:
        data_root: Folder of images, which may have subfolders.
        tag_file: Tag file, relative to the working folder or to ``data_root``; it may name images
            without suffix. Empty, or a folder: its subfolders are the classes.
        class_file: Tag file, or folder of classes, that defines the classes; default ``tag_file``.
            For test images, which may not have all classes.
        metainfo: ``classes`` in another order, or some of them.
        **kwargs: Of :class:`TaggedDataset`; ``supervision`` can only be ``'tags'``.

    Raises:
        UserError: If the folder, a file or an image is missing, an image is listed twice, or two
            images differ only in their suffix.
    """

    METAINFO = {'classes': (), 'palette': [], 'dataset_type': 'TagFile'}
    REMEDY = 'put it there, fix the tag file, or set data_root'
    UNREAD: Mapping[str, str] = {**TaggedDataset.UNREAD, 'ann_file': 'tag_file'}

    def __init__(
        self,
        data_root: str,
        tag_file: str | None = None,
        class_file: str | None = None,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get('supervision', 'tags') != 'tags':
            raise UserError(f"{tag_file} contains tags only: set supervision='tags'.")
        self.tag_file = _locate(tag_file, data_root)
        self.content = _read(self.tag_file)
        own = _read(_locate(class_file, data_root)) if class_file else self.content
        self.known_classes = own.classes
        for sentence in self.content.doubts:
            _warn_once(sentence)
        super().__init__(
            data_root=data_root,
            metainfo=class_metainfo(self.known_classes, metainfo, self.tag_file),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Find the image of every line.

        Returns:
            One dict per image, in the order of the file.
        """
        if not osp.isdir(self.data_root):
            raise UserError(f'There is no folder of photos at {self.data_root}: {self.REMEDY}.')
        complete = _NameCompletion(self.data_root)
        lines = [replace(line, image=complete(line.image)) for line in self.content.lines]
        lines = [line for line in lines if not self.is_skipped(line.image)]
        for sentence in (*self.content.problems, *self._problems(lines)):
            self.report_problem(sentence)
        paths = self.find_images(self.data_root, [line.image for line in lines], self.tag_file)
        labels = {name: label for label, name in enumerate(self.classes)}
        return [
            {
                'img_id': osp.splitext(line.image)[0],
                'img_path': paths[line.image],
                'dataset_name': self.dataset_name,
                'num_classes': len(labels),
                'tags': _labels(line.tags, labels),
                'ignored_tags': _labels(line.unsure, labels),
            }
            for line in lines
        ]

    def _problems(self, lines: list[TagLine]) -> list[str]:
        """Find unknown classes, and images whose names without suffix are the same.

        Results and proposals are stored under the name without suffix.
        """
        unknown = [name for name in self.content.classes if name not in self.known_classes]
        images = Counter(line.image for line in lines)
        count = Counter(osp.splitext(image)[0] for image in images)
        problems = [
            f'{self.tag_file} names the photo {image} {number} times, in different ways: keep one '
            'of them.'
            for image, number in images.items()
            if number > 1
        ]
        problems += [
            f'{self.tag_file} has {number} photos {name} that differ only in their suffix: rename '
            'all but one.'
            for name, number in count.items()
            if number > 1
        ]
        if unknown:
            problems.append(
                f'{self.tag_file} has tags {", ".join(unknown)} that the file of classes lacks: '
                'fix one of the two.'
            )
        return problems


def _labels(names: list[str], labels: Mapping[str, int]) -> list[int]:
    """Sorted labels of class names; classes that a config leaves out have none."""
    return sorted({labels[name] for name in names if name in labels})


@cache
def _warn_once(sentence: str) -> None:
    print_log(sentence, logger='current', level=logging.WARNING)


class _NameCompletion:
    """Completes names of images: the suffix, if one image has it, and slashes of Windows.

    Of names that Label Studio gives to images on its server, the part that is in the folder is
    kept.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._stems: dict[str, dict[str, list[str]]] = {}

    def __call__(self, name: str) -> str:
        if '\\' in name and not osp.exists(osp.join(self.root, name)):
            name = osp.normpath(name.replace('\\', '/'))
        served = SERVED.fullmatch(name)
        if served and not osp.exists(osp.join(self.root, name)):
            parts = unquote(served[1]).split('/')
            names = ['/'.join(parts[i:]) for i in range(len(parts))]
            names += [re.sub('^[0-9a-f]{8}-', '', parts[-1])]
            name = next((one for one in names if osp.exists(osp.join(self.root, one))), names[-1])
        if is_image_name(name) or osp.exists(osp.join(self.root, name)):
            return name
        folder, stem = osp.split(name)
        if folder not in self._stems:
            self._stems[folder] = _images_by_stem(osp.join(self.root, folder))
        found = self._stems[folder].get(stem, [])
        if len(found) > 1:
            raise UserError(
                f'The photo {name} may be {" or ".join(found)} in {self.root}: write its suffix.'
            )
        return osp.join(folder, found[0]) if found else name


def _images_by_stem(folder: str) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = {}
    for file in sorted(os.listdir(folder)) if osp.isdir(folder) else ():
        if is_image_name(file):
            stems.setdefault(osp.splitext(file)[0], []).append(file)
    return stems


def _read(path: str) -> TagFile:
    """Read a tag file, or a folder with a subfolder for each class."""
    if osp.isdir(path):
        return read_class_folders(path)
    if not osp.exists(path):
        raise UserError(
            f'There is no tag file at {path}: fix the path, or set tag_file to the folder of '
            'photos if each of its subfolders is a class.'
        )
    content = Path(path).read_bytes() if osp.isfile(path) and os.access(path, os.R_OK) else b''
    return _read_once(path, content)


# Config, class checks and data sets read the same file; reading 100,000 lines takes seconds.
@lru_cache(maxsize=2)
def _read_once(path: str, content: bytes) -> TagFile:
    """Read a tag file, unless its content is known."""
    return read_tag_file(path)


def _locate(path: str | None, data_root: str) -> str:
    if not path:
        return data_root
    inside = osp.join(data_root, path)
    return path if osp.exists(path) or not osp.exists(inside) else inside
