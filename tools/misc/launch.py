"""Start several processes of a tool on this machine, as torchrun does; the scripts call it.

NNODES, NODE_RANK, MASTER_ADDR and PORT are read from the environment. On one machine any free
port is taken if PORT is not set.

Example:
    python tools/misc/launch.py 2 tools/train.py CONFIG --launcher pytorch
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

# Numbers in the environment, each with the least, which is its default, and the largest one.
NUMBERS = (('NNODES', 1, 10**6), ('NODE_RANK', 0, 10**6), ('PORT', 0, 65535))


def free_port() -> int:
    """Get a port that no process of this machine uses."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def _read_number(parser: argparse.ArgumentParser, name: str, least: int, most: int) -> int:
    """Read a number from the environment; where it is not set, the least one."""
    text = os.environ.get(name) or str(least)
    if not text.isdecimal() or not least <= int(text) <= most:
        parser.error(f'{name} must be a whole number from {least} to {most}, not {text!r}.')
    return int(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Start the processes, and end as they end.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('processes', type=int, help='number of processes on this machine')
    parser.add_argument('tool', nargs=argparse.REMAINDER, help='the tool and its arguments')
    args = parser.parse_args(argv)
    if args.processes < 1:
        parser.error(f'PROCESSES must be at least 1, not {args.processes}.')
    if not args.tool or not (args.tool[0].startswith('-') or os.path.isfile(args.tool[0])):
        parser.error(
            f'There is no tool at {args.tool[0]}: fix the path.'
            if args.tool
            else 'Name the tool behind the number of processes.'
        )
    nodes, rank, port = (_read_number(parser, *one) for one in NUMBERS)
    # mmengine writes configs with yapf, whose first use fills a cache in the home folder. If
    # several processes did so at the same time, they would read incomplete files of each other.
    import yapf.yapflib.yapf_api  # noqa: F401

    if rank >= nodes:
        parser.error(f'NODE_RANK is {rank}: with NNODES={nodes} it must be below {nodes}.')
    port = port or (free_port() if nodes == 1 else 29500)
    options = [
        f'--nnodes={nodes}',
        f'--node_rank={rank}',
        f'--master_addr={os.environ.get("MASTER_ADDR", "127.0.0.1")}',
        f'--master_port={port}',
        f'--nproc_per_node={args.processes}',
    ]
    try:
        run.main([*options, *args.tool])
    except SignalException as stop:
        sys.exit(128 + stop.sigval)
    except ChildFailedError as error:
        # the processes have said why
        code = error.get_first_failure()[1].exitcode
        sys.exit(code if code > 0 else 128 - code)


if __name__ == '__main__':
    main()
