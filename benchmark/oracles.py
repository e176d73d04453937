r"""Where labels lose accuracy: the fully supervised bound with labels between weak and true ones.

For diagnosis alone, on the training images. Each row is the config of the bound with one change:

    truth   the bound itself
    O1      as many epochs of detection as the weak config has
    O2      one true object of each class; the others are background
    O3      the same, but nothing is learned around the others
    O4      of the labels of the weak model only those whose box is right
    O5      these labels, right ones moved to box and mask of their object
    O6      their masks in the true boxes
    labels  these labels as they are: no truth at all
    O7      no training: boxes of the weak model on the training images, ranked by their true IoU

Figures are those of benchmark/voc12_mini.py; O7 has box AP on the training images, before
(``bbox_mAP_50``) and after (``ranked/bbox_mAP_50``). Rows are written one by one; what is measured
is not measured again, and a cut training is resumed.

Example:
    python benchmark/oracles.py --weak CONFIG CHECKPOINT --rows O1 O2 O7
"""

import argparse
import sys
import zlib
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import torch
import trainings
import voc12_mini
from mmengine.config import Config
from mmengine.structures import InstanceData
from pseudo_labels import build_evaluator, build_row, load_every, rounded
from report import add_result, read_results, summary_table
from torch import Tensor

from mmlabelpenet.apis import run_command
from mmlabelpenet.structures.boxes import box_iou
from mmlabelpenet.utils import UserError, register_all_modules

CHANGED = ('O2', 'O3', 'O4', 'O5', 'O6')
OF_LABELS = ('O4', 'O5', 'O6', 'labels')
ROWS = ('truth', 'O1', *CHANGED, 'labels', 'O7')
BOUND = 'configs/upper_bound/mask-rcnn_effnet-lite0_voc12-mini.py'
WEAK = 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
METRICS = (
    dict(type='VOCDetectionMetric'),
    dict(type='VOCDetectionMetric', prefix='ranked'),
)
COLUMNS = {
    'box AP@.25': 'bbox_mAP_25',
    '.5': 'bbox_mAP_50',
    '.75': 'bbox_mAP_75',
    'CorLoc': 'corloc',
    'mask AP@.5': 'no_void/segm_mAP_50',
    '.75 ': 'no_void/segm_mAP_75',
    'O7: AP@.5': 'ranked/bbox_mAP_50',
    '.75  ': 'ranked/bbox_mAP_75',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=ROWS, metavar='ROW')
    parser.add_argument('--bound', default=str(trainings.REPOSITORY / BOUND), help='its config')
    parser.add_argument(
        '--weak',
        nargs='+',
        default=[str(trainings.REPOSITORY / WEAK)],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='config of the weak model, and its checkpoint for O4 to O7 and labels',
    )
    parser.add_argument('--stage', default='attention', help='whose labels O4 to O6 change')
    parser.add_argument('--seeds', type=int, default=1, help='seeds 0, 1, ... of each row')
    parser.add_argument('--every', type=int, default=1, help='O7 takes every n-th image')
    parser.add_argument('--processes', type=int, default=trainings.devices(), help='of a training')
    parser.add_argument('--root', default='work_dirs/oracles', help='folder of the trainings')
    parser.add_argument('--out', default='docs/research/benchmarks/oracles.json')
    return parser.parse_args(argv)


def weak_checkpoint(args: argparse.Namespace) -> str:
    """The checkpoint of the weak model.

    Raises:
        UserError: If there is none.
    """
    if len(args.weak) != 2 or not Path(args.weak[1]).is_file():
        raise UserError(
            f'The rows {", ".join((*OF_LABELS, "O7"))} need a trained weak model: give --weak '
            f'CONFIG CHECKPOINT, not --weak {" ".join(args.weak)}.'
        )
    return args.weak[1]


def label_file(args: argparse.Namespace) -> str:
    """File of the weak model's labels of the training images, exported if it is not there."""
    checkpoint = weak_checkpoint(args)
    content = zlib.crc32(Path(checkpoint).read_bytes())
    # The name is part of the key of trainings that read the file.
    folder = Path(args.root).resolve() / f'{args.stage}_{content:08x}'
    path = folder / 'annotations/instances_train.json'
    if not path.is_file():
        options = ['--stage', args.stage, '--format', 'coco', '--score-thr', '0']
        given = [args.weak[0], checkpoint, '--out', str(folder), *options]
        trainings.launch('export_pseudo_labels', given, 1)
    return str(path)


