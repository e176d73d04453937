"""Making the proposals of many images: on all cores, resumable, with a summary."""

import multiprocessing
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmlabelpenet.utils import ImageUserError, UserError, decode_image, read_image_bytes

from .recall import best_overlaps, summarize_overlaps
from .selective_search import generator_tag, make_proposals
from .store import Proposals, read_proposals, write_proposals


@dataclass
class Job:
    """One image, and where its proposals shall lie."""

    img_path: str
    out: Path
    # [G, 4] xyxy, x2 and y2 exclusive; None where only tags are known.
    gt_bboxes: np.ndarray | None = None


@dataclass
class Outcome:
    """What is worth telling of one image."""

    num_boxes: int
    seconds: float
    made: bool
    overlaps: np.ndarray | None = None
    # What is wrong with the image, where it was skipped.
    fault: str = ''


def run_job(job: Job, settings: dict) -> Outcome:
    """Make one image's proposals, unless they lie there already.

    Args:
        job: The image.
        settings: Arguments of :func:`make_proposals`.

    Returns:
        What is worth telling.

    Raises:
        UserError: If the image can't be read.
    """
    cv2.setNumThreads(1)
    start = time.perf_counter()
    image = read_image_bytes(job.img_path)
    crc = zlib.crc32(image)
    proposals = _read_valid(job.out, (*generator_tag(**settings), crc))
    made = proposals is None
    if proposals is None:
        proposals = make_proposals(decode_image(image, job.img_path), **settings)
        proposals.photo_crc = crc
        write_proposals(job.out, proposals)
    gt = job.gt_bboxes
    overlaps = None if gt is None else best_overlaps(proposals.bboxes, gt)
    return Outcome(len(proposals), time.perf_counter() - start, made, overlaps)


def _read_valid(path: Path, origin: tuple[str, str, int]) -> Proposals | None:
    """The stored proposals if they are of this generator, version and image, else None."""
    if not path.exists():
        return None
    try:
        proposals = read_proposals(path)
    except UserError:
        return None
    found = (proposals.generator, proposals.version, proposals.photo_crc)
    return proposals if found == origin else None


def _run_or_skip(job: Job, settings: dict) -> Outcome:
    """Make one image's proposals, or tell why there can't be any."""
    try:
        return run_job(job, settings)
    except ImageUserError as error:
        return Outcome(0, 0.0, made=False, fault=str(error))


def run_jobs(
    jobs: Sequence[Job], settings: dict, workers: int = 1, skip_unreadable: bool = False
) -> list[Outcome]:
    """Make the proposals of many images, with a progress bar.

    Args:
        jobs: The images.
        settings: Arguments of :func:`make_proposals`.
        workers: Processes; 1 works in this one.
        skip_unreadable: Whether to go on after images that are missing or damaged.

    Returns:
        One outcome per image, in their order.

    Raises:
        UserError: As :func:`run_job`; the images that are done stay done.
    """
    work = partial(_run_or_skip if skip_unreadable else run_job, settings=settings)
    bar = partial(tqdm, total=len(jobs), desc='proposals', unit='photo')
    workers = min(workers, len(jobs))
    if workers <= 1:
        return list(bar(map(work, jobs)))
    # Not forked: a fork of a process that runs torch's or OpenCV's threads may hang.
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        return list(bar(pool.imap(work, jobs, chunksize=2)))


def summarize_outcomes(outcomes: Sequence[Outcome]) -> str:
    """Time, count and, where the truth is known, recall, in a few lines."""
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    outcomes = [outcome for outcome in outcomes if not outcome.fault]
    made = [outcome for outcome in outcomes if outcome.made]
    if not outcomes:
        return '\n'.join([*faults, f'no photo done, {len(faults)} skipped'])
    boxes = np.array([outcome.num_boxes for outcome in outcomes])
    lines = [
        *faults,
        f'{len(made)} photos done, {len(outcomes) - len(made)} were there already'
        + (f', {len(faults)} skipped' if faults else ''),
        f'boxes a photo: {boxes.mean():.0f} on average, {boxes.min()} to {boxes.max()}',
    ]
    if made:
        seconds = np.mean([outcome.seconds for outcome in made])
        lines.append(f'seconds a photo and process: {seconds:.2f}')
    known = [outcome.overlaps for outcome in outcomes if outcome.overlaps is not None]
    if known:
        summary = summarize_overlaps(known)
        figures = ', '.join(f'{name} {value:.3f}' for name, value in summary.items())
        lines.append(f'on the {len(known)} photos with boxes: {figures}')
    return '\n'.join(lines)
