"""Compare what this checkout and another one compute, bit by bit.

Each case runs the command lines of both checkouts side by side on a few generated images. Their
weights (with the state of the optimiser), figures and files must be identical. The first
difference of each case is printed, and the exit code is 1 if there is one. A training that was
cut and resumed must also end in the weights of the whole one.

Example:
    python tools/misc/same_bits.py ../other_checkout
    python tools/misc/same_bits.py ../other_checkout --cases full cut metrics
"""

import argparse
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
# Without a curriculum, since the threshold of a curriculum stops all labels of a model that is
# barely trained, and backward steps would have no loss.
FULL = 'label_penet/ablations/h_no-curriculum'
# Each training by its case: its config, by all names that it has had.
TRAININGS = {
    'full': [FULL],
    'cut': [FULL],
    'no-cache': [FULL],
    'two-processes': [FULL],
    'shapes': ['label_penet/label-penet_effnet-lite0_shapes'],
    'off': ['label_penet/ablations/e_joint'],
    'forward': ['label_penet/ablations/g_forward'],
    'true': ['upper_bound/mask-rcnn_effnet-lite0_voc12-mini'],
    'oicr': ['oicr/oicr_effnet-lite0_voc12-mini'],
    'pcl': ['pcl/pcl_effnet-lite0_voc12-mini'],
    'excitation': ['label_penet/ablations/attention-contrastive'],
    'propagate-refined': [
        f'label_penet/ablations/d_{name}'
        for name in ('fitted', 'refined', 'refined-masks', 'propagate-refined')
    ],
}
# The joint phase of 12 steps turns to backward steps after 10, the cut is after 6 of them.
_LONG = ['train_cfg.phases.joint.epochs=4', 'default_hooks.checkpoint.interval=7']
OPTIONS = {'full': _LONG, 'cut': _LONG, 'no-cache': ['train_cfg.feature_cache=None']}
FLAGS = {'cut': ['--resume', 'work_dirs/full/epoch_7.pth']}
CHECKPOINT = 'work_dirs/full/epoch_9.pth'
# A config with several views, whose published sizes are divided by 3.
VIEWS = ['label_penet/label-penet_r50_voc12-aug']
METRICS = ('bbox', 'corloc', 'proposal', 'image', 'errors', 'coco')
MASK_METRICS = (*METRICS, 'segm', 'semseg', 'pseudo')
STAGES = {
    'classification': METRICS,
    'detection': METRICS,
    **dict.fromkeys(('refinement', 'segmentation', 'attention', 'calibration'), MASK_METRICS),
}
# Entries that depend on the time, the machine or the version, and prose.
VOLATILE = {'time', 'data_time', 'eta', 'memory', 'config', 'generator', 'description'}
FIGURES = re.compile(r'(metrics|vis_data/scalars)\.json$')
SKIPPED = re.compile(r'\.(log|py)$|last_checkpoint$|RUN\.json$')


