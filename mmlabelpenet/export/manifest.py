"""The files that exports have written, which later exports may remove or replace."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmlabelpenet.utils import UserError, explain_read_errors, write_bytes


class Manifest:
    """The files that the exports of one format have written to a folder.

    It is a hidden file of the folder, with size and time of each file by split. Files that are
    not in it, or have been changed since, are the user's.

    Args:
        root: The folder.
        format: Of the export.
        split: Of the export.
        classes: Names of the classes.
    """

    def __init__(self, root: Path, format: str, split: str, classes: Iterable[str]) -> None:
        self.root, self.split = root, split
        self.path = root / f'.mmlabelpenet_{format}.json'
        self.content: dict[str, Any] = {'splits': {}}
        if self.path.is_file():
            with explain_read_errors(self.path, 'a list of exported files', 'delete it'):
                content = json.loads(self.path.read_text(encoding='utf-8'))
                known = {**content['splits'], split: content['splits'].get(split, {})}
                self.content = {'splits': known, 'classes': content['classes']}
        self.previous = dict(self.content['splits'].get(split, {}))
        self._require_classes(list(classes))

    def _require_classes(self, classes: list[str]) -> None:
        """Numbers of classes mean the same in all splits of a folder."""
        others = [name for name, files in self.content['splits'].items() if files]
        known = self.content.setdefault('classes', classes)
        if known != classes and set(others) - {self.split}:
            raise UserError(
                f'{self.root} holds an export of the classes {", ".join(known)}, and this one has '
                f'{", ".join(classes)}: choose another folder for --out.'
            )
        self.content['classes'] = classes

    def announce(self, names: Iterable[str]) -> None:
        """Note, before they are written, which files the export is going to write.

        Args:
            names: Paths within the folder.

        Raises:
            UserError: If there is such a file that no export has written.
        """
        names = list(dict.fromkeys(names))
        known = {name for files in self.content['splits'].values() for name in files}
        for name in names:
            if name not in known and os.path.lexists(self.root / name):
                raise UserError(
                    f'{self.root / name} is there already, and no export of this package has '
                    'written it: choose another folder for --out, or move the file away.'
                )
        self.content['splits'][self.split] = {**self.previous, **dict.fromkeys(names)}
        self._write()

    def finish(self, names: Iterable[str]) -> None:
        """Remove what the previous export of the split has written and this one has not.

        Args:
            names: The files that the export has written.
        """
        names = set(names)
        others = {
            name
            for split, files in self.content['splits'].items()
            for name in files
            if split != self.split
        }
        for name in self.previous.keys() - names - others:
            if self.previous[name] in (None, self._state(name)):
                self._remove(self.root / name)
        self.content['splits'][self.split] = {name: self._state(name) for name in sorted(names)}
        self._write()

    def _remove(self, path: Path) -> None:
        """Remove a file, and its folders up to that of the export if they are empty then."""
        with suppress(OSError):
            path.unlink()
            for folder in path.parents:
                if folder == self.root:
                    break
                folder.rmdir()

    def _state(self, name: str) -> list[int] | None:
        with suppress(OSError):
            found = (self.root / name).lstat()
            return [found.st_size, found.st_mtime_ns]
        return None

    def _write(self) -> None:
        write_bytes(self.path, json.dumps(self.content).encode())
