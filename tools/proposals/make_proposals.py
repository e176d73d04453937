"""Make the region proposals of a data set's photos, or of any folder of photos."""

import argparse
import multiprocessing
import os
import sys
import time
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmlabelpenet.proposals import (
    best_overlaps,
    make_proposals,
    proposal_path,
    read_proposals,
    summarize_overlaps,
    write_proposals,
)
from mmlabelpenet.proposals.selective_search import MAX_SIDE, QUALITIES, generator_tag
from mmlabelpenet.utils import UserError

PHOTO_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
DEFAULT_OUT = 'data/proposals'


@dataclass
class Job:
    """One photo, and where its proposals shall lie."""

    img_path: str
    out: Path
    # [G, 4] xyxy, x2 and y2 exclusive; None where only tags are known.
    gt_bboxes: np.ndarray | None = None


@dataclass
class Outcome:
    """What is worth telling of one photo."""

    num_boxes: int
    seconds: float
    made: bool
    overlaps: np.ndarray | None


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='a config with dataloaders, or a folder of photos')
    parser.add_argument(
        '--split',
        nargs='+',
        default=['train', 'val'],
        choices=['train', 'val', 'test'],
        help="whose dataloaders' photos (configs only)",
    )
    parser.add_argument(
        '--out', help=f"root of the proposals; default: the config's, else {DEFAULT_OUT}"
    )
    parser.add_argument('--quality', default='fast', choices=QUALITIES)
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='processes')
    parser.add_argument('--max-num', type=int, help='keep at most so many boxes a photo')
    parser.add_argument(
        '--max-side',
        type=int,
        default=MAX_SIDE,
        help='search larger photos at this size in pixels: less time, fewer boxes',
    )
    return parser.parse_args()


def jobs_of_folder(folder: Path, out: Path) -> list[Job]:
    """Every photo in a folder; the folder's name stands for the data set's."""
    photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise UserError(
            f'{folder} holds no photos ({", ".join(PHOTO_SUFFIXES)}): name a folder that does.'
        )
    name = folder.resolve().name
    return [Job(str(photo), proposal_path(out, name, photo.stem)) for photo in photos]


def _plain_datasets(cfg: dict) -> list[dict]:
    """The innermost data sets of a config, wrappers such as RepeatDataset taken off."""
    inner = cfg.get('datasets') or ([cfg['dataset']] if 'dataset' in cfg else [])
    return [plain for part in inner for plain in _plain_datasets(part)] if inner else [cfg]


def _gt_bboxes(info: dict) -> np.ndarray | None:
    """True boxes that aren't difficult; VOC's corners are inclusive, proposals' are not."""
    if 'instances' not in info:
        return None
    boxes = [obj['bbox'] for obj in info['instances'] if not obj['ignore_flag']]
    return np.array(boxes, dtype=np.float32).reshape(-1, 4) + (0, 0, 1, 1)


def jobs_of_config(path: Path, splits: list[str], out: str | None) -> list[Job]:
    """Every photo of the chosen dataloaders in a config, each once."""
    # Worker processes import this file too and need none of these.
    from mmengine.config import Config

    import mmlabelpenet.datasets  # noqa: F401
    from mmlabelpenet.registry import DATASETS

    try:
        cfg = Config.fromfile(str(path))
    except Exception as error:
        raise UserError(f'{path} is not a readable config ({error}): correct it.') from error
    loaders = [cfg.get(f'{split}_dataloader') for split in splits]
    datasets = [d for loader in loaders if loader for d in _plain_datasets(loader['dataset'])]
    if not datasets:
        raise UserError(
            f'{path} has no dataloader of {", ".join(splits)}: name a config that has one.'
        )
    root = out or cfg.get('proposal_root', DEFAULT_OUT)
    jobs: dict[Path, Job] = {}
    for dataset in datasets:
        dataset = DATASETS.build({**dataset, 'pipeline': [], 'serialize_data': False})
        for info in dataset.data_list:
            file = proposal_path(root, info['dataset_name'], info['img_id'])
            jobs[file] = Job(info['img_path'], file, _gt_bboxes(info))
    return list(jobs.values())


def run_job(job: Job, settings: dict) -> Outcome:
    """Make one photo's proposals, unless they lie there already.

    Args:
        job: The photo.
        settings: Arguments of :func:`make_proposals`.

    Returns:
        What is worth telling.

    Raises:
        UserError: If the photo can't be read.
    """
    cv2.setNumThreads(1)
    start = time.perf_counter()
    try:
        photo = Path(job.img_path).read_bytes()
    except OSError as error:
        raise UserError(
            f'The photo {job.img_path} cannot be read ({error.strerror}): restore it.'
        ) from None
    crc = zlib.crc32(photo)
    proposals = _read_valid(job.out, (*generator_tag(**settings), crc))
    made = proposals is None
    if proposals is None:
        img = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR) if photo else None
        if img is None:
            raise UserError(
                f'The photo {job.img_path} is damaged or no photo: replace or remove it.'
            )
        proposals = make_proposals(img, **settings)
        proposals.photo_crc = crc
        write_proposals(job.out, proposals)
    gt = job.gt_bboxes
    overlaps = None if gt is None else best_overlaps(proposals.bboxes, gt)
    return Outcome(len(proposals), time.perf_counter() - start, made, overlaps)


def _read_valid(path: Path, origin: tuple[str, str, int]):  # noqa: ANN202
    """The stored proposals if they are of this generator, version and photo, else None."""
    if not path.exists():
        return None
    try:
        proposals = read_proposals(path)
    except UserError:
        return None
    found = (proposals.generator, proposals.version, proposals.photo_crc)
    return proposals if found == origin else None


def run_jobs(jobs: list[Job], args: argparse.Namespace) -> list[Outcome]:
    """Work on all cores, with a progress bar."""
    settings = {name: getattr(args, name) for name in ('quality', 'max_num', 'max_side')}
    work = partial(run_job, settings=settings)
    bar = partial(tqdm, total=len(jobs), desc='proposals', unit='photo')
    workers = min(args.workers, len(jobs))
    if workers <= 1:
        return list(bar(map(work, jobs)))
    # Not forked: a fork of a process that runs torch's or OpenCV's threads may hang.
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        return list(bar(pool.imap(work, jobs, chunksize=2)))


def report(outcomes: list[Outcome]) -> str:
    """Time, count and, where the truth is known, recall, in a few lines."""
    made = [outcome for outcome in outcomes if outcome.made]
    boxes = np.array([outcome.num_boxes for outcome in outcomes])
    lines = [
        f'{len(made)} photos done, {len(outcomes) - len(made)} were there already',
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


def main() -> int:
    """Make the proposals and tell how they are.

    Returns:
        The exit code: 0, or 2 after a sentence about bad input.
    """
    args = parse_args()
    source = Path(args.source)
    try:
        if min(args.workers, args.max_side, 1 if args.max_num is None else args.max_num) < 1:
            raise UserError('--workers, --max-num and --max-side must be at least 1.')
        if source.is_dir():
            jobs = jobs_of_folder(source, Path(args.out or DEFAULT_OUT))
        elif source.is_file():
            jobs = jobs_of_config(source, args.split, args.out)
        else:
            raise UserError(f'There is no config and no folder at {source}: check the path.')
        if not jobs:
            raise UserError(f'The data sets of {source} are empty: check its split lists.')
        outcomes = run_jobs(jobs, args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(report(outcomes))
    return 0


if __name__ == '__main__':
    sys.exit(main())
