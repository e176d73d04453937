"""Add the images of SBD (Hariharan et al., ICCV 2011) to a VOC 2012 devkit, as `train_aug`.

`train_aug` is all of SBD and of VOC 2012's segmentation `train`, without VOC 2012's segmentation
`val`: 10,582 images. Their JPEG and XML files are in the devkit already. SBD's objects become
SegmentationClass and SegmentationObject PNGs where VOC has none of its own; the lists of tags name
the classes in these masks. An interrupted run continues where it stopped.

Example:
    python tools/dataset_converters/sbd.py benchmark_RELEASE/dataset
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from tqdm import tqdm

from mmlabelpenet.apis import run_command
from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.datasets.devkit import VOID, read_mask, write_lists, write_masks
from mmlabelpenet.utils import Parser, UserError, explain_read_errors, image_size

CLASSES = VOCInstanceDataset.METAINFO['classes']
SPLIT = 'train_aug'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sbd', help="SBD's folder with inst/, train.txt and val.txt")
    parser.add_argument('--devkit', default='data/VOCdevkit/VOC2012', help='VOC 2012')
    parser.add_argument('--list', help='file with the images to convert instead, one per line')
    return parser.parse_args(argv)


def read_names(path: Path) -> list[str]:
    """Read names of images, one per line, also as ``/JPEGImages/{name}.jpg ...``."""
    with explain_read_errors(path, 'a list of images', 'unpack the data set, or fix the path'):
        lines = path.read_text(encoding='utf-8').splitlines()
    return [Path(line.split()[0]).stem for line in lines if line.strip()]


def default_names(sbd: Path, devkit: Path) -> list[str]:
    """List the images of SBD and of VOC's `train`, sorted, without those of VOC's `val`."""
    lists = devkit / 'ImageSets' / 'Segmentation'
    files = (sbd / 'train.txt', sbd / 'val.txt', lists / 'train.txt')
    wanted = {name for path in files for name in read_names(path)}
    return sorted(wanted - set(read_names(lists / 'val.txt')))


def read_objects(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read SBD's objects of an image.

    Args:
        path: ``inst/{image}.mat``.

    Returns:
        Class mask [H, W] uint8, 0 = background, class c -> c + 1; object mask [H, W] uint8.

    Raises:
        UserError: If the file is missing or of another kind.
    """
    with explain_read_errors(path, "a file of SBD's objects", 'unpack SBD again'):
        content = loadmat(path, squeeze_me=True, struct_as_record=False)['GTinst']
        objects = np.asarray(content.Segmentation, dtype=np.uint8)
        categories = np.concatenate([[0], np.atleast_1d(content.Categories)]).astype(np.uint8)
        return categories[objects], objects


def convert_image(name: str, sbd: Path, devkit: Path) -> set[str]:
    """Write the masks of an image unless the devkit has them.

    Returns:
        Names of the classes in the masks.

    Raises:
        UserError: If the image or its masks are missing, or differ in size.
    """
    folders = ('SegmentationClass', 'SegmentationObject')
    paths = [devkit / folder / f'{name}.png' for folder in folders]
    if all(path.exists() for path in paths):
        classes = read_mask(paths[0])
    else:
        classes, objects = read_objects(sbd / 'inst' / f'{name}.mat')
        image = devkit / 'JPEGImages' / f'{name}.jpg'
        if classes.shape != image_size(image):
            raise UserError(
                f'The masks of {name} do not have the size of {image}: unpack both again.'
            )
        write_masks(devkit, name, classes, objects)
    return {CLASSES[value - 1] for value in np.unique(classes) if 0 < value < VOID}


def main(argv: Sequence[str] | None = None) -> None:
    """Convert.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    sbd, devkit = Path(args.sbd), Path(args.devkit)
    names = read_names(Path(args.list)) if args.list else default_names(sbd, devkit)
    bar = tqdm(names, desc='SBD', unit='photo')
    tags = {name: convert_image(name, sbd, devkit) for name in bar}
    print(f'{len(names)} photos in {write_lists(devkit, SPLIT, tags, CLASSES)}')


if __name__ == '__main__':
    run_command(main)
