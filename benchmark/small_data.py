"""The tags config on small data: generated sets, and draws of VOC12-mini's training photos.

Each set is trained from tags alone with the default settings; its ground-truth boxes only judge
the boxes that are exported for the same photos. Sets that are measured already are not repeated.

Example:
    python benchmark/small_data.py --sets 30 60 120 voc --draws 5
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from mmengine.config import Config
from trainings import REPOSITORY, launch

from mmlabelpenet.apis import run_command
from mmlabelpenet.datasets.devkit import write_lists
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import markdown_table, register_all_modules, write_bytes, write_lines

CONFIGS = REPOSITORY / 'configs/label_penet'
TAGS = str(CONFIGS / 'label-penet_effnet-lite0_tags.py')
# Their ground truth judges the boxes.
JUDGES = {
    'shapes': str(CONFIGS / 'label-penet_effnet-lite0_shapes.py'),
    'voc': str(CONFIGS / 'label-penet_effnet-lite0_voc12-mini.py'),
}
FILES = {'JPEGImages': 'jpg', 'Annotations': 'xml'}
FILES |= {'SegmentationClass': 'png', 'SegmentationObject': 'png'}
FIGURES = {'box AP@.5': 'bbox_mAP_50', 'mask AP@.5': 'segm_mAP_50', 'CorLoc': 'corloc'}
JUDGE = 'analysis_tools/eval_metric'
CLASSES, PHOTOS = 3, 33


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--sets', nargs='+', default=['30', '60', '120', 'voc'], help='numbers of images, or voc'
    )
    parser.add_argument('--draws', type=int, default=5, help='draws of each set')
    parser.add_argument('--root', type=Path, default=Path('work_dirs/small_data'))
    parser.add_argument('--cfg-options', nargs='+', default=[], help='other settings to try')
    return parser.parse_args(argv)


def draw_voc(devkit: Path, seed: int) -> None:
    """Link some training photos of some classes of VOC12-mini into a devkit of their own."""
    config = Config.fromfile(JUDGES['voc']).train_dataloader.dataset
    dataset = DATASETS.build(dict(config, pipeline=[]))
    names, infos = dataset.metainfo['classes'], [dataset[index] for index in range(len(dataset))]
    rng = np.random.default_rng(seed)
    labels = sorted(rng.choice(len(names), CLASSES, replace=False).tolist())
    tags: dict[str, set[str]] = {}
    for label in labels:
        shown = [one for one in infos if label in one['tags'] and one['img_id'] not in tags]
        for info in rng.permutation(shown)[:PHOTOS]:
            tags[info['img_id']] = {names[one] for one in info['tags'] if one in labels}
    for folder, suffix in FILES.items():
        (devkit / folder).mkdir(parents=True, exist_ok=True)
        for name in tags:
            path = Path(config.data_root, folder, f'{name}.{suffix}').resolve()
            if not (devkit / folder / path.name).exists():
                (devkit / folder / path.name).symlink_to(path)
    write_lists(devkit, 'train', tags, [names[label] for label in labels])


def write_tags(devkit: Path) -> list[str]:
    """Write the tags of a devkit's training photos as CSV; return its classes."""
    classes = [path.stem[:-6] for path in sorted(devkit.glob('ImageSets/Main/*_train.txt'))]
    lists = [(devkit / f'ImageSets/Main/{name}_train.txt').read_text() for name in classes]
    tags: dict[str, list[str]] = {}
    for name, text in zip(classes, lists):
        for photo, mark in map(str.split, text.splitlines()):
            tags.setdefault(photo, []).extend([name] * (mark == '1'))
    rows = [f'{photo}.jpg,{";".join(found)}' for photo, found in tags.items()]
    write_lines(devkit / 'tags.csv', ['photo,tags', *rows])
    return classes


def measure(kind: str, seed: int, root: Path, options: Sequence[str]) -> dict[str, float]:
    """Train on a set as a user would, export its instances, and judge their boxes."""
    devkit = root / f'{kind}_{seed}'
    if kind == 'voc':
        draw_voc(devkit, seed)
    else:
        make_shapes(devkit, int(kind), 1, seed)
    classes = write_tags(devkit)
    places = [f'data_root={devkit}/JPEGImages', f'tag_file={devkit}/tags.csv']
    places += [f'proposal_root={devkit}/proposals']
    settings, work = ['--cfg-options', *places, *options], str(devkit / 'work')
    launch('proposals/make_proposals', [TAGS, '--cfg-options', *places], 1)
    minutes, _ = launch('train', [TAGS, '--work-dir', work, *settings], 1)
    checkpoint = Path(work, 'last_checkpoint').read_text().strip()
    args = [TAGS, checkpoint, '--work-dir', work, '--out', work, '--score-thr', '0', *settings]
    launch('export_pseudo_labels', args, 1)
    judged = f'corloc_dataloader.dataset.data_root={devkit}'
    named = f'corloc_dataloader.dataset.metainfo.classes=[{",".join(classes)}]'
    args = [
        JUDGES[kind if kind == 'voc' else 'shapes'],
        f'{work}/annotations/instances_train.json',
    ]
    args += ['--split', 'train', '--eval', 'bbox', 'segm', 'corloc', '--work-dir', work]
    launch(JUDGE, [*args, '--cfg-options', judged, named], 1)
    path = Path(work, 'annotations/instances_train.train.metrics.json')
    figures = json.loads(path.read_text())['figures']
    return {'minutes': minutes, **{name: figures[key] for name, key in FIGURES.items()}}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all draws, and print a table."""
    args = parse_args(argv)
    register_all_modules()
    rows = []
    for kind, seed in product(args.sets, range(args.draws)):
        path = args.root.resolve() / f'{kind}_{seed}.json'
        if not path.is_file():
            found = measure(kind, seed, path.parent, args.cfg_options)
            write_bytes(path, json.dumps(found).encode())
        figures = json.loads(path.read_text())
        rows.append([kind, str(seed), *(f'{one:.3f}' for one in figures.values())])
    print(markdown_table(['set', 'draw', *figures], rows))


if __name__ == '__main__':
    run_command(main)
