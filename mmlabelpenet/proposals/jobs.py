"""Making the proposals of many images: in parallel, resumable, with a summary."""

import multiprocessing
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmlabelpenet.utils import (
    ImageUserError,
    UserError,
    decode_image,
    end_children,
    read_image_bytes,
    start_pool_worker,
    stop_advice,
)

from .recall import best_overlaps, summarize_overlaps
from .selective_search import generator_tag, make_proposals
from .store import Proposals, read_proposals, write_proposals

# Images that a process takes at once.
CHUNK = 2


@dataclass
class Job:
    """One image and the file of its proposals.

    Attributes:
        img_path: The image.
        out: The file to write.
        gt_bboxes: [G, 4] xyxy, x2 and y2 exclusive; None if only tags are known.
    """

    img_path: str
    out: Path
    gt_bboxes: np.ndarray | None = None


@dataclass
class Outcome:
    """Result of one job.

    Attributes:
        num_boxes: Number of proposals.
        seconds: Time of the job.
        made: Whether the proposals were made, rather than found.
        overlaps: [G] best overlap with each ground-truth box; None if only tags are known.
        error: Why the image was skipped; empty if it was not.
    """

    num_boxes: int
    seconds: float
    made: bool
    overlaps: np.ndarray | None = None
    error: str = ''


def run_job(job: Job, settings: dict) -> Outcome:
    """Make one image's proposals, unless they exist already.

    Args:
        job: The image.
        settings: Arguments of :func:`make_proposals`.

    Returns:
        The result.

    Raises:
        UserError: If the image can't be read.
    """
    cv2.setNumThreads(1)
    start = time.perf_counter()
    data = read_image_bytes(job.img_path)
    crc = zlib.crc32(data)
    proposals = _read_valid(job.out, (*generator_tag(**settings), crc))
    made = proposals is None
    if proposals is None:
        proposals = make_proposals(decode_image(data, job.img_path), **settings)
        proposals.photo_crc = crc
        write_proposals(job.out, proposals)
    gt = job.gt_bboxes
    overlaps = None if gt is None else best_overlaps(proposals.bboxes, gt)
    return Outcome(len(proposals), time.perf_counter() - start, made, overlaps)


def _read_valid(path: Path, origin: tuple[str, str, int]) -> Proposals | None:
    """Read stored proposals if they are of this generator, version and image file."""
    try:
        proposals = read_proposals(path)
    except UserError:
        return None
    found = (proposals.generator, proposals.version, proposals.photo_crc)
    return proposals if found == origin else None


def _run_or_skip(job: Job, settings: dict) -> Outcome:
    try:
        return run_job(job, settings)
    except ImageUserError as error:
        return Outcome(0, 0.0, made=False, error=str(error))


def run_jobs(
    jobs: Sequence[Job], settings: dict, workers: int = 1, skip_unreadable: bool = False
) -> list[Outcome]:
    """Make the proposals of many images, with a progress bar.

    Args:
        jobs: The images.
        settings: Arguments of :func:`make_proposals`.
        workers: Processes; 1 uses the current one.
        skip_unreadable: Whether to skip images that are missing or damaged.

    Returns:
        One outcome per image, in their order.

    Raises:
        UserError: As :func:`run_job`, or if a process is killed; proposals that were finished
            before are kept.
    """
    work = partial(_run_or_skip if skip_unreadable else run_job, settings=settings)
    bar = partial(tqdm, total=len(jobs), desc='proposals', unit='photo')
    workers = min(workers, len(jobs))
    outcomes: list[Outcome] = []
    try:
        with stop_advice(lambda: 'run the command again to go on; finished proposals are kept.'):
            if workers <= 1:
                outcomes.extend(bar(map(work, jobs)))
            else:
                with _pool(workers) as pool:
                    outcomes.extend(bar(pool.map(work, jobs, chunksize=CHUNK)))
    except BrokenProcessPool as error:
        raise UserError(
            f'A process was killed at photo {len(outcomes) + 1} of {len(jobs)} or one of the '
            f'{workers * CHUNK} from {jobs[len(outcomes)].img_path} on, perhaps for want of '
            'memory: run the command again with fewer --workers; finished proposals are kept.'
        ) from error
    return outcomes


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes that end at once with an error or this process."""
    # A fork of a process with running threads of torch or OpenCV may hang.
    context = multiprocessing.get_context('spawn')
    before = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, context, start_pool_worker)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_children(before)
        raise


def summarize_outcomes(outcomes: Sequence[Outcome]) -> str:
    """Summarize time, counts and, if ground truth is known, recall in a few lines."""
    lines = [outcome.error for outcome in outcomes if outcome.error]
    skipped = f', {len(lines)} skipped' if lines else ''
    outcomes = [outcome for outcome in outcomes if not outcome.error]
    if not outcomes:
        return '\n'.join([*lines, f'no photo done{skipped}'])
    made = [outcome.seconds for outcome in outcomes if outcome.made]
    boxes = np.array([outcome.num_boxes for outcome in outcomes])
    lines += [
        f'{len(made)} photos done, {len(outcomes) - len(made)} existed already{skipped}',
        f'boxes per photo: {boxes.mean():.0f} on average, {boxes.min()} to {boxes.max()}',
    ]
    if made:
        lines.append(f'seconds per photo and process: {np.mean(made):.2f}')
    known = [outcome.overlaps for outcome in outcomes if outcome.overlaps is not None]
    if known:
        summary = summarize_overlaps(known).items()
        figures = ', '.join(f'{name} {value:.3f}' for name, value in summary)
        lines.append(f'on the {len(known)} photos with boxes: {figures}')
    return '\n'.join(lines)
