"""Base class of the data sets of tagged images."""

import os
import os.path as osp
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from logging import WARNING
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from mmlabelpenet.utils import UserError, explain_read_errors, visible_name

# First suspicious file, by sentence and folder.
_FIRST: dict[tuple[str, str], str] = {}
SUPERVISIONS = ('none', 'tags', 'full')


class TaggedDataset(BaseDetDataset):
    """A data set of images with tags; some data sets also have boxes and masks.

    Args:
        supervision: ``'tags'``; ``'full'`` for boxes and masks, which only tests and measurements
            use; ``'none'`` for images without annotations, such as VOC 2012's test images.
        skip: A text file of images to leave out, one per line, by file name or id, such as
            ``tools/misc/check_dataset.py --write-skip`` writes.
        dataset_name: Of the folder of its proposals, and in results; default: the name of the
            folder ``data_root``.
        strict: Whether a problem of the data is an error. If not, it is added to ``problems``,
            and the image is kept if possible.
        **kwargs: Of mmdet's ``BaseDetDataset``.

    Attributes:
        problems: Sentences about problems of the data.
        warnings: Sentences about what is suspicious but may be meant.
        image_root: Folder of the images, once they have been found.

    Raises:
        UserError: If ``supervision`` is unknown, ``data_root`` is an address, the skip list is
            missing, the name of the data set is no name of a folder, ``filter_cfg`` filters,
            ``indices`` choose no image, or a setting is not read.
    """

    REMEDY = 'set data_root in the config'
    # Settings of mmdet's data sets that this one does not read, and what stands in for each.
    UNREAD: Mapping[str, str] = {
        'data_prefix': 'data_root',
        'proposal_file': 'proposal_root of the config',
    }

    def __init__(
        self,
        supervision: str = 'tags',
        skip: str | None = None,
        strict: bool = True,
        dataset_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if supervision not in SUPERVISIONS:
            raise UserError(
                f'Unknown supervision {supervision!r}: choose one of {", ".join(SUPERVISIONS)}.'
            )
        root = str(kwargs.get('data_root') or '')
        if '://' in root:
            raise UserError(
                f'data_root is the address {root}: download the data, and set data_root to their '
                'folder.'
            )
        self.supervision = supervision
        self.dataset_name = name_of_dataset(dict(kwargs, dataset_name=dataset_name))
        self.strict = strict
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._suspicions: dict[str, list[str]] = defaultdict(list)
        self.image_root: str | None = None
        self._skipped = read_skip_list(skip) if skip else frozenset()
        if any((kwargs.get('filter_cfg') or {}).values()):
            raise UserError(
                f'{type(self).__name__} keeps every photo and knows no filter_cfg '
                f'({kwargs["filter_cfg"]}): leave it out, or name photos in a skip list.'
            )
        for name, instead in self.UNREAD.items():
            if kwargs.get(name):
                raise UserError(
                    f'{type(self).__name__} of {root} does not read {name}={kwargs[name]!r}: set '
                    f'{instead} instead.'
                )
        super().__init__(**kwargs)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, without the copy of all metainfo that ``metainfo`` makes."""
        return self._metainfo['classes']

    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the tags of an image; class-aware samplers call this."""
        return self.get_data_info(idx)['tags']

    def get_data_info(self, idx: int) -> dict:
        """Get the entry of an image, with its ``file_name``: its path below the folder of images.

        Results are filed and joined with ground truth by this name.
        """
        info = super().get_data_info(idx)
        name = osp.relpath(info['img_path'], self.image_root or osp.dirname(info['img_path']))
        return {**info, 'file_name': name}

    def report_problem(self, sentence: str) -> None:
        """Raise a problem of the data, or record it if the data set is not strict."""
        if self.strict:
            raise UserError(sentence)
        self.problems.append(sentence)

    def suspect(self, kind: str, example: str) -> None:
        """Collect what is suspicious but may be meant; each kind gets one warning at the end.

        Args:
            kind: A sentence with ``{count}`` and ``{example}``.
            example: File and place.
        """
        self._suspicions[kind].append(example)

    def filter_data(self) -> list[dict]:
        """Warn of what is suspicious; no image is left out."""
        for kind, examples in self._suspicions.items():
            self.warnings.append(kind.format(count=len(examples), example=examples[0]))
        # A check counts the images of every class itself.
        if self.strict and not self.test_mode and self.supervision != 'none':
            found = {label for info in self.data_list for label in info['tags']}
            names = [one for i, one in enumerate(self.classes) if i not in found]
            if names:
                self.warnings.append(
                    f'The data set of {self.data_root} has no photo of {len(names)} of '
                    f'{len(self.metainfo["classes"])} classes (such as {names[0]}): add some, or '
                    'choose the other classes by metainfo=dict(classes=[...]).'
                )
        for sentence in self.warnings if self.strict else ():
            _warn_once(sentence)
        return self.data_list

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> list:
        try:
            found = super()._get_unserialized_subset(indices)
        except (TypeError, IndexError):
            found = []
        if not found:
            raise UserError(
                f'indices={indices!r} chooses no photo of {self.data_root}, which has '
                f'{len(self.data_list)}: give the number of its first photos, or a list of '
                'numbers from 0, or leave it out.'
            )
        return found

    def is_skipped(self, name: str) -> bool:
        """Whether the skip list has an image's file name, with or without suffix."""
        return name in self._skipped or osp.splitext(name)[0] in self._skipped

    def find_images(self, root: str, names: Iterable[str], source: str) -> dict[str, str]:
        """Find images, and report those that are missing.

        Names match that look the same, in any Unicode normalisation: lists that were written on
        one system find images that are stored on another.

        Args:
            root: Folder that the names are relative to.
            names: File names.
            source: Where the names come from, for the message.

        Returns:
            The path of every image by its name; if the data set is not strict, also the paths
            of missing images.
        """
        names, list_files = list(names), cache(_list_files)
        self.image_root = root
        if not names:
            self.report_problem(f'{source} lists no photo, or all are skipped: add some.')
        found = {}
        for name in names:
            # Results and proposals are stored under this name, which must stay in their folder.
            if '://' in name:
                self.report_problem(
                    f'{source} names the photo {name}, which is an address: download the photos, '
                    'and name their files.'
                )
            if osp.isabs(name) or os.pardir in osp.normpath(name).split(os.sep):
                self.report_problem(
                    f'{source} names the photo {name}, which is not within {root}: name photos '
                    'relative to that folder.'
                )
            folder, base = osp.split(osp.join(root, name))
            files = list_files(folder)
            file = files.get(base) or files.get(visible_name(base))
            found[name] = file and osp.join(folder, file)
        self._report_twins(found, source)
        missing = [name for name, path in found.items() if path is None]
        for name in missing[: 1 if self.strict else None]:
            # Of many missing photos the first one tells why.
            near = _alike_file(osp.join(root, name)) if name == missing[0] else None
            remedy = f'there is {near}, so correct the name, or rename the file'
            self.report_problem(
                f'The photo {osp.join(root, name)} is missing ({len(missing)} of {len(names)} in '
                f'{source}): {remedy if near else self.REMEDY}.'
            )
        return {name: path or osp.join(root, name) for name, path in found.items()}

    def _report_twins(self, found: Mapping[str, str | None], source: str) -> None:
        """Report two names of one image, such as ``a.jpg`` and ``./a.jpg``."""
        names: dict[str, str] = {}
        for name, path in found.items():
            first = names.setdefault(path or name, name)
            if first != name:
                self.report_problem(
                    f'{source} names the photo {path} twice, as {first} and {name}: keep one.'
                )


def warn_of_first(sentence: str, path: str) -> None:
    """Log a warning of the first file of a folder that is suspicious, once in a process.

    Args:
        sentence: With ``{path}`` for the file.
        path: The file.
    """
    first = _FIRST.setdefault((sentence, osp.dirname(path)), path)
    _warn_once(sentence.format(path=first))


@cache
def _warn_once(sentence: str) -> None:
    """Log a warning, however often a data set is built."""
    print_log(sentence, logger='current', level=WARNING)


def name_of_dataset(cfg: Mapping) -> str:
    """Get the name of a data set: its ``dataset_name``, or else that of its folder.

    Args:
        cfg: The data set's config.

    Raises:
        UserError: If it is not the name of a folder.
    """
    root = cfg.get('data_root') or ''
    name = cfg.get('dataset_name') or osp.basename(osp.abspath(root))
    if not name or name != osp.basename(name) or name in (os.curdir, os.pardir):
        raise UserError(
            f'The data set of {root} has the name {name!r}: set dataset_name to a name without '
            'slashes.'
        )
    return name


def require_distinct_names(cfgs: Iterable[Mapping]) -> None:
    """Require that data sets of one name have their images in one folder.

    Proposals and results are filed under the name of the data set and the name of the image, so
    those of ``train/images`` and ``valid/images`` would replace each other.

    Args:
        cfgs: Configs of all data sets that are used together.

    Raises:
        UserError: If two folders have the same name.
    """
    folders: dict[str, str] = {}
    for cfg in cfgs:
        root = cfg.get('data_root')
        if not root:
            continue
        name, folder = name_of_dataset(cfg), osp.abspath(root)
        prefix = cfg.get('data_prefix') or ''
        prefix = prefix.get('img') or '' if isinstance(prefix, Mapping) else prefix
        images = osp.normpath(osp.join(folder, prefix))
        # These are filed by the name of their folder.
        if not osp.join(images, '').startswith(osp.join(folder, '')):
            name, folder = osp.join(name, osp.basename(images)), images
        first = folders.setdefault(name, folder)
        if osp.realpath(first) != osp.realpath(folder):
            raise UserError(
                f'Proposals and results of {first} and of {folder} would have the same names '
                f'{name}/...: set another dataset_name for one of them in the config, such as '
                f'dataset_name={osp.basename(osp.dirname(folder)) + "_" + osp.basename(folder)!r}.'
            )


def _alike_file(path: str) -> str | None:
    """Find a file that has the name of a missing one but for case, or a suffix less or more."""
    base = osp.basename(path).lower()
    wanted = {base, osp.splitext(base)[0]}
    files = sorted(_list_files(osp.dirname(path)).values())
    names = ((one, one.lower()) for one in files)
    return next((one for one, low in names if wanted & {low, osp.splitext(low)[0]}), None)


def _list_files(folder: str) -> dict[str, str]:
    """The files of a folder by their names, also as these look."""
    files = os.listdir(folder) if osp.isdir(folder) else []
    return {visible_name(file): file for file in files} | dict(zip(files, files))


def read_skip_list(path: str | Path) -> frozenset[str]:
    """Read a list of images to leave out.

    Args:
        path: A text file, one image per line; blank lines are ignored.

    Returns:
        The names.

    Raises:
        UserError: If it cannot be read.
    """
    with explain_read_errors(path, 'a skip list', 'fix the path, or leave skip out'):
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    return frozenset(line.strip() for line in lines if line.strip())