@dataclass(frozen=True)
class Side:
    """A checkout and the folder in which its commands run.

    Attributes:
        name: What messages call the checkout.
        checkout: Root of the repository.
        folder: Working directory of the commands.
    """

    name: str
    checkout: Path
    folder: Path

    def config(self, names: Sequence[str]) -> str:
        """Path of the config that has one of these names."""
        paths = [self.checkout / 'configs' / f'{name}.py' for name in names]
        return str(next((path for path in paths if path.is_file()), paths[0]))

    def data_options(self) -> list[str]:
        """Overrides with which any config reads the generated images."""
        shapes = Config.fromfile(self.config(TRAININGS['shapes'])).train_dataloader.dataset
        options = ['--cfg-options', 'model.num_classes=6', 'train_dataloader.batch_size=2']
        for split in ('train', 'val', 'test', 'corloc'):
            loader = f'{split}_dataloader'
            options += [f'{loader}.dataset.{key}={shapes[key]}' for key in ('type', 'data_root')]
            options += [f'{loader}.num_workers=0', f'{loader}.persistent_workers=False']
        return options

    def run(self, tool: str, *arguments: str) -> None:
        """Run a tool of the checkout in the folder.

        Args:
            tool: Path in the repository.
            *arguments: Of its command line.

        Raises:
            RuntimeError: If the tool fails.
        """
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        variables = {
            'PYTHONPATH': str(self.checkout),
            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
            'OMP_NUM_THREADS': '1',
            'PORT': str(port),
        }
        result = subprocess.run(
            ['bash' if tool.endswith('.sh') else 'python', str(self.checkout / tool), *arguments],
            cwd=self.folder,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if result.returncode:
            end = ' | '.join(result.stdout.strip().splitlines()[-3:])
            raise RuntimeError(f'{tool} of {self.name} failed: {end}')


def make_data(side: Side) -> None:
    """Generate images and their proposals."""
    numbers = ['--num-train', '6', '--num-val', '3', '--image-size', '120', '160']
    side.run('tools/dataset_converters/make_shapes.py', *numbers)
    config = side.config(TRAININGS['shapes'])
    side.run('tools/proposals/make_proposals.py', config, '--workers', '1')
    shutil.copytree(side.folder / 'data', side.folder / 'work_dirs/proposals')


def train(side: Side, case: str) -> None:
    """Train a few steps of each phase, then validate."""
    config = side.config(TRAININGS[case])
    phases = Config.fromfile(config).train_cfg.phases
    options = [*side.data_options(), 'default_hooks.logger.interval=1']
    options.append('default_hooks.checkpoint.interval=1000')
    options += [
        f'train_cfg.phases.{name}.epochs=1'
        for name, phase in phases.items()
        if phase is not None and phase.epochs
    ]
    arguments = ['--work-dir', f'work_dirs/{case}', *FLAGS.get(case, [])]
    arguments += [*options, *OPTIONS.get(case, [])]
    if case == 'two-processes':
        side.run('tools/dist_train.sh', config, '2', *arguments)
    else:
        side.run('tools/train.py', config, *arguments)


def measure(side: Side) -> None:
    """Measure every stage on the training images, the last one on the test images too."""
    config, folder = side.config([FULL]), 'work_dirs/metrics'
    (side.folder / folder).mkdir(parents=True)
    # Figures of each class are written beside the checkpoint.
    checkpoint = f'{folder}/last.pth'
    (side.folder / checkpoint).symlink_to(side.folder / CHECKPOINT)
    for stage, metrics in STAGES.items():
        out = f'{folder}/{stage}'
        arguments = ['--work-dir', out, '--stage', stage, '--split', 'train', '--eval', *metrics]
        arguments += ['--out', f'{out}/found.pkl', *side.data_options()]
        side.run('tools/test.py', config, checkpoint, *arguments)
    found = f'{folder}/found.pkl'
    arguments = ['--work-dir', folder, '--eval', *MASK_METRICS, '--markdown', f'{folder}/all.md']
    pictures = ['--out', found, '--show-dir', f'{folder}/pictures']
    options = side.data_options()
    side.run('tools/test.py', config, checkpoint, *arguments, *pictures, *options)
    side.run('tools/analysis_tools/eval_metric.py', config, found, *arguments, *options)


def average_views(side: Side) -> None:
    """Test with several sizes and flips of each image."""
    views = Config.fromfile(side.config(VIEWS))
    pipeline = re.sub(
        r'\(2000, (\d+)\)', lambda size: f'(2000, {int(size[1]) // 3})', str(views.tta_pipeline)
    )
    lines = [f'_base_ = {side.config([FULL])!r}', f'tta_model = {views.tta_model}']
    config = side.folder / 'views.py'
    config.write_text('\n'.join([*lines, f'tta_pipeline = {pipeline}\n']))
    arguments = ['--work-dir', 'work_dirs/tta', '--tta', '--out', 'work_dirs/tta/found.pkl']
    side.run('tools/test.py', str(config), CHECKPOINT, *arguments, *side.data_options())


def export(side: Side) -> None:
    """Write pseudo labels in each format, ground truth as polygons, and results for VOC."""
    config, out = side.config([FULL]), 'work_dirs/exports'
    common = ['--work-dir', out, *side.data_options()]
    for form, stage in {'coco': 'calibration', 'voc': 'segmentation', 'yolo': 'attention'}.items():
        arguments = ['--format', form, '--stage', stage, '--out', f'{out}/{form}']
        arguments += ['--score-thr', '0', *common]
        side.run('tools/export_pseudo_labels.py', config, CHECKPOINT, *arguments)
    side.run('tools/test.py', config, CHECKPOINT, '--format-only', *common)
    [tool] = (side.checkout / 'tools/dataset_converters').glob('export_*.py')
    arguments = ['--out', f'{out}/polygons', '--segmentation', 'polygon', *common]
    side.run(str(tool.relative_to(side.checkout)), config, *arguments)


def infer(side: Side) -> None:
    """Paint the generated images as the demo does."""
    config = side.config(TRAININGS['shapes'])
    arguments = ['--weights', 'work_dirs/shapes/epoch_5.pth', '--out-dir', 'work_dirs/demo']
    arguments += ['--proposals', 'data/proposals/Shapes', '--pred-score-thr', '0.02']
    side.run('demo/image_demo.py', 'data/shapes/Shapes/JPEGImages', config, *arguments)


CASES: dict[str, Callable[[Side], None]] = {
    'proposals': make_data,
    **{case: partial(train, case=case) for case in TRAININGS},
    'metrics': measure,
    'tta': average_views,
    'exports': export,
    'demo': infer,
}
# Cases whose results others start from.
NEEDS = {
    **dict.fromkeys(('cut', 'metrics', 'tta', 'exports'), 'full'),
    'demo': 'shapes',
}
READERS: dict[str, Callable[[Path], Any]] = {
    '.pth': lambda path: {
        key: value
        for key, value in torch.load(path, map_location='cpu', weights_only=False).items()
        if key in ('state_dict', 'optimizer')
    },
    '.npz': lambda path: dict(np.load(path)),
    '.pkl': lambda path: pickle.loads(path.read_bytes()),
    **dict.fromkeys(('.jpg', '.png'), lambda path: np.asarray(Image.open(path))),
}


def leaves(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """Name and value of each innermost entry of nested containers."""
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key not in VOLATILE:
                yield from leaves(one, f'{name}.{key}')
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from leaves(one, f'{name}.{index}')
    else:
        yield name, value


def read_file(path: Path, places: Mapping[str, str]) -> Any:
    """Content of a file; paths of the machine in texts are replaced by their names."""
    if path.suffix in READERS:
        return READERS[path.suffix](path)
    text = path.read_text(encoding='utf-8')
    for place, name in places.items():
        text = text.replace(place, name)
    if path.suffix != '.json':
        return text
    lines = text.splitlines() if path.name == 'scalars.json' else [text]
    return [json.loads(line) for line in lines]


def read_results(folder: Path, places: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Weights, figures and files of a folder, each a dict of values by name."""
    results: dict[str, dict[str, Any]] = {'weights': {}, 'figures': {}, 'files': {}}
    for path in sorted(folder.rglob('*')):
        name = re.sub(r'\d{8}_\d{6}', 'RUN', path.relative_to(folder).as_posix())
        if path.is_dir() or path.is_symlink() or SKIPPED.search(name):
            continue
        kind = 'weights' if path.suffix == '.pth' else 'files'
        kind = 'figures' if FIGURES.search(name) else kind
        results[kind].update(leaves(read_file(path, places), f'{name}: '))
    return results


def describe(here: Any, there: Any) -> str:
    """How two values differ; an empty text if they are identical."""
    if not isinstance(here, np.ndarray) or not isinstance(there, np.ndarray):
        return '' if repr(here) == repr(there) else f'{here!r:.60} here, {there!r:.60} there'
    if (here.dtype, here.shape) != (there.dtype, there.shape):
        return f'{here.dtype}{here.shape} here, {there.dtype}{there.shape} there'
    if here.tobytes() == there.tobytes():
        return ''
    if here.dtype.kind in 'biuf':
        return f'max abs difference {np.abs(here.astype(float) - there.astype(float)).max():.3g}'
    return 'other values'


def first_difference(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Name and kind of the first difference of two dicts of values; empty if there is none."""
    for name in dict.fromkeys([*here, *there]):
        if name not in here or name not in there:
            return f'{name} is missing {"there" if name in here else "here"}'
        if how := describe(here[name], there[name]):
            return f'{name}: {how}'
    return ''


def compare(case: str, sides: Sequence[Side]) -> tuple[list[int], str]:
    """Run a case on both sides and compare.

    Returns:
        Numbers of weights, figures and files; the first difference, empty if there is none.
    """
    try:
        with ThreadPoolExecutor(len(sides)) as pool:
            list(pool.map(CASES[case], sides))
    except RuntimeError as error:
        return [0, 0, 0], str(error)
    read = []
    for side in sides:
        places = {str(side.folder): 'FOLDER', str(side.checkout): 'CHECKOUT'}
        read.append(read_results(side.folder / 'work_dirs' / case, places))
    counts = [len(read[0][kind]) for kind in ('weights', 'figures')]
    counts.append(len({name.partition(': ')[0] for name in read[0]['files']}))
    found = [first_difference(read[0][kind], read[1][kind]) for kind in read[0]]
    if case == 'cut':
        for side, results in zip(sides, read):
            whole = read_results(side.folder / 'work_dirs/full', {})['weights']
            kept = {name: whole[name] for name in whole if 'epoch_9' in name}
            difference = first_difference(results['weights'], kept)
            found.append(difference and f'{side.name}, cut and whole: {difference}')
    return counts, next(filter(None, found), '')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Compare two checkouts bit by bit')
    parser.add_argument('other', nargs='?', type=Path, help='root of the other checkout')
    parser.add_argument('--cases', nargs='+', choices=CASES, default=list(CASES))
    parser.add_argument('--list', action='store_true', help='print the cases and stop')
    parser.add_argument('--keep', type=Path, help='new folder for the results, which stay there')
    args = parser.parse_args(argv)
    if args.other is None and not args.list:
        parser.error('name the other checkout')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the checkouts; the exit code is 1 if they differ."""
    args = parse_args(argv)
    if args.list:
        print('\n'.join(CASES))
        return 0
    needed = {'proposals', *args.cases, *(NEEDS.get(case) for case in args.cases)}
    table = [f'{"case":18}{"weights":>9}{"figures":>9}{"files":>7}{"seconds":>9}']
    same = True
    with tempfile.TemporaryDirectory() as temporary:
        root = args.keep or Path(temporary)
        sides = []
        for name, checkout in (('here', REPOSITORY), ('there', args.other.resolve())):
            (root / name).mkdir(parents=True)
            sides.append(Side(name, checkout, (root / name).resolve()))
        for case in [case for case in CASES if case in needed]:
            start = time.monotonic()
            counts, difference = compare(case, sides)
            same = same and not difference
            verdict = f'DIFFERENT: {difference}' if difference else 'same'
            numbers = '{} weights, {} figures, {} files'.format(*counts)
            print(f'{case}: {numbers}: {verdict}', flush=True)
            cells = ''.join(f'{n:>{w}}' for n, w in zip(counts, (9, 9, 7)))
            table.append(f'{case:18}{cells}{time.monotonic() - start:9.0f}  {verdict:.60}')
    print('\n'.join(['', *table]))
    return 0 if same else 1


if __name__ == '__main__':
    sys.exit(main())
