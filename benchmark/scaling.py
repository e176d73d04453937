"""Time and memory of Label-PEnet against the size of its task.

One axis varies at a time, the others stay at their defaults. Every point is measured in a process
of its own, so that its peak memory is its own; that of a process that has imported everything is
written beside it. Weights are random, and images are noise: times do not depend on what images
show. The photos of the last axis are small files that all differ, tagged in a CSV file: what is
measured is the start of a training up to its data sets, and a check of the data.

Example:
    python benchmark/scaling.py --rounds 3
"""

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from report import insert, save_figure
from speed import batch_of, joint_steps, label_penet, medians, peak_mb, prediction
from trainings import REPOSITORY, device_name

from mmlabelpenet.apis import plain_datasets, read_config, run_command
from mmlabelpenet.apis.classes import unify_trained_classes
from mmlabelpenet.datasets.checking import check_datasets
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import atomic_path, markdown_table, register_all_modules, write_lines

TAGS = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_tags.py'
DEFAULTS = {'proposals': 1000, 'instances': 100, 'short side': 384, 'classes': 20}
AXES = {
    'proposals': (250, 500, 1000, 2000, 5000, 10000, 20000),
    'instances': (1, 25, 50, 100, 200),
    'short side': (192, 288, 384, 576, 768),
    'classes': (3, 20, 80, 150, 300),
    'photos': (1000, 10000, 30000, 100000),
}
# The end of a figure's name, and what the heading of its column says.
UNIT, UNITS = re.compile('_(s|mb)$'), {'s': ', s', 'mb': ', MB'}
# Classes of the tagged photos, and their pixels.
NUM_TAGS, PHOTO = 20, (160, 120)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', choices=AXES, default=[*AXES], help='some axes')
    parser.add_argument('--most', type=int, default=10**9, help='leave larger values out')
    parser.add_argument('--rounds', type=int, default=3, help='whose median is taken')
    parser.add_argument('--out', default='docs/research/benchmarks/scaling.json')
    parser.add_argument('--docs', default='docs/research/speed.md', help='page of the tables')
    parser.add_argument('--images', default='docs/images', help='folder of the curves')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--point', nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measure_model(axis: str, value: int, args: argparse.Namespace) -> dict[str, float]:
    """Predict and train with one setting, two images a step; peaks are those of the process."""
    sizes = {**DEFAULTS, axis: value}
    model = label_penet(args.device, num_classes=sizes['classes'])
    model.cascade['segmentation'].test_cfg['max_per_image'] = sizes['instances']
    found = {'imports_mb': peak_mb(args.device)}
    batch, pair = (batch_of(sizes['short side'], sizes['proposals'], n) for n in (1, 2))
    for sample in (*batch['data_samples'], *pair['data_samples']):
        sample.tags = torch.eye(sizes['classes'])[:2].sum(dim=0)
    (found['predict_s'],) = medians([prediction(model, batch)], args.rounds, args.device)
    found['predict_mb'] = peak_mb(args.device)
    actions = [*joint_steps(model, pair).values()]
    found['joint_step_s'] = mean(medians(actions, args.rounds, args.device))
    return found | {'joint_step_mb': peak_mb(args.device)}


def make_photos(folder: Path, number: int) -> None:
    """Write small JPEGs, each with another comment, and a CSV file of their tags."""
    (folder / 'photos').mkdir()
    rng, chance = np.random.default_rng(0), random.Random(0)
    pixels = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), PHOTO)
    content = bytes(cv2.imencode('.jpg', pixels)[1])
    lines = ['photo,tags']
    for index in range(number):
        comment = b'\xff\xfe\x00\x0a' + b'%08d' % index
        path = folder / 'photos' / f'{index:08d}.jpg'
        path.write_bytes(content[:2] + comment + content[2:])
        tags = chance.sample(range(NUM_TAGS), chance.randint(1, 3))
        lines.append(f'{path.name},' + ';'.join(f'class {label}' for label in tags))
    write_lines(folder / 'tags.csv', lines)


def cpu_seconds() -> float:
    """CPU seconds of this process and of those that it has started."""
    return sum(os.times()[:4])


