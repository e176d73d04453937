"""Compare what this checkout and another one compute, bit by bit.

Each case runs the command lines of both checkouts side by side on a few generated images. Weights
(with the state of the optimiser), figures and files must be identical. The first difference of
each case is printed, and the exit code is 1 if there is one. A training that was cut and resumed
must also end in the weights of the whole training.

Example:
    python tools/misc/same_bits.py ../other_checkout
    python tools/misc/same_bits.py ../other_checkout --cases full cut metrics
"""

import argparse
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image


def train(config: str, without: str = '', flags: str = '', options: str = '') -> str:
    """Get the command that trains for an epoch of three steps a phase, and validates.

    Args:
        config: Name of the config, or all names that it has had, in braces.
        without: Phases that the config does not have.
        flags: Further arguments; ``2`` trains with two processes.
        options: Further overrides, in place of these.
    """
    names = ('classification', 'semantic', 'detection', 'refinement', 'segmentation', 'joint')
    settings = {f'train_cfg.phases.{name}.epochs': '1' for name in names if name not in without}
    settings |= {'default_hooks.checkpoint.interval': '1000'}
    settings |= dict(one.split('=', 1) for one in options.split())
    given = ' '.join(f'{key}={value}' for key, value in settings.items())
    tool = 'bash $ROOT/tools/dist_train.sh' if flags == '2' else 'python $ROOT/tools/train.py'
    return f'{tool} $(config {config}) {flags} --work-dir $OUT --cfg-options $DATA {given}'


# The curriculum's threshold would drop all labels of a model that is barely trained, and backward
# steps would have no loss.
FULL = 'label_penet/ablations/h_no-curriculum'
SHAPES = 'label_penet/label-penet_effnet-lite0_shapes'
# Of the 12 steps of the joint phase the last 2 go backward.
LONG = 'default_hooks.checkpoint.interval=3 train_cfg.phases.joint.epochs=4'
SHELL = """
set -euo pipefail
export PYTHONPATH=$ROOT OMP_NUM_THREADS=1
config() {
    for name; do
        if [ -f "$ROOT/configs/$name.py" ]; then echo "$ROOT/configs/$name.py"; return; fi
    done
    return 1
}
measure() { python $ROOT/tools/test.py "$@" --cfg-options $DATA; }
box_metrics='bbox corloc proposal image errors coco'
metrics="$box_metrics segm semseg pseudo"
last=work_dirs/full/epoch_9.pth
"""
CASES = {
    'proposals': f"""
        python $ROOT/tools/dataset_converters/make_shapes.py --num-train 6 --num-val 3 \
            --image-size 120 160
        python $ROOT/tools/proposals/make_proposals.py $(config {SHAPES}) --workers 1
        mkdir work_dirs
        cp -r data $OUT""",
    'full': train(FULL, options=LONG),
    # After 3 steps of the joint phase.
    'cut': train(FULL, flags='--resume work_dirs/full/epoch_6.pth', options=LONG),
    'no-cache': train(FULL, options='train_cfg.feature_cache=None'),
    'two-processes': train(FULL, flags='2'),
    'shapes': train(SHAPES, without='semantic'),
    'off': train('label_penet/ablations/e_joint', without='semantic'),
    'forward': train('label_penet/ablations/g_forward'),
    'true': train(
        'upper_bound/mask-rcnn_effnet-lite0_voc12-mini', without='classification semantic'
    ),
    'oicr': train('oicr/oicr_effnet-lite0_voc12-mini', without='semantic refinement segmentation'),
    'pcl': train('pcl/pcl_effnet-lite0_voc12-mini', without='semantic refinement segmentation'),
    'excitation': train('label_penet/ablations/attention-contrastive'),
    'propagate-refined': train(
        'label_penet/ablations/d_{fitted,refined,refined-masks,propagate-refined}',
        without='semantic joint',
    ),
    # Figures of each class are written beside the checkpoint.
    'metrics': f"""
        mkdir $OUT
        ln -s $PWD/$last $OUT/last.pth
        model="$(config {FULL}) $OUT/last.pth"
        for stage in classification detection refinement segmentation attention calibration; do
            some=$metrics
            case $stage in classification | detection) some=$box_metrics ;; esac
            measure $model --stage $stage --split train --eval $some --work-dir $OUT/$stage \
                --out $OUT/$stage/found.pkl
        done
        measure $model --eval $metrics --work-dir $OUT --out $OUT/found.pkl \
            --markdown $OUT/test.md --show-dir $OUT/pictures
        python $ROOT/tools/analysis_tools/eval_metric.py $(config {FULL}) $OUT/found.pkl \
            --eval $metrics --work-dir $OUT --cfg-options $DATA""",
    'tta': f"""
        views=$(config label_penet/label-penet_r50_voc12-aug)
        views="__import__('mmengine').Config.fromfile('$views')"
        cat > views.py <<END
_base_ = '$(config {FULL})'
tta_model = $views.tta_model
tta_pipeline = $views.tta_pipeline
END
        DATA="$DATA test_dataloader.dataset.indices=1"
        measure views.py $last --tta --work-dir $OUT --out $OUT/found.pkl""",
    'exports': f"""
        model="$(config {FULL}) $last"
        for way in coco:calibration voc:segmentation yolo:attention; do
            python $ROOT/tools/export_pseudo_labels.py $model --format ${{way%:*}} \
                --stage ${{way#*:}} --score-thr 0 --out $OUT/${{way%:*}} --work-dir $OUT \
                --cfg-options $DATA
        done
        python $ROOT/tools/dataset_converters/export_*.py $(config {FULL}) --work-dir $OUT \
            --segmentation polygon --out $OUT/polygons --cfg-options $DATA
        measure $model --format-only --work-dir $OUT""",
    # Pictures of mmdet's visualizer have random colours.
    'demo': f"""
        python $ROOT/demo/image_demo.py data/shapes/Shapes/JPEGImages $(config {SHAPES}) \
            --weights work_dirs/shapes/epoch_5.pth --proposals data/proposals/Shapes \
            --out-dir $OUT --no-save-vis""",
}
# Cases whose results others start from.
NEEDS = dict.fromkeys(('cut', 'metrics', 'tta', 'exports'), 'full') | {'demo': 'shapes'}
# Entries that depend on the time, the machine, the version or the text of a config, and prose.
VOLATILE = {
    'time',
    'data_time',
    'memory',
    'meta',
    'message_hub',
    'config',
    'generator',
    'description',
}
READERS: dict[str, Callable[[Path], Any]] = {
    '.pth': lambda path: torch.load(path, map_location='cpu', weights_only=False),
    '.pkl': lambda path: pickle.loads(path.read_bytes()),
    '.npz': lambda path: dict(np.load(path)),
    **dict.fromkeys(('.jpg', '.png'), lambda path: np.asarray(Image.open(path))),
}


