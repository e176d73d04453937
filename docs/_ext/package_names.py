"""API reference: which names of the package are public, and where a reference to a name leads."""

import ast
import pkgutil
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import isclass, isfunction
from pathlib import Path
from types import ModuleType

from docutils.nodes import Element, TextElement
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

PACKAGE = 'mmlabelpenet'


def public_names(package: str) -> list[tuple[str, str]]:
    """Kind (class or function) and name of what a package offers, in alphabetical order.

    What one of its own subpackages offers too is left to that one.
    """
    offered = vars(import_module(package))
    return sorted(
        ('class' if isclass(value) else 'function', name)
        for name, value in offered.items()
        if (isclass(value) or isfunction(value)) and home_of(name, value) == package
    )


def home_of(name: str, value: object) -> str | None:
    """The package nearest to the definition of a class or function that offers it."""
    parents = value.__module__.split('.')
    if parents[0] != PACKAGE or name.startswith('_'):
        return None
    for depth in range(len(parents), 0, -1):
        module = import_module('.'.join(parents[:depth]))
        if is_package(module) and vars(module).get(name) is value:
            return module.__name__
    return None


def is_package(module: ModuleType) -> bool:
    """Whether a module is a folder of modules."""
    return hasattr(module, '__path__')


def packages() -> list[str]:
    """The package and all its subpackages."""
    found = pkgutil.walk_packages(import_module(PACKAGE).__path__, f'{PACKAGE}.')
    return [PACKAGE, *(module.name for module in found if module.ispkg)]


@cache
def defined_names() -> frozenset[str]:
    """Every name that a module of the package defines, methods as ``Class.method`` too."""
    names = set()
    for path in Path(import_module(PACKAGE).__file__).parent.rglob('*.py'):
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            names |= _names_of(node)
    return frozenset(names)


def _names_of(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if not isinstance(node, ast.ClassDef | ast.FunctionDef):
        return set()
    members = node.body if isinstance(node, ast.ClassDef) else []
    return {
        node.name,
        *(f'{node.name}.{name}' for member in members for name in _names_of(member)),
    }


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: TextElement
) -> Element | None:
    """Lead a reference by a bare name to the object of this name.

    A docstring names things as its module does, ``Cascade.read``, while the reference knows them
    by the package that offers them. A name that is not public stays text, and so does one of
    another package. Any other name is an error of the docstring.
    """
    if node.get('refdomain') != 'py':
        return None
    target = node['reftarget'].removeprefix(f'{PACKAGE}.')
    objects = env.get_domain('py').objects
    found = [name for name in objects if name.endswith(f'.{target}')]
    if len(found) == 1:
        entry = objects[found[0]]
        return make_refnode(
            app.builder, node['refdoc'], entry.docname, entry.node_id, content, found[0]
        )
    return content if is_known(node['reftarget'], node.get('py:class')) else None


def is_known(target: str, parent: str | None) -> bool:
    """Whether a name is one of the package's own, or begins with another package's name."""
    top, *rest = target.split('.')
    if rest and top != PACKAGE:
        if top in defined_names():
            return target in defined_names()
        return find_spec(top) is not None
    name = rest[-1] if rest else top
    return name in defined_names() or any(known.endswith(f'.{name}') for known in defined_names())


def link_pages(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list
) -> None:
    """Make links of the pages of docs/ that a docstring names."""
    lines[:] = [
        re.sub(r'(?<!`)\bdocs/([\w/]+)\.md', r':doc:`docs/\1.md </\1>`', line) for line in lines
    ]


def shorten_defaults(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    result: str,
) -> tuple[str | None, str] | None:
    """Write defaults that are no Python as such: those of fields that a factory makes."""
    return None if signature is None else (signature.replace('<factory>', '...'), result)


def skip_fields(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out fields of named tuples, which the docstring of the class describes."""
    return True if type(obj).__name__ == '_tuplegetter' else None


def setup(app: Sphinx) -> dict:
    """Register the extension."""
    app.connect('autodoc-process-docstring', link_pages)
    app.connect('autodoc-process-signature', shorten_defaults)
    app.connect('autodoc-skip-member', skip_fields)
    app.connect('missing-reference', resolve)
    return dict(parallel_read_safe=True, parallel_write_safe=True)
