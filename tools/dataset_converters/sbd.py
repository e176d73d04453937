"""Add the images of SBD (Hariharan et al., ICCV 2011) to a VOC 2012 devkit, as `train_aug`.

`train_aug` is all of SBD and of VOC 2012's segmentation `train`, without VOC 2012's segmentation
`val`: 10,582 images. Their images and XML files lie in the devkit already. SBD's objects become
SegmentationClass and SegmentationObject PNGs where VOC has none of its own; the lists of tags name
the classes that these masks hold. Goes on where it was cut.

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
from mmlabelpenet.datasets.label_maps import VOID, read_label_map, write_label_map, write_split
from mmlabelpenet.utils import UserError, image_size

CLASSES = VOCInstanceDataset.METAINFO['classes']
SPLIT = 'train_aug'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('sbd', help="SBD's folder with inst/, train.txt and val.txt")
    parser.add_argument('--devkit', default='data/VOCdevkit/VOC2012', help='VOC 2012')
    parser.add_argument('--list', help='names of the photos instead, one a line')
    return parser.parse_args(argv)


def read_names(path: Path) -> list[str]:
    """Names of images, one a line, also as /JPEGImages/{name}.jpg and with more after it."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except OSError:
        raise UserError(
            f'The list {path} is missing: unpack the data set, or mend the path.'
        ) from None
    return [Path(line.split()[0]).stem for line in lines if line.strip()]


def default_names(sbd: Path, devkit: Path) -> list[str]:
    """Images of SBD and of VOC's `train`, sorted, without those that VOC's `val` tests on."""
    lists = devkit / 'ImageSets' / 'Segmentation'
    wanted = [*read_names(sbd / 'train.txt'), *read_names(sbd / 'val.txt')]
    wanted += read_names(lists / 'train.txt')
    return sorted(set(wanted) - set(read_names(lists / 'val.txt')))


def read_objects(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a file of SBD's objects.

    Args:
        path: ``inst/{image}.mat``.

    Returns:
        Map of objects [H, W] uint8, 0 = none; map of classes, class c -> c + 1.

    Raises:
        UserError: If it is missing or of another kind.
    """
    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False)['GTinst']
        objects = np.asarray(content.Segmentation, dtype=np.uint8)
        categories = np.concatenate([[0], np.atleast_1d(content.Categories)]).astype(np.uint8)
        return objects, categories[objects]
    # A damaged file fails in as many ways as the format has parts.
    except Exception as error:
        raise UserError(
            f"{path} cannot be read as a file of SBD's objects ({type(error).__name__}: {error}): "
            'unpack SBD again.'
        ) from None


def convert_image(name: str, sbd: Path, devkit: Path) -> set[str]:
    """Make sure that the devkit has an image's masks.

    Returns:
        Names of the classes that they hold.

    Raises:
        UserError: If the image or its masks are missing, or differ in size.
    """
    class_path = devkit / 'SegmentationClass' / f'{name}.png'
    object_path = devkit / 'SegmentationObject' / f'{name}.png'
    if class_path.exists() and object_path.exists():
        classes = read_label_map(class_path)
    else:
        objects, classes = read_objects(sbd / 'inst' / f'{name}.mat')
        image = devkit / 'JPEGImages' / f'{name}.jpg'
        if classes.shape != image_size(image):
            raise UserError(
                f'The masks of {name} are not of the size of {image}: unpack both again.'
            )
        write_label_map(class_path, classes)
        write_label_map(object_path, objects)
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
    write_split(devkit, SPLIT, {name: convert_image(name, sbd, devkit) for name in bar}, CLASSES)
    print(f'{len(names)} photos in {devkit / "ImageSets" / "Main" / SPLIT}.txt')


if __name__ == '__main__':
    run_command(main)
