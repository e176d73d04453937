"""Baselines, bounds and ablations on VOC12-mini, trained and tested in one command.

Resumable at any point: figures of the same code, config and data are not measured again, and
phases that rows have in common are trained once. Writes the figures as JSON, and table and plots
into the docs.

Example:
    python benchmark/voc12_mini.py --rows ladder bound --seeds 3
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from keys import IDLE, NOT_TESTING, PLACES, data_digest, digest, executed_code, without
from mmengine.config import Config
from report import add_result, read_results, write_report
from trainings import REPOSITORY, Trainings, device_name, devices, dump_config, launch

from mmlabelpenet.apis import run_command
from mmlabelpenet.evaluation import evaluation_sets
from mmlabelpenet.utils import UserError, register_all_modules

ABLATIONS = 'configs/label_penet/ablations/'
MINI = '_effnet-lite0_voc12-mini.py'
# For each group its rows: name and config.
GROUPS = {
    'full': {'Label-PEnet': f'configs/label_penet/label-penet{MINI}'},
    'ladder': {
        'A': ABLATIONS + 'a_classification.py',
        'B': ABLATIONS + 'b_detection.py',
        'C': ABLATIONS + 'c_refinement.py',
        'D': ABLATIONS + 'd_segmentation.py',
        'E': ABLATIONS + 'e_joint.py',
        'F': ABLATIONS + 'f_curriculum.py',
        'G': ABLATIONS + 'g_forward.py',
        'H': ABLATIONS + 'h_full.py',
    },
    # D and E with masks refined by colour before stage 4 learns them; and H without curriculum,
    # since in F, which adds it, weights of pseudo instances are not informative.
    'variants': {
        'D-refined': ABLATIONS + 'd_refined-masks.py',
        'E-refined': ABLATIONS + 'e_refined-masks.py',
        'H-no-curriculum': ABLATIONS + 'h_no-curriculum.py',
    },
    'baselines': {
        'WSDDN': f'configs/wsddn/wsddn{MINI}',
        'WSDDN-context': f'configs/wsddn/wsddn-context{MINI}',
        'OICR': f'configs/oicr/oicr{MINI}',
        'OICR-reg': f'configs/oicr/oicr-reg{MINI}',
        'OICR-reg-attention': f'configs/oicr/oicr-reg-attention{MINI}',
        'PCL': f'configs/pcl/pcl{MINI}',
        'WSDDN-mid-level': f'configs/wsddn/wsddn-mid-level{MINI}',
        'WSDDN-mid-level-contrast': f'configs/wsddn/wsddn-mid-level-contrast{MINI}',
        'OICR-mid-level': f'configs/oicr/oicr-mid-level{MINI}',
        'OICR-reg-mid-level': f'configs/oicr/oicr-reg-mid-level{MINI}',
        'PCL-mid-level': f'configs/pcl/pcl-mid-level{MINI}',
        'MIST-mid-level': f'configs/mist/mist-mid-level{MINI}',
    },
    'bound': {
        'Fast-RCNN': f'configs/upper_bound/fast-rcnn{MINI}',
        'Mask-RCNN': f'configs/upper_bound/mask-rcnn{MINI}',
    },
    'attention': {
        name: f'{ABLATIONS}{name}.py'
        for name in ('attention-cam', 'attention-excitation', 'attention-contrastive')
    },
    'sharpening': {
        name: f'{ABLATIONS}{name}.py'
        for name in ('sharpen-none', 'refine-none', 'refine-pixel-affinity', 'refine-dense-crf')
    },
    'loss': {name: f'{ABLATIONS}{name}.py' for name in ('loss-wsddn', 'loss-softmax')},
    'backbone': {
        name: f'{ABLATIONS}{name}.py' for name in ('backbone-frozen', 'backbone-trained')
    },
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--rows',
        nargs='+',
        default=['full', 'ladder', 'variants', 'baselines', 'bound'],
        help=f'names of rows, groups ({", ".join(GROUPS)}) or paths of further configs',
    )
    parser.add_argument('--seeds', type=int, default=3, help='seeds 0, 1, ... of each row')
    parser.add_argument('--processes', type=int, default=devices(), help='of each training')
    parser.add_argument('--root', default='work_dirs/benchmark', help='folder of the trainings')
    parser.add_argument('--out', default='docs/research/benchmarks/voc12_mini.json')
    parser.add_argument('--docs', default='docs/research/benchmarks.md', help='page of the table')
    parser.add_argument('--readme', default='README.md', help='page of the headline')
    parser.add_argument('--images', default='docs/images', help='folder of the plots')
    parser.add_argument(
        '--report', action='store_true', help='only write table and plots of what is measured'
    )
    return parser.parse_args(argv)


def find_rows(names: Sequence[str]) -> dict[str, str]:
    """Paths of configs by row.

    Args:
        names: Of rows or groups, or paths of configs.

    Raises:
        UserError: If there is no such row.
    """
    known = {row: config for group in GROUPS.values() for row, config in group.items()}
    rows: dict[str, str] = {}
    for name in names:
        if name not in {*GROUPS, *known} and not Path(name).is_file():
            raise UserError(
                f'There is no row {name}; there are the groups {", ".join(GROUPS)}, the rows '
                f'{", ".join(known)}, and configs by their paths.'
            )
        own = {name: known[name]} if name in known else {Path(name).stem: name}
        rows |= GROUPS.get(name, own)
    return {row: str(REPOSITORY / config) for row, config in rows.items()}


def tested_stage(cfg: Config) -> str:
    """Name of the stage whose result a config measures."""
    last = [name for name, stage in cfg.model.cascade.items() if stage is not None][-1]
    return cfg.model.get('test_cfg', {}).get('stage', last)


def metrics_of(cfg: Config) -> list[str]:
    """Short names of the figures of a config's test images."""
    masks = tested_stage(cfg) in ('refinement', 'segmentation')
    return ['bbox', 'image', 'errors', *(['segm', 'semseg'] if masks else [])]