@dataclass(frozen=True)
class Side:
    """A checkout and the folder in which its commands run."""

    checkout: Path
    folder: Path

    def data_options(self) -> str:
        """Overrides with which any config reads the generated images, in its own process."""
        shapes = Config.fromfile(self.checkout / f'configs/{SHAPES}.py').train_dataloader.dataset
        loader = (
            'num_workers=0',
            'persistent_workers=False',
            f'dataset.type={shapes.type}',
            f'dataset.data_root={shapes.data_root}',
        )
        return ' '.join(
            [
                'model.num_classes=6 train_dataloader.batch_size=2',
                'default_hooks.logger.interval=1',
                *(
                    f'{split}_dataloader.{option}'
                    for split in ('train', 'val', 'test', 'corloc')
                    for option in loader
                ),
            ]
        )

    def run(self, case: str) -> None:
        """Run the commands of a case.

        Raises:
            RuntimeError: If a command fails.
        """
        result = subprocess.run(
            ['bash', '-c', SHELL + CASES[case]],
            cwd=self.folder,
            env={
                **os.environ,
                'ROOT': str(self.checkout),
                'OUT': f'work_dirs/{case}',
                'DATA': self.data_options(),
                'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
                # Both sides run at once, each with its own port.
                'PORT': str(20000 + zlib.crc32(str(self.folder).encode()) % 10000),
            },
            capture_output=True,
            text=True,
        )
        if result.returncode:
            end = ' | '.join(result.stderr.splitlines()[-3:])
            raise RuntimeError(f'the commands fail {self.folder.name}: {end}')

    def results(self, case: str) -> dict[str, dict[str, Any]]:
        """Weights, figures and files of a case, each a dict of values by name."""
        found: dict[str, dict[str, Any]] = {'weights': {}, 'figures': {}, 'files': {}}
        out = self.folder / 'work_dirs' / case
        for path in sorted(path for path in out.rglob('*.*') if path.is_file()):
            name = re.sub(r'\d{8}_\d{6}', 'RUN', path.relative_to(out).as_posix())
            if not path.is_symlink() and not re.search(r'\.(log|py)$|RUN\.json$', name):
                kind = 'figures' if path.stem.endswith(('metrics', 'scalars')) else 'files'
                kind = 'weights' if path.suffix == '.pth' else kind
                found[kind] |= leaves(self.read(path), f'{name}: ')
        return found

    def read(self, path: Path) -> Any:
        """Content of a file; in texts without the paths of this machine."""
        if path.suffix in READERS:
            return READERS[path.suffix](path)
        text = path.read_text(encoding='utf-8')
        names = {
            str(self.folder): 'FOLDER',
            str(self.checkout): 'ROOT',
            # The log of d0e8597 names the semantic stage so.
            '"calibration.': '"semantic.',
        }
        for old, new in names.items():
            text = text.replace(old, new)
        parts = text.splitlines() if path.stem == 'scalars' else [text]
        return [json.loads(part) if path.suffix == '.json' else part for part in parts]


