"""mmengine's storage for checkpoints, without half files."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .files import atomic_path


class AtomicBackend(LocalBackend):
    """Local files that are written beside their place and renamed.

    A config takes it as ``CheckpointHook(backend_args=dict(backend='atomic'))``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, whole or not at all.

        Args:
            obj: Its content.
            filepath: Where it shall lie; its folder is made where it is missing.
        """
        with atomic_path(filepath) as temporary:
            temporary.write_bytes(obj)


register_backend('atomic', AtomicBackend, force=True)
