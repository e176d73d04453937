r"""Proposals that the cascade has learned beside those of Selective Search, on test images.

For each source: the recall of its first proposals, box and mask AP of the model with them, and the
seconds of a photo from its file to its masks. Each checkpoint is one seed of the same config,
whose cascade has learned proposals; those of Selective Search must be stored.

Example:
    python benchmark/learned_proposals.py CONFIG SEED_0.pth SEED_1.pth SEED_2.pth \
        --out docs/research/benchmarks/learned_proposals.json
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from pseudo_labels import build_evaluator, load_every, rounded
from report import add_result, summary_table
from torch.utils.data import DataLoader

from mmlabelpenet.apis import (
    LabelPEnetInferencer,
    choose_proposals,
    load_weights,
    read_config,
    run_command,
)
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import register_all_modules

# For each row the source of a test's proposals, and that of a photo on its own.
SOURCES = {'Selective Search': ('stored', 'search'), 'learned': ('learned', 'learned')}
COUNTS = (100, 300, 1000)
COLUMNS = {
    **{f'recall@.5 of {n}': f'{n}/proposal_recall_50' for n in COUNTS},
    **{f'@.7 of {n}': f'{n}/proposal_recall_70' for n in COUNTS},
    'box AP@.5': 'bbox_mAP_50',
    '.75': 'bbox_mAP_75',
    'mask AP@.5': 'segm_mAP_50',
    '.75 ': 'segm_mAP_75',
    'seconds a photo': 'seconds_a_photo',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Compare learned and searched proposals')
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='+', help='one of each seed')
    parser.add_argument('--every', type=int, default=1, help='take every n-th image')
    parser.add_argument('--photos', type=int, default=20, help='photos whose time is measured')
    parser.add_argument('--out', type=Path, help='JSON, to which rows are added')
    return parser.parse_args(argv)


def first_proposals(model: LabelPEnet, loader: DataLoader, most: int) -> Iterator[DetDataSample]:
    """Samples of all images with at most so many proposals."""
    if model.proposals is not None:
        model.proposals.head.test_cfg.max_per_img = most
    for batch in loader:
        for one, sample in zip(model.read_evidence(batch, tagged=False), batch['data_samples']):
            sample.proposals = InstanceData(bboxes=one.proposals.bboxes[:most].cpu())
            yield sample


def figures_of(
    samples: Iterable[DetDataSample], loader: DataLoader, metrics: Sequence[dict]
) -> dict[str, float]:
    """Figures of the samples of all images."""
    evaluator = build_evaluator(metrics, loader)
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(loader.dataset))


def recalls(model: LabelPEnet, loader: DataLoader) -> dict[str, float]:
    """Recall of the first proposals, for each number of them."""
    figures = {}
    for most in COUNTS:
        metric = dict(type='ProposalMetric', prefix=str(most))
        figures |= figures_of(first_proposals(model, loader, most), loader, [metric])
    return figures


def seconds_a_photo(cfg: Config, checkpoint: str, source: str, photos: Sequence[str]) -> float:
    """Mean time of a photo from its file to its masks, after a first one to warm up."""
    inferencer = LabelPEnetInferencer(cfg, checkpoint, proposals=source, show_progress=False)
    inferencer(photos[0])
    start = time.perf_counter()
    for photo in photos:
        inferencer(photo)
    return (time.perf_counter() - start) / len(photos)


def measure(
    config: str, checkpoint: str, stored: str, alone: str, args: argparse.Namespace
) -> dict[str, float]:
    """All figures of a source of a test's proposals, and of that of a photo alone."""
    cfg = read_config(config)
    choose_proposals(cfg, stored)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu').eval()
    load_weights(model, checkpoint)
    loader = load_every(cfg.test_dataloader, args.every)
    photos = [loader.dataset.get_data_info(i)['img_path'] for i in range(len(loader.dataset))]
    found = (sample for batch in loader for sample in model.test_step(batch))
    return {
        **figures_of(found, loader, cfg.test_evaluator),
        **recalls(model, loader),
        'seconds_a_photo': seconds_a_photo(cfg, checkpoint, alone, photos[: args.photos]),
        'photos': len(photos),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both sources with each checkpoint and print a table."""
    args = parse_args(argv)
    register_all_modules()
    results = []
    for (seed, checkpoint), row in product(enumerate(args.checkpoints), SOURCES):
        figures = rounded(measure(args.config, checkpoint, *SOURCES[row], args))
        results.append({'row': row, 'seed': seed, **figures})
        if args.out:
            add_result(results[-1], args.out)
    print(summary_table(results, COLUMNS))


if __name__ == '__main__':
    run_command(main)
