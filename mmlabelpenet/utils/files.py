"""Writing files so that an interrupted process never leaves half of one."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it on success.

    Args:
        path: The file to write; its folder is created if it is missing.

    Yields:
        A path in the same folder and with the same suffix (for writers that choose a format by
        the suffix). It is renamed to ``path`` when the block ends and removed when it raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.tmp{path.suffix}')
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def read_file(path: str | Path) -> bytes:
    """Read a regular file; a pipe, a device or a folder is an error, where reading would wait.

    Args:
        path: The file.

    Raises:
        OSError: If it is missing, unreadable or no regular file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, 'not a regular file')
    return Path(path).read_bytes()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file, see :func:`atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write a UTF-8 text file, each line with its line feed, see :func:`atomic_path`."""
    write_bytes(path, ''.join(f'{line}\n' for line in lines).encode())
