"""Print the seconds that the proposals of a folder's images take a number of processes.

A program of its own, with nothing in memory but what making proposals needs, since each process
that it starts imports it again, as those of ``make_proposals.py`` import that.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from mmlabelpenet.proposals import Job, run_jobs


def main(argv: Sequence[str] | None = None) -> None:
    """Make the proposals, print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('photos', type=Path, help='folder')
    parser.add_argument('out', type=Path, help='folder')
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--max-side', type=int, default=384)
    args = parser.parse_args(argv)
    jobs = [Job(str(p), args.out / f'{p.stem}.npz') for p in sorted(args.images.iterdir())]
    start = time.perf_counter()
    run_jobs(jobs, dict(quality='fast', max_num=None, max_side=args.max_side), args.workers)
    print(time.perf_counter() - start)


if __name__ == '__main__':
    main()
