"""Errors that a user can fix."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Letters of another library's message within a sentence.
LONGEST = 300
# How files begin that are often taken for others, and what to do.
LFS_POINTER = b'version https://git-lfs'
WEB_PAGE = rb'\s*<(!doctype html|html|head|body)'
LFS_REMEDY = 'a pointer of Git LFS: run `git lfs pull`'
OTHER_FILES = {
    re.escape(LFS_POINTER): LFS_REMEDY,
    WEB_PAGE: 'a web page, as of a login: download the file itself',
    rb'\x1f\x8b': 'compressed by gzip: unpack it with `gunzip`',
    rb'BZh\d|\xfd7zXZ\0|7z\xbc\xaf|Rar!': 'compressed: unpack it',
}
TABLES = ('.csv', '.tsv', '.txt', '.xls', '.xlsx', '.ods')


class UserError(Exception):
    """Bad input, explained in one sentence that names the file and the remedy.

    The tools print the sentence without a traceback and exit with code 2.
    """


def other_file(path: object) -> str:
    """Recognize a file of another kind by its first bytes.

    Args:
        path: Of the file.

    Returns:
        What it is, with the remedy; nothing if it is not known, or no file.
    """
    head = b''
    with suppress(OSError, ValueError):
        if Path(str(path)).is_file():
            with open(str(path), 'rb') as file:
                head = file.read(100)
    suffix = Path(str(path)).suffix.lower()
    if head[:4] == b'PK\x03\x04' and suffix in ('.json', '.jsonl', '.xml'):
        return 'a zip archive: unpack it'
    if head[:4] in (b'PK\x03\x04', b'\xd0\xcf\x11\xe0') and suffix in TABLES:
        return 'a workbook of a spreadsheet program: save it there as CSV in UTF-8'
    return next((text for start, text in OTHER_FILES.items() if re.match(start, head, re.I)), '')


@contextmanager
def explain_read_errors(path: object, kind: str, remedy: str) -> Iterator[None]:
    """Explain any error in reading a file in one sentence.

    Damaged files raise errors of many types, depending on the library that reads them.

    Args:
        path: Of the file.
        kind: What the file should be, such as ``'a checkpoint'``.
        remedy: What the user can do about it.

    Raises:
        UserError: If anything is raised within the block.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        other = other_file(path)
        if other:
            raise UserError(f'{path} cannot be read as {kind}, for it is {other}.') from error
        reason = f'{type(error).__name__}: {error}'
        reason = reason if len(reason) <= LONGEST else f'{reason[:LONGEST]} ...'
        raise UserError(f'{path} cannot be read as {kind} ({reason}): {remedy}.') from error
