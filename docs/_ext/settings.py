"""Tables of the settings of configs, from the constructors and docstrings of the classes.

Write them into the page anew after a change of a constructor:
    python docs/_ext/settings.py
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator

from generated import DOCS, fill_page
from mmengine.config import Config
from mmengine.registry import Registry

from mmlabelpenet import registry
from mmlabelpenet.engine.cache import FeatureCache
from mmlabelpenet.engine.loops.phases import Phase
from mmlabelpenet.models.calibration.validation import merge_validated
from mmlabelpenet.models.heads.mask_results import MaskResults
from mmlabelpenet.models.heads.mask_supervision import MaskSupervision
from mmlabelpenet.models.task_modules.mining import mine, select_detections
from mmlabelpenet.utils import register_all_modules

PAGE = DOCS / 'reference/config.md'
CONFIG = DOCS.parent / 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
# Headings, and the registries whose further classes stand below them.
REGISTRIES = {
    'Other parts of models': ('MODELS', 'TASK_UTILS'),
    'Data sets and transforms': ('DATASETS', 'TRANSFORMS'),
    'Metrics': ('METRICS',),
    'Loops and hooks': ('LOOPS', 'HOOKS'),
}
# Parts that a config gives the arguments of, without a type.
UNTYPED = (MaskSupervision, MaskResults, mine, select_detections, merge_validated)
# Arguments that the runner gives, not the config.
GIVEN = {'self', 'runner', 'args', 'kwargs', 'data_preprocessor', 'init_cfg'}
ENTRY = re.compile(r'^    (\w+)(?: \([^)]*\))?: (.*)$')


def own_classes(names: Iterable[str]) -> dict[str, type]:
    """Classes of this package in some registries, by name."""
    found = {}
    for name in names:
        one: Registry = getattr(registry, name)
        found |= {key: value for key, value in one.module_dict.items() if inspect.isclass(value)}
    # the metric in `export` is that of a tool, and imported by it alone
    parts = tuple(
        f'mmlabelpenet.{part}.'
        for part in ('datasets', 'engine', 'evaluation', 'models', 'visualization')
    )
    return {key: one for key, one in found.items() if one.__module__.startswith(parts)}


def effects(kind: Callable) -> dict[str, str]:
    """What the docstring of a class, or else of its bases, says of each argument."""
    found: dict[str, str] = {}
    for parent in reversed(getattr(kind, '__mro__', [kind])):
        if parent.__module__.startswith('mmlabelpenet.'):
            found |= _entries(inspect.cleandoc(parent.__doc__ or ''))
    return found


def _entries(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name, inside = '', False
    for line in text.splitlines():
        if line and not line.startswith(' '):
            inside, name = line in ('Args:', 'Attributes:'), ''
        elif inside and (entry := ENTRY.match(line)):
            name = entry[1]
            found[name] = entry[2]
        elif inside and name:
            found[name] = f'{found[name]} {line.strip()}'.strip()
    return {name: _markdown(text) for name, text in found.items()}


def _markdown(text: str) -> str:
    text = re.sub(r':\w+:`[~.]?([^`]+)`', lambda match: f'`{match[1].split(".")[-1]}`', text)
    return text.replace('``', '`').replace('|', '\\|')


def parameters(kind: Callable) -> dict[str, inspect.Parameter]:
    """Settings of a class by name, with those of its bases of this package that it passes on.

    Of a function, those with a default: the others are data.
    """
    found: dict[str, inspect.Parameter] = {}
    if not inspect.isclass(kind):
        own = inspect.signature(kind).parameters
        return {name: one for name, one in own.items() if one.default is not one.empty}
    for parent in kind.__mro__:
        if not parent.__module__.startswith('mmlabelpenet.') or '__init__' not in vars(parent):
            continue
        own = inspect.signature(parent.__init__).parameters
        found |= {name: one for name, one in own.items() if name not in {*found, *GIVEN}}
        if not any(one.kind is one.VAR_KEYWORD for one in own.values()):
            break
    return found


def table(kind: Callable) -> list[str]:
    """Lines of the Markdown table of a class; none if it has no settings."""
    texts = effects(kind)
    lines = [
        f'| `{name}` | {_type(one)} | {_default(one)} | {texts.get(name, "")} |'
        for name, one in parameters(kind).items()
    ]
    return ['', '| setting | type | default | effect |', '|---|---|---|---|', *lines] * bool(lines)


def _type(one: inspect.Parameter) -> str:
    if one.annotation is one.empty:
        return ''
    text = inspect.formatannotation(one.annotation)
    return f'`{re.sub(r"[a-z_]+[.](?=[A-Za-z_.]*[A-Z])", "", text)}`'.replace('|', '\\|')


def _default(one: inspect.Parameter) -> str:
    if one.default is one.empty:
        return 'required'
    text = repr(one.default)
    return '`{}`' if text == '<factory>' else f'`{text}`'.replace('|', '\\|')


def parts_of(cfg: Config | dict, path: str) -> Iterator[tuple[str, str]]:
    """Path and type of each part that a config builds."""
    for key, value in cfg.items():
        if isinstance(value, dict):
            if 'type' in value:
                yield f'{path}.{key}', value['type']
            yield from parts_of(value, f'{path}.{key}')


def section(title: str, kind: Callable, place: str = '') -> list[str]:
    """Heading, summary and table of a class."""
    summary = inspect.cleandoc(kind.__doc__ or '').split('\n\n')[0].replace('\n', ' ')
    where = f' `{place}`' if place else ''
    return ['', f'#### {title}{":" * bool(where)}{where}', '', _markdown(summary), *table(kind)]


def make_settings() -> str:
    """Markdown of all settings: those of the method's config first, in its order."""
    register_all_modules()
    known = own_classes(name for names in REGISTRIES.values() for name in names)
    cfg = Config.fromfile(CONFIG)
    places: dict[str, str] = {'LabelPEnet': 'model'}
    for place, name in parts_of(cfg.model, 'model'):
        places.setdefault(name, place)
    lines = ['### The model of the method']
    for name, place in places.items():
        if name in known:
            lines += section(name, known[name], place)
    for kind in UNTYPED:
        lines += section(f'Arguments of {kind.__name__}', kind)
    lines += ['', '### Phases and caches', *section('A phase', Phase, 'train_cfg.phases.<name>')]
    lines += section('The cache of features', FeatureCache, 'train_cfg.feature_cache')
    for title, names in REGISTRIES.items():
        others = {key: one for key, one in own_classes(names).items() if key not in places}
        lines += ['', f'### {title}']
        for name in sorted(others):
            lines += section(name, others[name])
    return '\n'.join(lines)


if __name__ == '__main__':
    fill_page(PAGE, 'settings', make_settings())
