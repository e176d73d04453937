"""MMEngine's storage for checkpoints, with atomic writes."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .files import write_bytes


class AtomicBackend(LocalBackend):
    """Local files that appear whole or not at all.

    A config uses it as ``CheckpointHook(backend_args=dict(backend='atomic'))``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, whole or not at all.

        Args:
            obj: Its content.
            filepath: The file; its folder is created if it is missing.
        """
        write_bytes(filepath, obj)


register_backend('atomic', AtomicBackend, force=True)