def measure_photos(number: int) -> dict[str, float]:
    """CPU seconds and peak memory of starting with tagged photos, and of checking them."""
    found = {'imports_mb': peak_mb('cpu')}
    with tempfile.TemporaryDirectory() as folder:
        make_photos(Path(folder), number)
        options = {'data_root': f'{folder}/photos', 'tag_file': f'{folder}/tags.csv'}
        start = cpu_seconds()
        cfg = read_config(str(TAGS), options)
        unify_trained_classes(cfg)
        dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []})
        between = cpu_seconds()
        found |= {'start_s': between - start, 'start_mb': peak_mb('cpu')}
        loaders = {'train': cfg.train_dataloader, 'test': cfg.test_dataloader}
        roles = {role: plain_datasets(one['dataset']) for role, one in loaders.items()}
        report = check_datasets(roles, min_images=0)
        found |= {'check_s': cpu_seconds() - between, 'check_mb': peak_mb('cpu')}
    if len(dataset) != number or report.findings:
        raise RuntimeError(f'{len(dataset)} photos of {number}, findings: {report.findings}')
    return found


def measure_alone(axis: str, value: int, args: argparse.Namespace) -> dict[str, float]:
    """Measure one point in a process of its own."""
    options = ['--rounds', args.rounds, '--device', args.device, '--point', axis, value]
    command = [sys.executable, __file__, *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(axis, value, json.dumps(found), flush=True)
    return {name: round(one, 3) for name, one in found.items()}


def growth(points: Mapping[str, Mapping[str, float]], name: str) -> str:
    """The power with which a figure grows over the last points; memory without the imports."""
    base = 'imports_mb' if name.endswith('_mb') else ''
    known = [(float(x), one[name] - one.get(base, 0)) for x, one in points.items()]
    (x1, y1), (x2, y2) = known[len(known) // 2 - 1], known[-1]
    if min(y1, y2) <= 0 or x1 == x2:
        return '-'
    return f'n^{math.log(y2 / y1) / math.log(x2 / x1):.2f}'


def make_tables(result: dict) -> str:
    """Markdown: a table of each axis, its last line the growth of each figure."""
    parts = []
    for axis, points in result['curves'].items():
        names = [name for name in next(iter(points.values())) if name != 'imports_mb']
        rows = [
            [x, *(f'{one[name]:.{"0f" if name.endswith("_mb") else "3g"}}' for name in names)]
            for x, one in points.items()
        ]
        rows.append(['grows with', *(growth(points, name) for name in names)])
        heads = [UNIT.sub(lambda end: UNITS[end[1]], name).replace('_', ' ') for name in names]
        parts.append(markdown_table([axis, *heads], rows))
    machine = f'{result["device"]}, {result["threads"]} threads, torch {result["torch"]}'
    others = ', '.join(f'{value} {name}' for name, value in DEFAULTS.items())
    return '\n\n'.join([*parts, f'Measured on {machine}; else {others}.'])


def plot_curves(curves: Mapping[str, Mapping[str, Mapping]], path: Path) -> None:
    """Draw seconds above and memory below, a column for each axis."""
    figure = Figure(figsize=(3 * len(curves), 5))
    grid = figure.subplots(2, len(curves), squeeze=False)
    for column, (axis, points) in zip(grid.T, curves.items()):
        for axes, unit in zip(column, ('_s', '_mb')):
            for name in [one for one in next(iter(points.values())) if one.endswith(unit)]:
                values = [one[name] for one in points.values()]
                label = name.removesuffix(unit).replace('_', ' ')
                axes.plot([float(x) for x in points], values, marker='o', label=label)
            axes.set_xlabel(axis)
            axes.set(ylim=(0, None), ylabel='seconds' if unit == '_s' else 'MB')
            axes.grid(color='0.92')
            axes.legend(frameon=False, fontsize=7)
    save_figure(figure, path)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    args = parse_args(argv)
    register_all_modules()
    if args.point:
        axis, value = args.point[0], int(args.point[1])
        measured = measure_photos(value) if axis == 'photos' else measure_model(axis, value, args)
        return print(json.dumps(measured))
    result: dict = dict(
        device=device_name(args.device),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        curves={},
    )
    for axis in args.only:
        values = [value for value in AXES[axis] if value <= args.most]
        result['curves'][axis] = {str(one): measure_alone(axis, one, args) for one in values}
    plot_curves(result['curves'], Path(args.images) / 'scaling.png')
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + '\n')
    insert(make_tables(result), Path(args.docs), 'scaling.py')


if __name__ == '__main__':
    run_command(main)
