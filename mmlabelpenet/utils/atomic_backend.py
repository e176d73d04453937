"""Checkpoints on disk: MMEngine's storage with atomic writes, and the latest one of a run."""

import os
import re
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .files import WriteError, write_bytes


class AtomicBackend(LocalBackend):
    """Local files that appear whole or not at all.

    A config uses it as ``CheckpointHook(backend_args=dict(backend='atomic'))``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, whole or not at all.

        Args:
            obj: Its content.
            filepath: The file; its folder is created if it is missing.

        Raises:
            OSError: If it cannot be written, with its name. A file that was there stays as it is.
        """
        try:
            write_bytes(filepath, obj)
        except WriteError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), str(filepath)) from None


register_backend('atomic', AtomicBackend, force=True)


def latest_checkpoint(work_dir: str) -> str | None:
    """Find the checkpoint to resume from: the one that ``last_checkpoint`` names.

    If a killed run left that file empty, or its checkpoint is missing, it is the one of the latest
    epoch or iteration.

    Args:
        work_dir: Folder of the run.

    Returns:
        Its path; None if there is none.
    """
    note = Path(work_dir) / 'last_checkpoint'
    named = note.read_text(errors='replace').strip() if note.is_file() else ''
    if named and Path(named).is_file():
        return named
    counted = {
        int(found[1]): str(path)
        for path in Path(work_dir).glob('*.pth')
        if (found := re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem))
    }
    return counted[max(counted)] if counted else None
