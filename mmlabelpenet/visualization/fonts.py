"""Fonts that have the characters of a text."""

import logging
import string
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from mmengine.logging import print_log
from PIL import ImageFont


def _dejavu(bold: bool = False) -> str:
    """DejaVu Sans is among matplotlib's files, which exist on every machine."""
    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    return str(Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / name)


@cache
def characters_of(path: str) -> frozenset[str]:
    """Get the characters that a font file has; none if it cannot be read."""
    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (RuntimeError, OSError):
        return frozenset()


def find_font(text: str, bold: bool = False) -> str:
    """Find a font that has all characters of a text: DejaVu Sans, or one of this machine.

    Args:
        text: The text.
        bold: Whether DejaVu Sans is bold.

    Returns:
        The font's file; without such a font that of DejaVu Sans, and there is one warning.
    """
    missing = {one for one in text if not one.isspace()} - characters_of(_dejavu(bold))
    return (missing and _font_with(frozenset(missing))) or _dejavu(bold)


@cache
def _font_with(characters: frozenset[str]) -> str | None:
    needed = characters | set(string.ascii_letters + string.digits)
    for path in sorted(font_manager.findSystemFonts()):
        if needed <= characters_of(path):
            return path
    _warn_of(''.join(sorted(characters)))
    return None


@cache
def _warn_of(characters: str) -> None:
    if _warn_of.cache_info().currsize:
        return
    print_log(
        f'No font of this machine has the characters {characters}, so that pictures show boxes in '
        'their place: install one that has them, such as Noto Sans CJK.',
        logger='current',
        level=logging.WARNING,
    )


@cache
def font(size: float, bold: bool = False, text: str = '') -> ImageFont.FreeTypeFont:
    """Load a font, see :func:`find_font`.

    Args:
        size: Height in pixels.
        bold: Whether to load the bold face.
        text: What is written with it.
    """
    return ImageFont.truetype(find_font(text, bold), round(size))


def let_matplotlib_write(texts: Iterable[str]) -> None:
    """Let matplotlib, by which mmdet's visualizer writes, use a font that has some texts.

    Args:
        texts: The texts, such as the names of classes.
    """
    path = find_font(''.join(sorted({one for text in texts for one in text})))
    if path != _dejavu():
        font_manager.fontManager.addfont(path)
        name = font_manager.FontProperties(fname=path).get_name()
        known = [one for one in matplotlib.rcParams['font.sans-serif'] if one != name]
        matplotlib.rcParams['font.sans-serif'] = [*known[:1], name, *known[1:]]
