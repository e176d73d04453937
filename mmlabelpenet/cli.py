"""The console command ``mmlabelpenet``: the tools of the repository under one name."""

import argparse
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from .resources import resource_path
from .version import __version__

# For each command its tool, and what it does.
COMMANDS = {
    'check': ('tools/misc/check_dataset.py', 'check the data of a config before training'),
    'propose': ('tools/proposals/make_proposals.py', 'make region proposals of images'),
    'train': ('tools/train.py', 'train a model by its config'),
    'test': ('tools/test.py', 'measure a model'),
    'predict': ('demo/image_demo.py', 'find and paint the objects of images'),
    'export': ('tools/export_pseudo_labels.py', 'write predictions as COCO, VOC or YOLO labels'),
    'inspect': ('tools/analysis_tools/inspect_labels.py', 'show the labels of a data set as HTML'),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a tool as its own command line does.

    Args:
        argv: The name of the command, then the arguments of its tool; None reads ``sys.argv``.
    """
    lines = [f'  {name:9}{text} ({tool})' for name, (tool, text) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        'mmlabelpenet',
        description='Boxes and instance masks from image-level tags.',
        epilog='\n'.join(['commands (--help behind one lists its options):', *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'%(prog)s {__version__}')
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND', help='see below')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help='arguments of its tool')
    args = parser.parse_args(argv)
    tool = resource_path(COMMANDS[args.command][0])
    if not tool.is_file():
        parser.error(f'{tool} is missing: install mmlabelpenet again.')
    # In which argparse finds the name of the program.
    sys.argv = [f'mmlabelpenet {args.command}', *args.arguments]
    # It imports torch, which --help and --version do without.
    from .apis import run_command

    run_command(load_tool(tool).main)


def load_tool(path: Path) -> ModuleType:
    """Import the file of a tool, so that its functions can be sent to processes of a pool."""
    loader = SourceFileLoader('mmlabelpenet_tool', str(path))
    module = module_from_spec(ModuleSpec(loader.name, loader, origin=str(path)))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module
