"""What wrong and missing tags cost on VOC12-mini, and how many of them are found.

In each draw a share of the training tags is dropped and as many wrong ones are added. The same
training on clean tags is the measure. `check_dataset.py` ranks the tags that the model doubts: its
precision counts wrong tags among the first ones, and dropped tags among those said to be missing.

Example:
    python benchmark/noisy_tags.py --draws 3
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from small_data import FILES, JUDGES
from trainings import launch

from mmlabelpenet.apis import run_command
from mmlabelpenet.datasets.devkit import write_lists
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import markdown_table, register_all_modules, write_bytes

CONFIG = JUDGES['voc']
FIRST = 50


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--draws', type=int, default=3)
    parser.add_argument('--share', type=float, default=0.1, help='of the tags, dropped and wrong')
    parser.add_argument('--processes', type=int, default=1, help='of each training and test')
    parser.add_argument('--root', type=Path, default=Path('work_dirs/noisy_tags'))
    parser.add_argument('--cfg-options', nargs='+', default=[], help='other settings to try')
    return parser.parse_args(argv)


def add_noise(tags: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Drop a share of all tags, and add as many wrong ones.

    Args:
        tags: [images, classes] bool.
        share: Of the tags.
        seed: Of the choice.

    Returns:
        [images, classes] bool.
    """
    rng, count = np.random.default_rng(seed), round(share * tags.sum())
    noisy = tags.copy()
    for value in (True, False):
        places = np.argwhere(tags == value)
        rows, columns = places[rng.choice(len(places), count, replace=False)].T
        noisy[rows, columns] = not value
    return noisy


def read_tags() -> tuple[list[str], Sequence[str], np.ndarray]:
    """Names of the training images, classes, and tags [images, classes] bool."""
    dataset = DATASETS.build(dict(Config.fromfile(CONFIG).train_dataloader.dataset, pipeline=[]))
    infos, classes = [dataset[index] for index in range(len(dataset))], dataset.metainfo['classes']
    tags = np.zeros((len(infos), len(classes)), dtype=bool)
    for row, info in zip(tags, infos):
        row[list(info['tags'])] = True
    return [info['img_id'] for info in infos], classes, tags


def write_devkit(
    devkit: Path, names: Sequence[str], classes: Sequence[str], tags: np.ndarray
) -> None:
    """Make a devkit of the same images, which are linked, with other tags for training."""
    source = Path(Config.fromfile(CONFIG).train_dataloader.dataset.data_root)
    for path in source.glob('ImageSets/*/*.txt'):
        write_bytes(devkit / path.relative_to(source), path.read_bytes())
    for folder in FILES:
        if not (devkit / folder).exists():
            (devkit / folder).symlink_to((source / folder).resolve())
    given = {name: {classes[c] for c in np.flatnonzero(row)} for name, row in zip(names, tags)}
    write_lists(devkit, 'train', given, classes, segmented=False)


def precision(path: Path, wrong: set[tuple[str, str]], tagged: str) -> float:
    """Share of wrong ones among the first doubted tags, or among the first missing ones."""
    with open(path, newline='', encoding='utf-8') as file:
        rows = [row for row in csv.DictReader(file) if row['tagged'] == tagged][:FIRST]
    return sum((row['photo'], row['tag']) in wrong for row in rows) / max(len(rows), 1)


def measure(folder: Path, noisy: np.ndarray | None, args: argparse.Namespace) -> dict[str, float]:
    """Train on tags and measure the test images; of noisy tags, find the wrong ones too."""
    names, classes, tags = read_tags()
    options, work = list(args.cfg_options), str(folder / 'work')
    if noisy is not None:
        # named as the data set of the proposals
        write_devkit(folder / 'VOC2012', names, classes, noisy)
        options.append(f'data_root={folder / "VOC2012"}')
    settings = ['--cfg-options', *options] if options else []
    launch('train', [CONFIG, '--work-dir', work, *settings], args.processes)
    checkpoint = Path(work, 'last_checkpoint').read_text().strip()
    tested = [CONFIG, checkpoint, '--work-dir', work, '--eval', 'bbox', *settings]
    launch('test', tested, args.processes)
    found = {'box AP@.5': json.loads(Path(work, 'metrics.json').read_text())['bbox_mAP_50']}
    if noisy is not None:
        doubts = str(folder / 'doubts.csv')
        checked = [CONFIG, '--checkpoint', checkpoint, '--write-doubts', doubts, *settings]
        launch('misc/check_dataset', checked, 1)
        for kind, flag, places in (('wrong', '1', noisy & ~tags), ('missing', '0', tags & ~noisy)):
            pairs = {(names[row], classes[column]) for row, column in np.argwhere(places)}
            found[f'precision at {FIRST}, {kind}'] = precision(folder / 'doubts.csv', pairs, flag)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure clean tags and all draws, and print a table."""
    args = parse_args(argv)
    register_all_modules()
    rows, clean = [], 0.0
    for draw in [None, *range(args.draws)]:
        folder = args.root.resolve() / ('clean' if draw is None else f'draw_{draw}')
        path = folder.with_suffix('.json')
        if not path.is_file():
            noisy = None if draw is None else add_noise(read_tags()[2], args.share, draw)
            write_bytes(path, json.dumps(measure(folder, noisy, args)).encode())
        found = json.loads(path.read_text())
        clean = found['box AP@.5'] if draw is None else clean
        figures = [*found.values(), *([float('nan')] * (3 - len(found)))]
        lost = clean - found['box AP@.5']
        rows.append([folder.name, *(f'{one:.3f}' for one in (*figures, lost))])
    header = [f'precision at {FIRST}, {kind}' for kind in ('wrong', 'missing')]
    print(markdown_table(['tags', 'box AP@.5', *header, 'lost'], rows))


if __name__ == '__main__':
    run_command(main)
