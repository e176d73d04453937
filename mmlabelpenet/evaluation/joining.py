"""Joining the predictions of a file with the images of a data set, by the images' files."""

import filecmp
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from mmlabelpenet.utils import UserError, image_name

# How well a name agrees: but for the suffix, with the suffix, or as the very file.
NO, STEM, NAME, FILE = range(4)


class PredictionIndex:
    """Finds the predictions of an image by its file.

    Predictions name their image by ``img_path``, or by ``file_name`` and perhaps its folder
    ``photo_root``. If there is such a file, it must be that of the image, a link to it or a copy.
    Otherwise, as the data has been moved, the names must agree as far as both are known: a
    relative name is the end of the image's path, and of the path on another machine the data
    set's folder and the name within it are the end.

    Args:
        predictions: One dict per image, see :func:`read_predictions`.
        path: File of the predictions, for messages.

    Raises:
        UserError: If an image occurs twice.
    """

    def __init__(self, predictions: Sequence[Mapping], path: str | os.PathLike) -> None:
        self.path = path
        self._by_file: dict[str, Mapping] = {}
        self._by_stem: dict[str, list[Mapping]] = defaultdict(list)
        names = set()
        for sample in predictions:
            if not (sample.get('img_path') or sample.get('file_name')) and (
                not isinstance(sample.get('img_id'), str)
            ):
                raise UserError(
                    f'{path} names its photos by numbers such as {sample.get("img_id")} alone, '
                    'which mean other photos in another data set: dump them with img_path, among '
                    'the meta_keys of the packing transform.'
                )
            name, file = given_name(sample), given_file(sample)
            known = name, sample.get('dataset_name')
            if known in names or (file is not None and file in self._by_file):
                raise UserError(
                    f'{path} holds photo {image_name(sample)} twice: keep one of the two.'
                )
            names.add(known)
            if file is not None:
                self._by_file[file] = sample
            self._by_stem[PurePath(name).stem].append(sample)

    def example(self, info: Mapping, data_root: str) -> str:
        """Name one of the photos, for messages.

        Args:
            info: Entry of an image that has no predictions.
            data_root: Folder of the data set.
        """
        same = self._by_stem.get(PurePath(info['img_path']).stem, ())
        groups = (same, *self._by_stem.values())
        first = next((one for group in groups for one in group), None)
        if first is None:
            return ''
        name = given_file(first) or given_name(first)
        moved = same and given_file(first) is None and os.path.isabs(name)
        own = _within(os.path.abspath(info['img_path']), os.path.abspath(data_root))
        why = f', whose end is not {own} and which may be of another data set' if moved else ''
        return f', only others such as {name}{why}'

    def find(self, info: Mapping, data_root: str) -> Mapping | None:
        """Find the predictions of an image.

        Args:
            info: Its entry in the data set, with ``img_path``.
            data_root: Folder of the data set.

        Returns:
            The predictions; None if there are none.

        Raises:
            UserError: If those of several images could be meant.
        """
        exact = self._by_file.get(os.path.realpath(info['img_path']))
        if exact is not None:
            return exact
        candidates = self._by_stem.get(PurePath(info['img_path']).stem, ())
        levels = [_agreement(sample, info, data_root) for sample in candidates]
        best = [one for one, level in zip(candidates, levels) if level and level == max(levels)]
        if len(best) > 1:
            names = ' and '.join(sorted(given_name(one) for one in best[:2]))
            raise UserError(
                f'{self.path} holds {names}, and either could be {info["img_path"]}: name photos '
                'in it relative to the folder of the data set.'
            )
        return best[0] if best else None


def given_name(sample: Mapping[str, Any]) -> str:
    """Get the name by which predictions name their image; an id is one without suffix."""
    for key in ('img_path', 'file_name'):
        if sample.get(key):
            return _with_slashes(str(sample[key]))
    return f'{_with_slashes(str(sample["img_id"]))}.jpg'


def given_file(sample: Mapping[str, Any]) -> str | None:
    """Get the file of the image of predictions, links resolved; None if it is not here."""
    # a relative file_name is relative to a folder that is not known
    path = sample.get('img_path') or os.path.join(
        sample.get('photo_root') or '', sample.get('file_name') or ''
    )
    path = _with_slashes(os.fspath(path))
    if not sample.get('img_path') and not os.path.isabs(path):
        return None
    return os.path.realpath(path) if os.path.isfile(path) else None


def _with_slashes(name: str) -> str:
    """Understand the slashes and drives of Windows, unless there is a file of that very name."""
    if '\\' not in name or os.path.exists(name):
        return name
    return re.sub('^[A-Za-z]:(?=/)', '', name.replace('\\', '/'))


def _agreement(sample: Mapping[str, Any], info: Mapping, data_root: str) -> int:
    """How well the name of moved predictions agrees with an image."""
    path, name, file = os.path.abspath(info['img_path']), given_name(sample), given_file(sample)
    if file is not None:
        same = os.path.isfile(path) and filecmp.cmp(file, path, shallow=False)
        return FILE if same else NO
    given, known = sample.get('dataset_name'), info.get('dataset_name')
    if given and known:
        if given != known:
            return NO
        if info.get('file_name') and sample.get('file_name'):
            return _ends_with(_with_slashes(sample['file_name']), info['file_name'])
    if sample.get('img_path') or os.path.isabs(name):
        own = _within(path, os.path.abspath(data_root))
        return max(_ends_with(name, own), 0 if os.path.isabs(name) else _ends_with(path, name))
    return _ends_with(path, name)


def _within(path: str, data_root: str) -> str:
    """Path from the folder of a data set on, its name included."""
    relative = os.path.relpath(path, os.path.dirname(data_root))
    return os.path.join(*(part for part in relative.split(os.sep) if part != os.pardir))


def _ends_with(path: str, end: str) -> int:
    """Whether a path ends with the parts of another one, with or without suffix."""
    parts, last = PurePath(path).parts, PurePath(end).parts
    if len(last) > len(parts) or parts[len(parts) - len(last) : -1] != last[:-1]:
        return NO
    if parts[-1] == last[-1]:
        return NAME
    return STEM if PurePath(path).stem == PurePath(end).with_suffix('').name else NO
