"""Maps of classes and objects as VOC stores them: palette PNGs, and lists of tags."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmlabelpenet.utils import UserError, atomic_path

VOID = 255


def voc_palette() -> list[int]:
    """VOC's colour map, 256 x RGB: the bits of an index spread over the three channels."""
    index = np.arange(256)
    rgb: np.ndarray = np.zeros((256, 3), dtype=np.int64)
    for bit in range(8):
        for channel in range(3):
            rgb[:, channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return rgb.ravel().tolist()


def write_label_map(path: str | Path, values: np.ndarray) -> None:
    """Write a map as a PNG in VOC's colours.

    Args:
        path: The file, which appears whole or not at all.
        values: [H, W] uint8.
    """
    image = Image.fromarray(np.asarray(values, dtype=np.uint8)).convert('P')
    image.putpalette(voc_palette())
    with atomic_path(path) as temporary:
        image.save(temporary)


def read_label_map(path: str | Path) -> np.ndarray:
    """Read the palette indices of a PNG.

    Args:
        path: The file.

    Returns:
        [H, W] uint8.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image, dtype=np.uint8)
    # A damaged file fails in as many ways as there are decoders.
    except Exception as error:
        raise UserError(
            f'{path} is not a readable mask ({error}): unpack the data set again.'
        ) from None


def write_lines(path: str | Path, lines: Sequence[str]) -> None:
    """Write a text file line by line, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def write_split(
    devkit: str | Path, split: str, tags: Mapping[str, set[str]], classes: Sequence[str]
) -> None:
    """Write a split's lists in a VOC devkit: images, and of each class who has it.

    Args:
        devkit: The devkit year's folder.
        split: Name of the split.
        tags: Names of classes by image, in the order of the list.
        classes: All classes.
    """
    main = Path(devkit) / 'ImageSets' / 'Main'
    for name in classes:
        lines = [f'{img_id} {1 if name in found else -1:2d}' for img_id, found in tags.items()]
        write_lines(main / f'{name}_{split}.txt', lines)
    write_lines(Path(devkit) / 'ImageSets' / 'Segmentation' / f'{split}.txt', list(tags))
    # The last one: a split that is listed is there.
    write_lines(main / f'{split}.txt', list(tags))
