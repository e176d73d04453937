"""The proof: baselines, bound and ablations on VOC12-mini, trained and tested in one command.

Resumable at any point: what is measured for the same code and config is skipped, phases that rows
have in common are trained once. Writes the figures as JSON, and table and plots into the docs.

Example:
    python benchmark/voc12_mini.py --rows ladder bound --seeds 3
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keys import IDLE, PLACES, code_digest, data_digest, digest, phases_of, without
from mmengine.config import Config
from report import write_report
from trainings import REPOSITORY, Trainings, device_name, devices, dump_config, launch

from mmlabelpenet.apis import run_command
from mmlabelpenet.evaluation import evaluation_sets
from mmlabelpenet.utils import UserError, atomic_path, register_all_modules

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
    # Rungs that do not help by themselves, mended. What F adds is mended in H, whose weights tell
    # right from wrong: H with and without it.
    'mended': {
        'D-fitted': ABLATIONS + 'd_fitted.py',
        'E-fitted': ABLATIONS + 'e_fitted.py',
        'H-no-curriculum': ABLATIONS + 'h_no-curriculum.py',
    },
    'baselines': {
        'WSDDN': f'configs/wsddn/wsddn{MINI}',
        'WSDDN-context': f'configs/wsddn/wsddn-context{MINI}',
        'OICR': f'configs/oicr/oicr{MINI}',
        'OICR-reg': f'configs/oicr/oicr-reg{MINI}',
        'OICR-reg-attention': f'configs/oicr/oicr-reg-attention{MINI}',
        'PCL': f'configs/pcl/pcl{MINI}',
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


@dataclass
class Row:
    """A row of the benchmark: a name, and the config that is trained and tested."""

    name: str
    config: str


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--rows',
        nargs='+',
        default=['full', 'ladder', 'mended', 'baselines', 'bound'],
        help=f'names of rows, groups ({", ".join(GROUPS)}) or paths of further configs',
    )
    parser.add_argument('--seeds', type=int, default=3, help='seeds 0, 1, ... of each row')
    parser.add_argument('--processes', type=int, default=devices(), help='of each training')
    parser.add_argument('--root', default='work_dirs/benchmark', help='folder of the trainings')
    parser.add_argument('--out', default='docs/benchmarks/voc12_mini.json')
    parser.add_argument('--docs', default='docs/benchmarks.md', help='where the table goes')
    parser.add_argument('--images', default='docs/images', help='folder of the plots')
    parser.add_argument(
        '--any-code',
        action='store_true',
        help='take rows that other code has measured; their commit is told',
    )
    parser.add_argument(
        '--report', action='store_true', help='only write table and plots of what is measured'
    )
    parser.add_argument('--dry-run', action='store_true', help='only tell what would be trained')
    return parser.parse_args(argv)


def find_rows(names: Sequence[str]) -> list[Row]:
    """Rows by their names, groups' names, or configs.

    Raises:
        UserError: If there is no such row.
    """
    known = {row: config for group in GROUPS.values() for row, config in group.items()}
    rows: dict[str, str] = {}
    for name in names:
        if name in GROUPS:
            rows |= GROUPS[name]
        elif name in known:
            rows[name] = known[name]
        elif Path(name).is_file():
            rows[Path(name).stem] = name
        else:
            raise UserError(
                f'There is no row {name}; there are the groups {", ".join(GROUPS)}, the rows '
                f'{", ".join(known)}, and configs by their paths.'
            )
    return [Row(name, str(REPOSITORY / config)) for name, config in rows.items()]


def tested_stage(cfg: Config) -> str:
    """The stage whose result a config measures."""
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
            code=code_digest([settings, 'MultiSetTestLoop']),
            data=[data_digest(one['dataloader'].dataset) for one in sets],
        )
    )


def commit() -> str:
    """The commit that is checked out, marked where files differ from it."""

    def git(*args: str) -> str:
        done = subprocess.run(['git', *args], cwd=REPOSITORY, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git('status', '--porcelain', '--untracked-files=no', 'mmlabelpenet', 'configs')
    return (git('rev-parse', '--short', 'HEAD') or 'unknown') + ('+' if changed else '')


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
    # Its boxes are those of the stage before; only the best box of a class counts.
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


def read_results(path: Path) -> list[dict]:
    """What is measured so far."""
    return json.loads(path.read_text()) if path.is_file() else []


def write_results(results: Sequence[dict], path: Path) -> None:
    """Write all results, a line each."""
    lines = ',\n'.join(json.dumps(one) for one in results)
    with atomic_path(path) as temporary:
        temporary.write_text(f'[\n{lines}\n]\n')


def write_result(result: dict, path: Path) -> None:
    """Add a result, in the place of one of the same row and seed."""
    place = result['row'], result['seed']
    kept = [one for one in read_results(path) if (one['row'], one['seed']) != place]
    write_results([*kept, result], path)


def run_row(row: Row, seed: int, trainings: Trainings, args: argparse.Namespace) -> None:
    """Train and measure one row with one seed, unless that is done."""
    cfg = trainings.read(row.config)
    key = measuring_key(trainings, cfg)
    out = Path(args.out)
    results = read_results(out)
    same = [one for one in results if (one['row'], one['seed']) == (row.name, seed)]
    if any(args.any_code or one['key'] == key for one in same):
        print(f'benchmark: {row.name}, seed {seed}, is measured already', flush=True)
        return
    config = row.config.removeprefix(f'{REPOSITORY}/')
    for one in results:
        if (one['key'], one['seed']) == (key, seed):
            print(f'benchmark: {row.name}, seed {seed}, is what {one["row"]} is', flush=True)
            return write_result(dict(one, row=row.name, config=config), out)
    print(f'benchmark: {row.name}, seed {seed} ({row.config})', flush=True)
    trainings.propose(row.config)
    trained = trainings.train(cfg, seed)
    folder = trainings.root / f'{key}-{seed}-test'
    metrics = measure(cfg, trained.checkpoint, folder, args.processes)
    result = dict(
        row=row.name,
        config=config,
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
    write_result(result, out)


def tell_plan(rows: Sequence[Row], trainings: Trainings) -> None:
    """Print what rows have in common."""
    for row in rows:
        cfg = trainings.read(row.config)
        names = list(phases_of(cfg))
        keys = [trainings.key(cfg, n) for n in range(1, len(names) + 1)]
        told = [f'{name} {key}' for name, key in zip(names, keys)]
        print(f'{row.name:22} {tested_stage(cfg):14} {", ".join(told)}')


def main(argv: Sequence[str] | None = None) -> None:
    """Train, test, report."""
    args = parse_args(argv)
    if min(args.seeds, args.processes) < 1:
        raise UserError('--seeds and --processes must be at least 1.')
    rows = find_rows(args.rows)
    register_all_modules()
    if not args.report:
        trainings = Trainings(args.root, [row.config for row in rows], args.processes)
        if args.dry_run:
            return tell_plan(rows, trainings)
        for seed in range(args.seeds):
            for row in rows:
                run_row(row, seed, trainings, args)
    groups = {name: list(group) for name, group in GROUPS.items()}
    write_report(read_results(Path(args.out)), groups, Path(args.docs), Path(args.images))
    print(f'benchmark: {args.out}, {args.docs}', file=sys.stderr)


if __name__ == '__main__':
    run_command(main)
