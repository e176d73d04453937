"""Files beside the package in its repository, which a wheel holds in the folder ``.mim``."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def resource_path(part: str) -> Path:
    """Get the path of a file or folder of the repository.

    Args:
        part: Its path in the repository, such as ``'tools/train.py'``.

    Returns:
        The path in the installed package, else that in the checkout, where it may be missing.
    """
    packed = PACKAGE / '.mim' / part
    return packed if packed.exists() else PACKAGE.parent / part
