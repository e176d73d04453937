"""Tables of the options of the tools, from their own parsers.

Write them into the page anew after a change of options:
    python docs/_ext/options.py
"""

import argparse
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from generated import DOCS, fill_page

PAGE = DOCS / 'reference/tools.md'
REPOSITORY = DOCS.parent
# Titles, and the tools below each.
TOOLS = {
    'Training and testing': ('tools/train.py', 'tools/test.py'),
    'Inference and export': (
        'demo/image_demo.py',
        'tools/export_pseudo_labels.py',
        'tools/model_converters/publish_model.py',
    ),
    'Proposals': (
        'tools/proposals/make_proposals.py',
        'tools/proposals/check_proposals.py',
        'tools/proposals/import_proposals.py',
    ),
    'Data': (
        'tools/misc/check_dataset.py',
        'tools/dataset_converters/make_shapes.py',
        'tools/dataset_converters/sbd.py',
        'tools/dataset_converters/voc12_mini.py',
        'tools/dataset_converters/export_ground_truth.py',
    ),
    'Analysis': (
        'tools/analysis_tools/eval_metric.py',
        'tools/analysis_tools/inspect_labels.py',
        'tools/analysis_tools/paint_failures.py',
        'tools/analysis_tools/plot_curves.py',
    ),
}


class _FoundError(Exception):
    """Carries the parser of a tool."""


def _found(parser: argparse.ArgumentParser, *_: object) -> None:
    raise _FoundError(parser)


def parser_of(tool: str) -> tuple[str, argparse.ArgumentParser]:
    """Docstring and parser of a tool, which is stopped when it reads its command line."""
    spec = importlib.util.spec_from_file_location(Path(tool).stem, REPOSITORY / tool)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, 'path', [str((REPOSITORY / tool).parent), *sys.path]):
        spec.loader.exec_module(module)
    try:
        with mock.patch.object(argparse.ArgumentParser, 'parse_known_args', _found):
            module.main([])
    except _FoundError as found:
        return inspect.cleandoc(module.__doc__), found.args[0]
    raise TypeError(f'{tool} has no parser.')


def option_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Line of the table for each option."""
    for action in parser._actions:
        if action.help is argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
            continue
        if action.dest == 'local_rank':
            continue
        name = f'`{max(action.option_strings, key=len)}`' if action.option_strings else action.dest
        name = name if action.option_strings else f'`{(action.metavar or name).upper()}`'
        choices = ', '.join(f'`{one}`' for one in action.choices or ())
        text = (action.help or '') % dict(vars(action), prog=parser.prog)
        yield f'| {name} | {_default(action)} | {_cell(text)}{f" ({choices})" * bool(choices)} |'


def _default(action: argparse.Action) -> str:
    if action.required:
        return 'required'
    value = None if action.nargs == 0 else action.default
    return '' if value in (None, argparse.SUPPRESS, [], ()) else f'`{_cell(str(value))}`'


def _cell(text: str) -> str:
    return re.sub(r'\s+', ' ', text).replace('|', '\\|').replace('<', '\\<')


def make_options() -> str:
    """Markdown of all tools: title, purpose, examples, options."""
    lines = []
    for title, tools in TOOLS.items():
        lines += ['', f'## {title}']
        for tool in tools:
            text, parser = parser_of(tool)
            purpose, _, example = text.partition('\n\nExample:\n')
            lines += ['', f'### {tool}', '', purpose.replace('|', '\\|')]
            if example:
                lines += [
                    '',
                    '```text',
                    re.sub(' {2,}', ' ', inspect.cleandoc(f'\n{example}')),
                    '```',
                ]
            lines += ['', '| option | default | meaning |', '|---|---|---|', *option_lines(parser)]
    return '\n'.join(lines).strip()


if __name__ == '__main__':
    fill_page(PAGE, 'options', make_options())
