"""Sphinx builds the site from docs/ (`make docs`)."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / '_ext'), str(DOCS.parent)]

from package_names import packages, public_names  # noqa: E402

import mmlabelpenet  # noqa: E402

project = 'mmlabelpenet'
author = 'the mmlabelpenet contributors'
project_copyright = f'%Y, {author}'
version = release = mmlabelpenet.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.napoleon',
    'sphinxcontrib.mermaid',
    'package_names',
]
exclude_patterns = ['_*']

# A test executes the notebook (tests/test_docs); the site shows what it holds.
nb_execution_mode = 'off'

# Pages are Markdown, written for GitHub as well: links name a section as GitHub does.
myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 4
myst_fence_as_directive = ['mermaid']
# Drawn by the reader's browser, at the size of the text.
mermaid_height = 'auto'
mermaid_fullscreen = False

# One page for each subpackage, of the names that its `__init__` offers.
autosummary_generate = True
autosummary_context = {'public_names': {name: public_names(name) for name in packages()}}
templates_path = ['_templates']
autodoc_member_order = 'bysource'
autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
add_module_names = False
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = f'mmlabelpenet {release}'
html_copy_source = False
html_show_sphinx = False
