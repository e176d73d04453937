"""Facts of the site that its build does not check."""

import ast
import re

from .pages import REPOSITORY

DOCS, PACKAGE = REPOSITORY / 'docs', REPOSITORY / 'mmlabelpenet'
# The package itself, and a subpackage that only offers what its own subpackages offer.
WITHOUT_PAGE = {'mmlabelpenet', 'mmlabelpenet.models'}
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
