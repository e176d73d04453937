"""Names of the results of images."""

import re
from pathlib import PurePosixPath
from typing import Any


def image_name(sample: Any) -> str:
    """Name the results of an image: its path below the folder of images, without suffix.

    Args:
        sample: A dict or data sample, with ``file_name``, as this package's data sets give it;
            otherwise its ``img_id`` is the name if it is a text, or else the last part of
            ``img_path``.

    Returns:
        A relative path that stays in its folder.
    """
    img_id, path, file_name = map(sample.get, ('img_id', 'img_path', 'file_name'))
    if file_name:
        name = _without_suffix(file_name)
    elif path and not isinstance(img_id, str):
        name = PurePosixPath(_without_suffix(path)).name
    else:
        name = str(img_id)
    parts = re.split(r'[/\\]+', name)
    return '/'.join(part for part in parts if part not in ('', '.', '..')) or '_'


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(''))


class UniqueNames:
    """Gives every image its own name, so that no result overwrites that of another image.

    Example:
        >>> names = UniqueNames()
        >>> [names('p', 'a/p.jpg'), names('p', 'b/p.jpg', 'VOC'), names('p', 'a/p.jpg')]
        ['p', 'VOC/p', 'p']
    """

    def __init__(self) -> None:
        self._owners: dict[str, object] = {}

    def __call__(self, name: str, owner: object, group: str | None = None) -> str:
        """Get the name of an image.

        Args:
            name: Wanted name.
            owner: What has it, such as the path of the image; it gets the same name every time.
            group: Name of its data set, which is put before a name that another image has.

        Returns:
            The name, perhaps behind that of the data set, or with a number.
        """
        wanted = [name] if group is None else [name, f'{group}/{name}']
        number = 1
        for candidate in wanted:
            if self._owners.setdefault(candidate, owner) == owner:
                return candidate
        while True:
            number += 1
            candidate = f'{wanted[-1]}_{number}'
            if self._owners.setdefault(candidate, owner) == owner:
                return candidate
