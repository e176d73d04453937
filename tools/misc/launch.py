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


def free_port() -> int:
    """Get a port that no process of this machine uses."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


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
    # mmengine writes configs with yapf, whose first use fills a cache in the home folder. If
    # several processes did so at the same time, they would read incomplete files of each other.
    import yapf.yapflib.yapf_api  # noqa: F401

    nodes = os.environ.get('NNODES', '1')
    port = os.environ.get('PORT') or (free_port() if nodes == '1' else 29500)
    options = [
        f'--nnodes={nodes}',
        f'--node_rank={os.environ.get("NODE_RANK", "0")}',
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
