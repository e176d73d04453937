"""What every command shares: arguments, the config, and errors as sentences."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

from mmlabelpenet.utils import UserError

from .distributed import leave_distributed
from .settings import read_config


def sentence_of(error: UserError) -> str:
    """Get the sentence of an error, also of one that was raised in a data loader's worker.

    Args:
        error: The error. Torch raises a worker's error again with the worker's whole
            traceback as its text, of which only the last sentence is for the user.
    """
    text = str(error)
    mark = f'{UserError.__name__}: '
    if 'Original Traceback' in text and mark in text:
        text = text.rpartition(mark)[2]
    return ' '.join(text.split())


def run_command(
    command: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None
) -> None:
    """Run a command; on an error that the user can mend, say it and leave with code 2.

    Processes of a distributed run leave together.

    Args:
        command: Takes the arguments.
        argv: Arguments of the command line without the program; None reads ``sys.argv``.
    """
    try:
        command(argv)
    except UserError as error:
        print(f'error: {sentence_of(error)}', file=sys.stderr)
        sys.exit(2)
    leave_distributed()


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, named as in mmdet."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as key=value, e.g. '
        'train_dataloader.batch_size=2 or key="[a,b]" (quoted, without spaces)',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing have in common, named as in mmdet."""
    parser.add_argument(
        '--work-dir', help='folder for logs and results (default: work_dirs/{config name})'
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of distributed runs were started',
    )
    # torch.distributed.launch passes --local-rank, torchrun sets the environment instead
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def open_config(path: str, options: dict | None = None) -> Config:
    """Read a config with its overrides, see :func:`read_config`.

    Args:
        path: The config.
        options: Overrides, as ``--cfg-options`` gives them.

    Raises:
        UserError: If the config is missing or cannot be read.
    """
    if not Path(path).is_file():
        raise UserError(f'There is no config {path}; see configs/ for those there are.')
    try:
        return read_config(path, options)
    except UserError:
        raise
    # a config is a program, which may fail in any way
    except Exception as error:
        raise UserError(
            f'The config {path} can not be read ({type(error).__name__}: {error}); '
            'mend it or the --cfg-options.'
        ) from error


def load_config(args: argparse.Namespace) -> Config:
    """Read the config that the arguments name and put the common arguments into it.

    Args:
        args: With ``config`` and what :func:`add_common_arguments` added.

    Raises:
        UserError: If the config is missing or cannot be read.
    """
    cfg = open_config(args.config, args.cfg_options)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg
