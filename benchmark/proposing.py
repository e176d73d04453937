"""Print the seconds that a number of processes need for the proposals of a folder's images.

Arguments: folder of the images, folder to write to, number of processes, longest side in pixels.
It imports no more than making proposals needs, since each process that it starts imports it again.
"""

import sys
import time
from pathlib import Path

from mmlabelpenet.proposals import Job, run_jobs

if __name__ == '__main__':
    images, out, workers, max_side = sys.argv[1:]
    jobs = [Job(str(p), Path(out, f'{p.stem}.npz')) for p in sorted(Path(images).iterdir())]
    start = time.perf_counter()
    run_jobs(jobs, dict(quality='fast', max_num=None, max_side=int(max_side)), int(workers))
    print(time.perf_counter() - start)
