"""Command lines: common arguments, the config that they name, and errors as sentences."""

import argparse
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from mmlabelpenet.engine.distributed import require_place, shut_down_distributed
from mmlabelpenet.evaluation import METRICS_BY_NAME
from mmlabelpenet.utils import (
    TRUST_HELP,
    Parser,
    StopRequest,
    UserError,
    close_bars,
    end_children,
    end_with_parent,
    stop_advice,
    stop_requests,
)

from .configs import ConfigOptions, read_config


def sentence_of(error: BaseException) -> str | None:
    """Get the sentence of an error, also of one that was raised in a data loader's worker.

    Args:
        error: The error. Torch raises a worker's error again with the worker's whole
            traceback as its text, of which only the last sentence is for the user.

    Returns:
        The sentence; None for an error that the user did not cause.
    """
    text = ' '.join(_own_text(error).split())
    if isinstance(error, UserError):
        return text
    if isinstance(error, OSError):
        return _sentence_of_os_error(error, text)
    out_of_memory = isinstance(error, MemoryError | torch.cuda.OutOfMemoryError)
    if out_of_memory or 'not enough memory' in text or 'allocate memory' in text:
        return f'there is not enough memory ({text}): {_LESS_MEMORY}'
    killed = re.match(r'DataLoader worker \(pid.* (?:exited|is killed by signal)', text)
    return f'{text.rstrip(". ")}, perhaps for want of memory: {_LESS_MEMORY}' if killed else None


_LESS_MEMORY = 'lower the batch size, the sizes of photos or num_workers of the data loader.'


def _own_text(error: BaseException) -> str:
    text = str(error)
    if 'Original Traceback' in text:
        text = text.rpartition(f'{type(error).__name__}: ')[2]
    return text


def _sentence_of_os_error(error: OSError, text: str) -> str:
    """Write one sentence about a file, a disk or a connection."""
    remedies = {
        errno.ENOSPC: 'make room there, then run the command again',
        errno.EDQUOT: 'make room there, then run the command again',
        errno.EACCES: 'change its permissions, or name another one',
        errno.EPERM: 'change its permissions, or name another one',
        errno.EROFS: 'name a place that can be written to',
        errno.EMFILE: 'raise the limit of open files (ulimit -n), or lower num_workers',
    }
    remedy = remedies.get(error.errno or 0, 'fix the path or the disk, then run the command again')
    names = ' -> '.join(str(one) for one in (error.filename, error.filename2) if one is not None)
    if error.strerror is None:
        return f'{text.rstrip(".")}: {remedy}.'
    return f'{names or "a file"} cannot be used ({error.strerror}): {remedy}.'


def run_command(
    command: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None
) -> None:
    """Run a command; print an error that the user can fix, and exit with code 2.

    On Ctrl-C and other signals it cleans up, says how to go on, and exits with 128 + the signal's
    number. Processes of a distributed run end together.

    Args:
        command: Takes the arguments.
        argv: Arguments of the command line without the program; None reads ``sys.argv``.
    """
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        end_with_parent()
    try:
        with stop_requests(), stop_advice():
            command(argv)
    except StopRequest as stop:
        # by which torch raises an error for each process of a data loader that ends
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        end_children()
        close_bars()
        print(stop.sentence, file=sys.stderr)
        sys.exit(128 + stop.number)
    except (UserError, OSError, MemoryError, RuntimeError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        close_bars()
        print(f'error: {sentence}', file=sys.stderr)
        sys.exit(2)
    shut_down_distributed()


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, named as in mmdet."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='override settings of the config, as key=value, e.g. '
        'train_dataloader.batch_size=2 or key="[a,b]" (quoted, without spaces)',
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-checkpoint``, which :func:`~mmlabelpenet.utils.trust_files` takes."""
    parser.add_argument('--trust-checkpoint', action='store_true', help=TRUST_HELP)


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--verbose``, which :func:`load_config` reads."""
    text = 'show the whole log, not only a line a phase and a progress bar'
    parser.add_argument('--verbose', action='store_true', help=text)


def config_parser(description: str, checkpoint: bool = False) -> argparse.ArgumentParser:
    """Make a parser of the arguments that commands with a config have in common.

    They are named as in mmdet; :func:`load_config` reads them.

    Args:
        description: Of the command.
        checkpoint: Whether the command also takes a checkpoint, ``--trust-checkpoint`` and
            ``--verbose``.
    """
    parser = Parser(description=description)
    parser.add_argument('config', help='config file')
    if checkpoint:
        parser.add_argument('checkpoint', help='checkpoint file')
        add_trust_option(parser)
        add_verbose_option(parser)
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
    return parser


def add_evaluation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--eval``, ``--split`` and ``--markdown``: what to measure on which images."""
    parser.add_argument(
        '--eval',
        nargs='+',
        metavar='NAME',
        help=f'what to measure: {", ".join(METRICS_BY_NAME)} (default: as in the config); '
        'corloc and pseudo are measured on the training photos',
    )
    parser.add_argument(
        '--split',
        choices=['train', 'test'],
        help='measure all of --eval on the training photos or on the test photos',
    )
    parser.add_argument('--markdown', metavar='FILE', help='write tables in Markdown to this file')


def load_config(args: argparse.Namespace, runs_model: bool = True) -> Config:
    """Read the config that the arguments name and put the common arguments into it.

    Args:
        args: Of a parser that :func:`config_parser` made.
        runs_model: See :func:`read_config`.

    Raises:
        UserError: If the config is missing or cannot be read.
    """
    for name, keys in _SAME.items():
        both = [key for key in keys if key in (args.cfg_options or ())]
        given = vars(args).get(name)
        if both and (name == 'launcher' or (given is not None and given is not False)):
            flag = f'--{name.replace("_", "-")}'
            raise UserError(f'--cfg-options {both[0]} sets what {flag} sets: give {flag} alone.')
    require_place(args.launcher)
    cfg = read_config(args.config, args.cfg_options, runs_model=runs_model)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if vars(args).get('verbose'):
        cfg.setdefault('default_hooks', {})['screen'] = dict(type='ScreenHook', verbose=True)
    default = Path('work_dirs') / Path(args.config).stem
    cfg.work_dir = os.path.expanduser(args.work_dir or cfg.get('work_dir') or str(default))
    return cfg


# Settings that arguments stand for.
_SAME = {
    'amp': ('optim_wrapper.type', 'optim_wrapper'),
    'auto_scale_lr': ('auto_scale_lr.enable', 'auto_scale_lr'),
    'launcher': ('launcher',),
    'resume': ('resume', 'load_from'),
    'seed': ('randomness.seed', 'randomness'),
    'stage': ('model.test_cfg.stage', 'model.test_cfg'),
    'work_dir': ('work_dir',),
}
