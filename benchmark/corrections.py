"""What correcting labels gains: of the images that look most doubtful, and of as many at random.

For each seed images are generated and a cascade is trained on their tags. Its export ranks the
training images by doubt. The ground truth of a share of them stands for corrected labels, and a
training from the beginning reads it (``tools/train.py --corrections``) beside the tags of all
others. Images, choice at random and trainings differ by seed; the test images are those of the
seed. What is measured is not measured again.

Example:
    python benchmark/corrections.py --seeds 3
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from report import summary, values_of
from trainings import REPOSITORY, launch

from mmlabelpenet.apis import run_command
from mmlabelpenet.export import most_doubtful
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import markdown_table, write_bytes

CONFIG = str(REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py')
ROWS = ('tags alone', 'at random', 'most doubtful')
FIGURES = {'box AP@.5': 'bbox_mAP_50', 'mask AP@.5': 'segm_mAP_50'}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=3, help='seeds 0, 1, ...')
    parser.add_argument('--share', type=float, default=0.1, help='of the images, corrected')
    parser.add_argument('--num-train', type=int, default=160, help='training images')
    parser.add_argument('--num-val', type=int, default=60, help='test images')
    parser.add_argument('--processes', type=int, default=1, help='of each training')
    parser.add_argument('--root', type=Path, default=Path('work_dirs/corrections'))
    parser.add_argument('--cfg-options', nargs='+', default=[], help='other settings')
    return parser.parse_args(argv)


def chosen(content: dict, share: float, seed: int | None) -> set[str]:
    """Names of the images to correct.

    Args:
        content: COCO JSON of the export, with the ``doubt`` of each image.
        share: Of the images.
        seed: Of a choice at random; None takes the most doubtful ones.
    """
    images = content['images']
    first = most_doubtful([argparse.Namespace(**one) for one in images], share)
    if seed is None:
        return {one.file_name for one in first}
    drawn = np.random.default_rng(seed).choice(len(images), len(first), replace=False)
    return {images[index]['file_name'] for index in drawn}


def take_images(content: dict, names: set[str]) -> dict:
    """COCO JSON of some of its images."""
    images = [one for one in content['images'] if one['file_name'] in names]
    ids = {one['id'] for one in images}
    annotations = [one for one in content['annotations'] if one['image_id'] in ids]
    return {**content, 'images': images, 'annotations': annotations}


def prepare(folder: Path, seed: int, args: argparse.Namespace) -> list[str]:
    """Make images, proposals and ground truth of a seed; return its overrides."""
    data = folder / f'Shapes_{seed}'
    make_shapes(data, args.num_train, args.num_val, seed)
    places = [f'data_root={data}', f'proposal_root={folder / "proposals"}']
    options = ['--cfg-options', *places, *args.cfg_options]
    launch('proposals/make_proposals', [CONFIG, *options], 1)
    out = ['--out', str(folder / 'truth'), *options]
    launch('dataset_converters/export_ground_truth', [CONFIG, *out], 1)
    return options


def train(work: Path, seed: int, options: Sequence[str], args: argparse.Namespace) -> str:
    """Train and test in a folder, on the corrections in it if there are any; its checkpoint."""
    settings = ['--work-dir', str(work), '--seed', str(seed)]
    if (work / 'corrected.json').is_file():
        settings += ['--corrections', str(work / 'corrected.json')]
    launch('train', [CONFIG, *settings, *options], args.processes)
    checkpoint = (work / 'last_checkpoint').read_text().strip()
    launch('test', [CONFIG, checkpoint, '--work-dir', str(work), *options], 1)
    return checkpoint


def measure(seed: int, args: argparse.Namespace) -> list[dict]:
    """Figures of the three trainings of a seed."""
    folder = args.root.resolve() / f'seed_{seed}'
    works = {row: folder / row.replace(' ', '_') for row in ROWS}
    if not all((work / 'metrics.json').is_file() for work in works.values()):
        options = prepare(folder, seed, args)
        checkpoint = train(works[ROWS[0]], seed, options, args)
        out = ['--out', str(folder / 'export'), *options]
        launch('export_pseudo_labels', [CONFIG, checkpoint, *out], 1)
        file = 'annotations/instances_train.json'
        found, truth = (json.loads((folder / n / file).read_text()) for n in ('export', 'truth'))
        for row, drawn in zip(ROWS[1:], (seed, None)):
            part = take_images(truth, chosen(found, args.share, drawn))
            write_bytes(works[row] / 'corrected.json', json.dumps(part).encode())
            train(works[row], seed, options, args)
    metrics = {row: json.loads((work / 'metrics.json').read_text()) for row, work in works.items()}
    return [dict(row=row, seed=seed, metrics=found) for row, found in metrics.items()]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all seeds, and print medians and ranges."""
    args = parse_args(argv)
    results = [one for seed in range(args.seeds) for one in measure(seed, args)]
    rows = [
        [row, *(summary(values_of(results, row, figure)) for figure in FIGURES.values())]
        for row in ROWS
    ]
    print(markdown_table(['corrected', *FIGURES], rows))


if __name__ == '__main__':
    run_command(main)