def leaves(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """Name and value of each innermost entry of nested containers."""
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for key in value:
            if key not in VOLATILE:
                yield from leaves(value[key], f'{name}.{key}')
    else:
        yield name, value.contiguous().numpy() if isinstance(value, torch.Tensor) else value


def difference(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """The first difference of two dicts of values; an empty text if there is none."""
    for name in {**here, **there}:
        a, b = (values.get(name, 'missing') for values in (here, there))
        if pickle.dumps(a) != pickle.dumps(b):
            try:
                gap = np.abs(np.subtract(a, b, dtype=float)).max()
            except (TypeError, ValueError):
                return f'{name}: {a!r:.60} here, {b!r:.60} there'
            return f'{name}: max abs difference {gap:.3g}'
    return ''


def compare(case: str, sides: Sequence[Side]) -> tuple[str, str]:
    """Run a case on both sides and compare.

    Returns:
        What was compared, and the first difference.
    """
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda side: side.run(case), sides))
    except RuntimeError as error:
        return 'nothing', str(error)
    here, there = (side.results(case) for side in sides)
    found = ['' if any(here.values()) else 'there are no results']
    found += [difference(here[kind], there[kind]) for kind in here]
    if case == 'cut':
        whole = sides[0].results('full')['weights'].items()
        end = {name: value for name, value in whole if name in here['weights']}
        found.append(difference(here['weights'], end).replace('there', 'in the whole training'))
    files = {name.partition(': ')[0] for name in here['files']}
    counts = f'{len(here["weights"])} weights, {len(here["figures"])} figures, {len(files)} files'
    return counts, next(filter(None, found), '')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Compare two checkouts bit by bit')
    parser.add_argument('other', type=Path, help='root of the other checkout')
    parser.add_argument('--cases', nargs='+', choices=CASES, default=CASES, metavar='CASE')
    parser.add_argument(
        '--list', action='version', version=' '.join(CASES), help='print the cases'
    )
    parser.add_argument('--keep', type=Path, help='new folder for the results')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the checkouts; the exit code is 1 if they differ."""
    args = parse_args(argv)
    wanted = {'proposals', *args.cases, *map(NEEDS.get, args.cases)}
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as temporary:
        root = (args.keep or Path(temporary)).resolve()
        sides = [
            Side(Path(__file__).resolve().parents[2], root / 'here'),
            Side(args.other.resolve(), root / 'there'),
        ]
        for side in sides:
            side.folder.mkdir(parents=True)
        for case in filter(wanted.__contains__, CASES):
            start = monotonic()
            counts, found = compare(case, sides)
            rows.append((case, counts, f'{monotonic() - start:.0f} s', found or 'same'))
            print(f'{case}: {counts}: {found or "same"}', flush=True)
    print('\n'.join(['', *('{:18} {:40} {:>6}  {:.60}'.format(*row) for row in rows)]))
    return int(any(row[-1] != 'same' for row in rows))


if __name__ == '__main__':
    sys.exit(main())
