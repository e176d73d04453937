import re

from PIL import Image

from .conftest import CLASSES, NAME


def test_the_most_doubtful_image_is_the_first(page):
    text = page.read_text()
    assert re.findall(r'doubt (\d\.\d\d)</span>\n\s*</p>', text) == ['1.00', '0.55', '0.00']
    assert re.findall(r'data-agreement="(\w+)"', text) == ['no', 'no', 'yes']


def test_texts_are_escaped(page):
    text = page.read_text()
    for name in (*CLASSES, NAME, 'Labels <of> a test'):
        assert name not in text
    assert text.count('&lt;b&gt;x&lt;/b&gt;') > 3


def test_pictures_of_the_page_are_beside_it_under_plain_names(page):
    paths = re.findall(r'<img src="([^"]+)"', page.read_text())
    assert len(set(paths)) == 6
    for path in paths:
        assert re.fullmatch(r'pictures/\d{5}_\d\.webp', path)
        with Image.open(page.parent / path) as picture:
            assert picture.size == (80, 60)
    assert sorted(one.name for one in page.parent.iterdir()) == ['index.html', 'pictures']


def test_thumbnails_are_loaded_when_they_are_seen(page):
    cards = re.findall(r'<img [^>]*alt="">', page.read_text())
    assert len(cards) == 3
    assert all('loading="lazy"' in one for one in cards)
