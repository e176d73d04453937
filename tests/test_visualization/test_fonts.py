"""Class names in any script are written, or there is a warning."""

import logging

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from mmlabelpenet.visualization import Canvas, find_font, fonts, let_matplotlib_write


def forget():
    for function in (fonts._font_with, fonts._warn_of, fonts.font):
        function.cache_clear()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    forget()
    monkeypatch.setitem(matplotlib.rcParams, 'font.sans-serif', ['DejaVu Sans'])
    yield
    forget()


@pytest.fixture
def warnings(monkeypatch):
    said = []

    def note(message, logger, level=logging.INFO):
        said.append(message)

    monkeypatch.setattr(fonts, 'print_log', note)
    return said


@pytest.fixture
def only_fonts(monkeypatch):
    """Let this machine have some fonts only."""

    def use(*paths):
        monkeypatch.setattr(fonts.font_manager, 'findSystemFonts', lambda: [*map(str, paths)])

    return use


@pytest.fixture
def chinese(tmp_path):
    """A font that has the character for dog."""
    made = TTFont(find_font(''))
    for table in made['cmap'].tables:
        if table.isUnicode():
            table.cmap[ord('犬')] = 'A'
    for record in made['name'].names:
        if record.nameID in (1, 4, 16):
            record.string = 'Dog Sans'
    path = tmp_path / 'dog.ttf'
    made.save(path)
    return path


def painted(text):
    canvas = Canvas(np.zeros((40, 120, 3), np.uint8), 120)
    canvas.paint_label(text, np.array([2.0, 30, 60, 38]), (40, 120), (255, 255, 255))
    return np.asarray(canvas.finish())


def test_a_font_that_has_the_characters_is_found(only_fonts, warnings, chinese):
    only_fonts()
    boxes = painted('犬')
    forget()
    warnings.clear()
    only_fonts(chinese)
    assert find_font('犬 dog') == str(chinese)
    assert (painted('犬') != boxes).any()
    assert find_font('dog ≥ é') != str(chinese)
    let_matplotlib_write(['犬', 'dog'])
    assert matplotlib.rcParams['font.sans-serif'] == ['DejaVu Sans', 'Dog Sans']
    assert not warnings


def test_without_such_a_font_there_is_one_warning(only_fonts, warnings, tmp_path):
    (tmp_path / 'broken.ttf').write_bytes(b'no font')
    only_fonts(tmp_path / 'broken.ttf')
    for name in ('犬 0.5', '犬 0.6', '猫 0.5'):
        painted(name)
    assert len(warnings) == 1
    assert 'has the characters 犬,' in warnings[0]
    assert 'install' in warnings[0]