def measuring_key(trainings: Trainings, cfg: Config) -> str:
    """Key of the figures of a row, from its training and its test."""
    sets = [dict(one) for one in evaluation_sets(cfg, [*metrics_of(cfg), 'corloc'])]
    settings = dict(model=cfg.model.to_dict(), sets=without(sets, IDLE + PLACES))
    return digest(
        dict(
            settings,
            training=trainings.key(cfg),
            code=executed_code([settings, 'MultiSetTestLoop'], NOT_TESTING),
            data=[data_digest(one['dataloader'].dataset) for one in sets],
        )
    )


def commit() -> str:
    """The commit that is checked out, with ``+`` where files differ from it."""
    options: dict = dict(cwd=REPOSITORY, capture_output=True, text=True)
    head = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], **options).stdout.strip()
    difference = ['git', 'diff', '--quiet', 'HEAD', '--', 'mmlabelpenet', 'configs']
    changed = subprocess.run(difference, **options).returncode
    return (head or 'unknown') + ('+' if changed else '')


def measure(cfg: Config, checkpoint: str, folder: Path, processes: int) -> dict[str, float]:
    """Test a checkpoint: everything on the test images, CorLoc on the training images.

    Args:
        cfg: Of the row.
        checkpoint: Its weights.
        folder: For logs.
        processes: Of the test.

    Returns:
        All figures by name; null where one does not exist.
    """
    stage = tested_stage(cfg)
    cfg.model.setdefault('test_cfg', {})['stage'] = stage
    metrics = _test(cfg, checkpoint, folder / 'val', metrics_of(cfg), processes)
    # Refinement has the boxes of detection. Only the best box of a class counts.
    stage = 'detection' if stage == 'refinement' else stage
    cfg.model.test_cfg.stage = stage
    cfg.model.cascade[stage].setdefault('test_cfg', {})['max_per_image'] = 1
    return metrics | _test(cfg, checkpoint, folder / 'train', ['corloc'], processes)


def _test(
    cfg: Config, checkpoint: str, folder: Path, names: Sequence[str], processes: int
) -> dict[str, float]:
    path = dump_config(cfg, folder / 'config.py')
    args = [str(path), checkpoint, '--work-dir', str(folder), '--eval', *names]
    launch('test', args, processes)
    return json.loads((folder / 'metrics.json').read_text())


def run_row(
    row: str, config: str, seed: int, trainings: Trainings, args: argparse.Namespace
) -> None:
    """Train and measure one row with one seed, unless that is done."""
    cfg = trainings.read(config)
    key, out = measuring_key(trainings, cfg), Path(args.out)
    place = dict(row=row, config=config.removeprefix(f'{REPOSITORY}/'))
    same = [one for one in read_results(out) if (one['key'], one['seed']) == (key, seed)]
    if same:
        names = [one['row'] for one in same]
        print(f'benchmark: {row}, seed {seed}, is measured already, as {names[0]}', flush=True)
        if row not in names:
            add_result({**same[0], **place}, out)
        return
    print(f'benchmark: {row}, seed {seed} ({config})', flush=True)
    trainings.propose(config)
    trained = trainings.train(cfg, seed)
    metrics = measure(
        cfg, trained.checkpoint, trainings.root / f'{key}-{seed}-test', args.processes
    )
    result = dict(
        place,
        seed=seed,
        commit=commit(),
        key=key,
        processes=args.processes,
        device=device_name(),
        minutes=round(trained.minutes, 2),
        peak_gb=round(trained.peak_gb, 2),
        metrics={
            name: None if value is None else round(value, 4) for name, value in metrics.items()
        },
    )
    add_result(result, out)


def main(argv: Sequence[str] | None = None) -> None:
    """Train, test and report."""
    args = parse_args(argv)
    if min(args.seeds, args.processes) < 1:
        raise UserError('--seeds and --processes must be at least 1.')
    rows = find_rows(args.rows)
    register_all_modules()
    if not args.report:
        trainings = Trainings(args.root, rows.values(), args.processes)
        for seed, (row, config) in product(range(args.seeds), rows.items()):
            run_row(row, config, seed, trainings, args)
    pages = Path(args.docs), Path(args.images), Path(args.readme)
    write_report(read_results(Path(args.out)), GROUPS, *pages)
    print(f'benchmark: {args.out}, {args.docs}', file=sys.stderr)


if __name__ == '__main__':
    run_command(main)