def oracle_config(row: str, bound: Config, weak: Config, labels: str | None) -> Config:
    """The bound's config with the change of a row.

    Args:
        row: One of ``ROWS`` but O7.
        bound: Its config; not changed.
        weak: Config of the weak model.
        labels: File of its labels, for the rows that need it.
    """
    cfg = Config(bound.to_dict())
    dataset = cfg.train_dataloader.dataset
    names = [one['type'] for one in dataset.pipeline]
    place = names.index('LoadTrueInstances')
    if row == 'O1':
        cfg.train_cfg.phases.detection.epochs = weak.train_cfg.phases.detection.epochs
    elif row == 'labels':
        dataset.supervision = 'tags'
        dataset.pipeline[place] = dict(type='LoadLabels', label_file=labels)
    elif row in CHANGED:
        change = dict(type='OracleLabels', oracle=row, label_file=labels)
        dataset.pipeline.insert(place + 1, change)
    return cfg


def ranked_by_truth(found: InstanceData, truth: InstanceData) -> Tensor:
    """O7: the largest IoU [P] of each box with an object of its class, in place of its score.

    Args:
        found: ``bboxes`` [P, 4], ``labels``.
        truth: ``bboxes`` [G, 4], ``labels``, whose boxes end as those of ``found``.
    """
    overlaps = box_iou(found.bboxes, truth.bboxes)
    overlaps = overlaps * (found.labels[:, None] == truth.labels)
    return torch.cat([overlaps, overlaps.new_zeros(len(found), 1)], 1).amax(1)


def measure_ranking(config: str, checkpoint: str, every: int) -> dict[str, float]:
    """O7: box AP of a model on training images, by its scores and by true IoU."""
    model, cfg = build_row(config, checkpoint, {}, {})
    loader = load_every(cfg.corloc_dataloader, every)
    by_score, by_truth = (build_evaluator([one], loader) for one in METRICS)
    inclusive = loader.dataset.metainfo.get('inclusive_boxes', True)
    for batch in loader:
        samples = model.read(batch)
        by_score.process(data_samples=samples, data_batch=batch)
        for sample in samples:
            truth = sample.gt_instances.to(sample.pred_instances.bboxes.device)
            bboxes = truth.bboxes.clone()
            bboxes[:, 2:] += int(inclusive)
            truth = InstanceData(bboxes=bboxes, labels=truth.labels)
            sample.pred_instances.scores = ranked_by_truth(sample.pred_instances, truth)
        by_truth.process(data_samples=samples, data_batch=batch)
    count = len(loader.dataset)
    figures = by_score.evaluate(count) | by_truth.evaluate(count)
    return rounded(figures) | {'photos': count}


def run_ranking(args: argparse.Namespace) -> None:
    """Measure O7, unless that is done."""
    checkpoint, out = weak_checkpoint(args), Path(args.out)
    key = f'{zlib.crc32(Path(checkpoint).read_bytes()):08x}-{args.every}'
    if key not in [one['key'] for one in read_results(out) if one['row'] == 'O7']:
        metrics = measure_ranking(args.weak[0], checkpoint, args.every)
        place = dict(row='O7', config=args.weak[0], seed=0, commit=voc12_mini.commit())
        add_result(dict(place, key=key, metrics=metrics), out)


def main(argv: Sequence[str] | None = None) -> None:
    """Train and measure the rows, and print a table of all that are measured."""
    args = parse_args(argv)
    if min(args.seeds, args.processes, args.every) < 1:
        raise UserError('--seeds, --processes and --every must be at least 1.')
    register_all_modules()
    bound, weak = Config.fromfile(args.bound), Config.fromfile(args.weak[0])
    configs = {}
    for row in [row for row in args.rows if row != 'O7']:
        cfg = oracle_config(row, bound, weak, label_file(args) if row in OF_LABELS else None)
        path = Path(args.root).resolve() / f'{row}.py'
        configs[row] = str(trainings.dump_config(cfg, path))
    if configs:
        runs = trainings.Trainings(args.root, configs.values(), args.processes)
        for seed, (row, config) in product(range(args.seeds), configs.items()):
            voc12_mini.run_row(row, config, seed, runs, args)
    if 'O7' in args.rows:
        run_ranking(args)
    print(summary_table(read_results(Path(args.out)), COLUMNS))
    print(f'oracles: {args.out}', file=sys.stderr)


if __name__ == '__main__':
    run_command(main)
