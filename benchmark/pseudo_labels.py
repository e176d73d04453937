r"""Quality of the pseudo boxes and masks of training images, by what makes them.

Each row changes one thing of the config; all rows share the weights of one checkpoint and the same
images. Only the metrics read ground-truth boxes and masks of training images.

Example:
    python benchmark/pseudo_labels.py CONFIG CHECKPOINT \
        --out docs/research/benchmarks/pseudo_labels.json
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from report import add_result, summary_table
from torch.utils.data import DataLoader

from mmlabelpenet.apis import run_command
from mmlabelpenet.apis.checkpoint import read_checkpoint
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import DATASETS, MODELS
from mmlabelpenet.utils import UserError, register_all_modules

CALIBRATION = 'model.calibration.'
ATTENTION = 'model.cascade.classification.attention.'
FORWARD = {CALIBRATION + 'mode': 'forward', 'model.test_cfg.stage': 'attention'}
# The semantic attention of the checkpoint has learned from CAMs: sources are compared without it.
# Excitation goes down to the grid of stride 16, through the backbone's tail.
CAM_ALONE = {CALIBRATION + 'semantic': None}
EXCITATION = CAM_ALONE | {ATTENTION + 'type': 'ExcitationAttention', ATTENTION + 'level': 1}
ROWS: dict[str, dict] = {
    'as the config is': {},
    'cam alone, no semantic attention': CAM_ALONE,
    'excitation alone': EXCITATION | {ATTENTION + 'contrastive': False},
    'contrastive alone': EXCITATION | {ATTENTION + 'contrastive': True},
    'one scale': {'model.attention_scales': ()},
    'no random walk': {CALIBRATION + 'sharpen': None},
    'no refinement by colour': {CALIBRATION + 'refine': None},
    'dense CRF for refinement': {CALIBRATION + 'refine': {'_delete_': True, 'type': 'DenseCRF'}},
    'pseudo boxes from proposals': {
        CALIBRATION + 'seeds': {'_delete_': True, 'type': 'ProposalSeeds', 'tighten': 0.5}
    },
    'pseudo boxes from proposals, not tightened': {
        CALIBRATION + 'seeds': {'_delete_': True, 'type': 'ProposalSeeds'}
    },
    'calibration off': {
        'model.calibration': {'_delete_': True, 'type': 'MinedProposals'},
        'model.attention_scales': (),
        'model.cascade.classification.energy_threshold': 0.3,
    },
    'masks of stage 3': {'model.test_cfg.stage': 'calibration'},
    'masks of stage 3, calibration full': {
        CALIBRATION + 'mode': 'full',
        'model.test_cfg.stage': 'calibration',
    },
}
METRICS = (
    dict(type='CorLocMetric'),
    dict(type='PseudoMaskMetric'),
    dict(type='PseudoMaskMetric', ignore_void=True, prefix='no_void'),
)
COLUMNS = {
    'CorLoc': 'corloc',
    'mask IoU': 'pseudo_mask_iou',
    'share >= .5': 'pseudo_mask_share',
    'without void: IoU': 'no_void/pseudo_mask_iou',
    'share': 'no_void/pseudo_mask_share',
    'seconds an image': 'seconds_a_photo',
}


def common_parser(description: str, rows: Iterable[str]) -> argparse.ArgumentParser:
    """Command line of a script that measures rows of one checkpoint.

    Args:
        description: First line of the help.
        rows: Names of all rows.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--rows', nargs='+', choices=rows, default=list(rows), metavar='ROW')
    parser.add_argument('--every', type=int, default=1, help='take every n-th image')
    parser.add_argument('--out', type=Path, help='JSON, to which rows are added')
    return parser


def build_row(
    config: str, checkpoint: str, changes: dict, common: dict = FORWARD
) -> tuple[LabelPEnet, Config]:
    """The model of a row with the weights of the checkpoint, and its config.

    Args:
        config: Of all rows.
        checkpoint: With weights of all parts of the row.
        changes: Of the config, in this row.
        common: Changes in all rows.
    """
    cfg = Config.fromfile(config)
    for options in (common, changes):
        cfg.merge_from_dict(options)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    weights = read_checkpoint(checkpoint)['state_dict']
    missing = model.load_state_dict(weights, strict=False).missing_keys
    if missing:
        raise UserError(
            f'{checkpoint} lacks {missing[0]} and {len(missing) - 1} more weights of {config}: '
            'give a checkpoint of a run of this config.'
        )
    return model.to('cuda' if torch.cuda.is_available() else 'cpu').eval(), cfg


def load_every(dataloader: ConfigDict, every: int) -> DataLoader:
    """Build a data loader of every n-th image."""
    dataset = DATASETS.build(dataloader.dataset)
    dataset.get_subset_(list(range(0, len(dataset), every)))
    return Runner.build_dataloader(dict(dataloader, dataset=dataset))


def build_evaluator(metrics: Sequence[dict], loader: DataLoader) -> Evaluator:
    """Build metrics for the images of a data loader."""
    evaluator = Evaluator([dict(one) for one in metrics])
    evaluator.dataset_meta = loader.dataset.metainfo
    return evaluator


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Figures with four digits."""
    return {name: round(float(value), 4) for name, value in figures.items()}


def measure(model: LabelPEnet, cfg: Config, every: int) -> dict[str, float]:
    """Figures of a row, and the seconds that the model needs for an image."""
    loader = load_every(cfg.corloc_dataloader, every)
    evaluator = build_evaluator(METRICS, loader)
    seconds, count = 0.0, len(loader.dataset)
    for batch in loader:
        start = time.perf_counter()
        outputs = model.test_step(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds += time.perf_counter() - start
        evaluator.process(data_samples=outputs, data_batch=batch)
    return evaluator.evaluate(count) | {'photos': count, 'seconds_a_photo': seconds / count}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows and print a table."""
    args = common_parser('Measure pseudo labels of training images', ROWS).parse_args(argv)
    register_all_modules()
    results = []
    for name in args.rows:
        figures = measure(*build_row(args.config, args.checkpoint, ROWS[name]), args.every)
        results.append({'row': name, **rounded(figures)})
        if args.out:
            add_result(results[-1], args.out)
    print(summary_table(results, COLUMNS))


if __name__ == '__main__':
    run_command(main)
