"""Facts of README and of the site that its build does not check."""

import ast
import importlib
import re
import sys

import pytest

from .pages import REPOSITORY, pages

DOCS, PACKAGE = REPOSITORY / 'docs', REPOSITORY / 'mmlabelpenet'
# The package itself, and a subpackage that only offers what its own subpackages offer.
WITHOUT_PAGE = {'mmlabelpenet', 'mmlabelpenet.models'}
# Pages that a script writes, and those that grow with the settings and the work.
LONG = {
    'docs/reference/bad_inputs.md',
    'docs/reference/config.md',
    'docs/reference/tools.md',
    'docs/research/provenance.md',
    'docs/research/experiments.md',
    'docs/changelog.md',
}
LINK = re.compile(r'\]\(([^)\s#]+)(?:#[^)]*)?\)')
# A message in the FAQ that another package raises.
FOREIGN = "No module named 'mmcv._ext'"


def texts_of_package():
    """Every text in the package; what is filled into one is ``{}``."""
    for path in PACKAGE.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, 'value', '') for part in node.values)
                yield '{}'.join(part for part in parts if isinstance(part, str))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_api_reference_lists_every_subpackage():
    folders = (path.parent.relative_to(REPOSITORY) for path in PACKAGE.rglob('__init__.py'))
    names = {'.'.join(folder.parts) for folder in folders} - WITHOUT_PAGE
    page = (DOCS / 'reference/api/index.md').read_text()
    assert sorted(re.findall(r'^   (mmlabelpenet\S*)$', page, re.MULTILINE)) == sorted(names)


def test_the_package_raises_the_messages_of_the_faq():
    page = (DOCS / 'faq.md').read_text()
    messages = re.findall(r'^### .*?`(.+?)`', page, re.MULTILINE)
    sentences = (DOCS / 'reference/bad_inputs.md').read_text().replace('\\', '').splitlines()
    raised = '\n'.join([*sentences, *texts_of_package()])
    unknown = [
        message
        for message in messages
        if message != FOREIGN
        and not re.search('.+'.join(map(re.escape, message.strip('. ').split('...'))), raised)
    ]
    assert len(messages) > 5
    assert unknown == []


def test_pages_that_are_written_by_hand_are_short():
    sizes = {name: (REPOSITORY / name).stat().st_size for name in pages() if name not in LONG}
    assert {name: size for name, size in sizes.items() if size >= 12_000} == {}


def test_readme_is_one_screen():
    lines = (REPOSITORY / 'README.md').read_text().splitlines()
    assert len(lines) <= 70
    assert max(map(len, lines)) <= 120


def test_readme_links_to_files_alone():
    links = LINK.findall((REPOSITORY / 'README.md').read_text())
    assert len(links) > 5
    assert [link for link in links if not (REPOSITORY / link).is_file()] == []


@pytest.mark.parametrize(
    ('script', 'make', 'page'),
    [
        ('settings', 'make_settings', 'docs/reference/config.md'),
        ('options', 'make_options', 'docs/reference/tools.md'),
    ],
)
def test_settings_and_options_are_those_of_the_code(script, make, page, monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(DOCS / '_ext'), *sys.path])
    text = getattr(importlib.import_module(script), make)()
    filled = importlib.import_module('generated').filled
    current = (REPOSITORY / page).read_text()
    assert filled(current, script, text) == current, f'run python docs/_ext/{script}.py'


def test_every_setting_has_an_effect():
    rows = re.findall(r'^\| `\w+` \|.*$', (DOCS / 'reference/config.md').read_text(), re.MULTILINE)
    assert len(rows) > 100
    assert [row for row in rows if row.endswith('|  |')] == []
