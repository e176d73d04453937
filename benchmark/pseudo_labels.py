r"""How good pseudo boxes and masks of training images are, by what makes them.

Each row changes one thing of the config; all rows share the weights of one checkpoint, and look at
the same images. True boxes and masks of training images are read by the metrics alone.

Example:
    python benchmark/pseudo_labels.py CONFIG CHECKPOINT \
        --out docs/research/benchmarks/pseudo_labels.json
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader, Runner

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import DATASETS, MODELS
from mmlabelpenet.utils import UserError, atomic_path, register_all_modules

CALIBRATION = 'model.calibration.'
ATTENTION = 'model.cascade.classification.attention.'
FORWARD = {CALIBRATION + 'mode': 'forward', 'model.test_cfg.stage': 'attention'}
# What the semantic attention of the checkpoint has learnt comes from CAMs: sources are compared
# without it. Excitation walks to the grid of stride 16, through the backbone's tail.
CAM_ALONE = {CALIBRATION + 'semantic': None}
EXCITATION = CAM_ALONE | {ATTENTION + 'type': 'ExcitationAttention', ATTENTION + 'level': 1}
ROWS: dict[str, dict] = {
    'as the config is': {},
    'cam alone, no semantic attention': CAM_ALONE,
    'excitation alone': EXCITATION | {ATTENTION + 'contrastive': False},
    'contrastive alone': EXCITATION | {ATTENTION + 'contrastive': True},
    'one size': {'model.attention_scales': ()},
    'no random walk': {CALIBRATION + 'sharpen': None},
    'no refinement by colour': {CALIBRATION + 'refine': None},
    'dense CRF for refinement': {CALIBRATION + 'refine': {'_delete_': True, 'type': 'DenseCRF'}},
    'pseudo boxes from proposals': {CALIBRATION + 'seeds': 'proposals'},
    'pseudo boxes from proposals, not tightened': {
        CALIBRATION + 'seeds': 'proposals',
        CALIBRATION + 'tighten': None,
    },
    'calibration off': {
        CALIBRATION + 'mode': 'off',
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


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Measure pseudo labels of training photos')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=list(ROWS), metavar='ROW')
    parser.add_argument('--every', type=int, default=1, help='take every n-th photo')
    parser.add_argument('--out', type=Path, help='JSON, to which rows are added')
    return parser.parse_args(argv)


def build_row(config: str, checkpoint: str, changes: dict) -> tuple[LabelPEnet, Config]:
    """The model of a row with the weights of the checkpoint, and its config."""
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(FORWARD | changes)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    weights = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')['state_dict']
    missing = model.load_state_dict(weights, strict=False).missing_keys
    if missing:
        raise UserError(
            f'{checkpoint} lacks {missing[0]} and {len(missing) - 1} more weights of {config}: '
            'give a checkpoint of a run of this config.'
        )
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return model.to(device).eval(), cfg


def measure(model: LabelPEnet, cfg: Config, every: int) -> dict[str, float]:
    """Figures of a row, and the seconds that an image takes the model."""
    dataset = DATASETS.build(cfg.corloc_dataloader.dataset)
    chosen = list(range(0, len(dataset), every))
    dataset.get_subset_(chosen)
    loader = Runner.build_dataloader(dict(cfg.corloc_dataloader, dataset=dataset))
    evaluator = Evaluator(list(METRICS))
    evaluator.dataset_meta = loader.dataset.metainfo
    seconds = 0.0
    for batch in loader:
        start = time.perf_counter()
        outputs = model.test_step(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds += time.perf_counter() - start
        evaluator.process(data_samples=outputs, data_batch=batch)
    figures = evaluator.evaluate(len(loader.dataset))
    return figures | {'photos': len(chosen), 'seconds_a_photo': seconds / len(chosen)}


def save_row(path: Path, row: dict) -> list[dict]:
    """Add a row to a file, in the place of one of the same name and seed.

    Returns:
        All rows of the file.
    """
    rows = json.loads(path.read_text()) if path.exists() else []
    place = row['row'], row.get('seed')
    rows = [one for one in rows if (one['row'], one.get('seed')) != place] + [row]
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(rows, indent=1) + '\n')
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows and print a table."""
    args = parse_args(argv)
    register_all_modules()
    print('| row | CorLoc | mask IoU | share >= .5 | without void: IoU | share | s a photo |')
    print('|---|---|---|---|---|---|---|')
    for name in args.rows:
        figures = measure(*build_row(args.config, args.checkpoint, ROWS[name]), args.every)
        row = {'row': name} | {key: round(float(value), 4) for key, value in figures.items()}
        if args.out:
            save_row(args.out, row)
        keys = ('corloc', 'pseudo_mask_iou', 'pseudo_mask_share')
        keys += ('no_void/pseudo_mask_iou', 'no_void/pseudo_mask_share')
        cells = [f'{row[key]:.3f}' for key in keys] + [f'{row["seconds_a_photo"]:.2f}']
        print(f'| {name} | ' + ' | '.join(cells) + ' |', flush=True)


if __name__ == '__main__':
    main()
