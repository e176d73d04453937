"""The page in a real browser."""

import shutil

import pytest

from .conftest import CLASSES, NAME

playwright = pytest.importorskip('playwright.sync_api', exc_type=ImportError)
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def browser():
    """Chromium: playwright's own, else that of the machine."""
    with playwright.sync_playwright() as driver:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        try:
            launched = driver.chromium.launch(executable_path=path, args=['--no-sandbox'])
        except playwright.Error as error:
            pytest.skip(f'no Chromium runs here: {error}')
        yield launched
        launched.close()


@pytest.fixture
def tab(browser, page):
    """The opened page; nothing may have gone wrong in it, nor be asked of a server."""
    tab, wrong = browser.new_page(viewport=dict(width=900, height=700)), []
    tab.on('console', lambda message: wrong.append(message.text))
    tab.on('pageerror', lambda error: wrong.append(str(error)))
    tab.on('requestfailed', lambda request: wrong.append(request.url))
    tab.on('dialog', lambda dialog: wrong.append(dialog.message))
    tab.goto(page.as_uri())
    yield tab
    tab.close()
    assert wrong == []


def names(tab):
    # not inner texts, which a card that is not yet drawn lacks
    return tab.locator('.card:visible .name').all_text_contents()


def expect_focus(tab, name):
    """The card of an image gets the focus; after a dialog it comes in a later task."""
    tab.wait_for_function('name => document.activeElement.dataset.name === name', arg=name)


def selected(tab, **filters):
    for name, value in filters.items():
        tab.locator(f'[name={name}]').select_option(value)
    return names(tab)


def test_filters(tab):
    assert names(tab) == [NAME, 'half', 'sure']
    assert tab.locator('#count').inner_text() == '3 of 3 images'
    assert selected(tab, **{'class': '1'}) == [NAME]
    assert selected(tab, **{'class': '0'}) == ['half', 'sure']
    assert selected(tab, agreement='yes') == ['sure']
    assert tab.locator('#count').inner_text() == '1 of 3 images'
    assert selected(tab, **{'class': '1'}) == []
    assert tab.get_by_text('No image passes').is_visible()
    assert selected(tab, agreement='', **{'class': ''}) == [NAME, 'half', 'sure']
    assert selected(tab, error='pseudo_instances:part') == ['half']
    assert selected(tab, error='result:missed') == [NAME]
    assert selected(tab, error='') == [NAME, 'half', 'sure']
    tab.locator('[name=name]').fill('"QUOTED" <i>')
    assert names(tab) == [NAME]


def test_keys_move_through_the_images(tab):
    tab.locator('.card').first.focus()
    for key, name in (('ArrowRight', 'half'), ('ArrowRight', 'sure'), ('ArrowRight', 'sure')):
        tab.keyboard.press(key)
        expect_focus(tab, name)
    tab.keyboard.press('Enter')
    title, position = tab.locator('#content h2'), tab.locator('#position')
    assert (title.inner_text(), position.inner_text()) == ('sure', '3 of 3')
    for name in ('half', NAME, NAME):
        tab.keyboard.press('ArrowLeft')
        assert title.inner_text() == name
    tab.keyboard.press('Escape')
    assert not tab.locator('#viewer').is_visible()
    expect_focus(tab, NAME)


def test_arrows_move_through_what_the_filters_leave(tab):
    selected(tab, **{'class': '0'})
    tab.locator('.card:visible').first.click()
    assert tab.locator('#previous').is_disabled()
    tab.keyboard.press('ArrowRight')
    assert tab.locator('#content h2').inner_text() == 'sure'
    assert tab.locator('#position').inner_text() == '2 of 2'
    assert tab.locator('#next').is_disabled()


def test_up_and_down_go_to_the_next_row(tab):
    tab.set_viewport_size(dict(width=520, height=700))  # two columns
    tab.locator('.card').first.focus()
    tab.keyboard.press('ArrowDown')
    expect_focus(tab, 'sure')
    tab.keyboard.press('ArrowUp')
    expect_focus(tab, NAME)


def test_names_stay_text(tab):
    tab.locator('.card').first.click()
    assert tab.locator('b', has_text='x').count() == 0
    assert tab.locator('i', has_text='photo').count() == 0
    assert tab.locator('#content h2').inner_text() == NAME
    assert tab.locator('#content .facts .class').inner_text() == CLASSES[1]
    options = tab.locator('[name=class] option').all_inner_texts()
    assert options[1:] == [f'{CLASSES[0]} (2)', f'{CLASSES[1]} (1)']


def test_pictures_are_shown(tab):
    tab.locator('.card').first.click()
    pictures = tab.locator('#content img')
    assert pictures.count() == 2
    for index in range(2):
        tab.wait_for_function(
            f'document.querySelectorAll("#content img")[{index}].naturalWidth === 80'
        )
