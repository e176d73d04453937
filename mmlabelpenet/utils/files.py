"""Writing files so that an interrupted process never leaves half of one."""

import errno
import itertools
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError

# Where numbers of processes have one meaning: this machine, or one of the containers on it.
_NAMESPACE = Path('/proc/self/ns/pid')
_HOST = re.sub(r'\W+', '-', socket.gethostname())
_HOST += f'-{_NAMESPACE.stat().st_ino if _NAMESPACE.exists() else 0}'
_NUMBERS = itertools.count()
# Folders in which this process has already looked for files of killed processes.
_tidied: set[tuple[int, str]] = set()


class WriteError(UserError, OSError):
    """A file that cannot be written: no space, no permission, a folder that is a file, ..."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it on success.

    Temporary files that killed processes of this machine have left in the folder are removed.

    Args:
        path: The file to write; its folder is created if it is missing.

    Yields:
        A path in the same folder and with the same suffix (for writers that choose a format by
        the suffix). It is renamed to ``path`` when the block ends and removed when it raises.

    Raises:
        WriteError: For an OSError within the block: only write there.
    """
    path = Path(path)
    # the beginning of the name: with all of a long one the name would be too long
    number = f'{_HOST}.{os.getpid()}-{next(_NUMBERS)}'
    temporary = path.with_name(f'.{path.stem[:40]}.{number}.tmp{path.suffix}')
    with explain_write_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _tidy(path.parent)
            yield temporary
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()


@contextmanager
def explain_write_errors(path: str | Path) -> Iterator[None]:
    """Explain an OSError in writing a file in one sentence.

    Args:
        path: Of the file or folder.

    Raises:
        WriteError: If an OSError is raised within the block.
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        explained = WriteError(
            f'{path} cannot be written ({error.strerror or error}): free space, get the '
            'permission, or choose another path.'
        )
        explained.errno = error.errno
        raise explained from error


def require_writable(path: str | Path, folder: bool = False) -> None:
    """Make sure, before long work, that its result can be written.

    Args:
        path: The file to write later; its folder is created.
        folder: Whether the path is that of a folder to write to.

    Raises:
        WriteError: If it cannot be written.
    """
    if '://' in str(path):
        raise WriteError(f'{path} is an address: name a path of this machine.')
    path = Path(path)
    if path.is_dir() and not folder:
        raise WriteError(f'{path} is a folder, but a file is to be written: name a file in it.')
    folder_path = path if folder else path.parent
    with explain_write_errors(path):
        folder_path.mkdir(parents=True, exist_ok=True)
        # a file without a name, of which nothing stays
        tempfile.TemporaryFile(dir=folder_path).close()


def _tidy(folder: Path) -> None:
    """Remove temporary files of processes of this machine that do not run any more."""
    key = os.getpid(), os.path.realpath(folder)
    if key in _tidied:
        return
    _tidied.add(key)
    pattern = re.compile(rf'\..*\.{re.escape(_HOST)}\.(\d+)-\d+\.tmp(\..*)?')
    # not listdir: the names of millions of files would fill the memory of each process
    with os.scandir(folder) as entries:
        for entry in entries:
            found = pattern.fullmatch(entry.name)
            if found and not _runs(int(found[1])):
                with suppress(OSError):
                    os.unlink(entry.path)


def _runs(process: int) -> bool:
    """Whether another process has this number; this one has not written here yet."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
