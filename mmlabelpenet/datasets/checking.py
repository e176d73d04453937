"""Checking the data of a config before training."""

import hashlib
import os
import os.path as osp
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import (
    ImageUserError,
    UserError,
    decode_image,
    read_image_bytes,
    similar_names,
)

from .devkit import read_mask
from .tagged import TaggedDataset
from .transforms import LoadInstanceMasks
from .transforms.masks import APART, are_apart

# OpenCV prints what libjpeg warns of, behind the path; Pillow keeps it secret.
PRINT_WARNINGS = """
import os, sys, cv2, numpy
for path in sys.stdin.buffer.read().split(b'\\0'):
    os.write(2, b'\\0' + path + b'\\0')
    data = numpy.fromfile(path, numpy.uint8) if os.path.isfile(path) else b''
    if bytes(data[:2]) == b'\\xff\\xd8':
        cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)
"""
# Photos for which it is worth to start a process.
CHUNK = 500
# Training images that a report shows.
EXAMPLES = 3
# Proposals are stored as int16.
MAX_SIDE = 32767
# Kinds of findings that prevent training, and kinds that a user should inspect.
ERRORS = (
    'data set',
    'missing or invalid',
    'unreadable',
    'size mismatch',
    'listed twice',
    'class without photos',
)
WARNINGS = (
    'untagged',
    'class with few photos',
    'class in every photo',
    'similar class names',
    'suspicious annotation',
    'photo that may be damaged',
    'box outside the photo',
    'duplicate photo',
    'training photo in a test',
)


@dataclass
class DecodedImage:
    """Facts about an image file.

    Attributes:
        size: (height, width); None if it is missing or unreadable.
        digest: Of the file's content; empty if it is missing or unreadable.
        error: Why it is unreadable.
    """

    size: tuple[int, int] | None = None
    digest: bytes = b''
    error: str = ''


@dataclass
class Report:
    """Results of a check.

    Attributes:
        findings: Sentences by kind, one of ``ERRORS`` or ``WARNINGS``.
        unreadable: Ids of unreadable images.
        images_per_class: Number of training images with the tag, by class.
        num_images: Number of images by role (``train``, ``val``, ...).
        examples: The first training images with their tags, as they are understood.
    """

    findings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[str] = field(default_factory=list)
    images_per_class: dict[str, int] = field(default_factory=dict)
    num_images: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    def add(self, kind: str, sentence: str) -> None:
        """Add a finding once."""
        if sentence not in self.findings[kind]:
            self.findings[kind].append(sentence)

    def count(self, kinds: Iterable[str]) -> int:
        """Count the findings of some kinds."""
        return sum(len(self.findings.get(kind, ())) for kind in kinds)


def check_datasets(roles: dict[str, list[dict]], min_images: int = 10, workers: int = 1) -> Report:
    """Build data sets, decode every image and mask, and report all problems.

    Args:
        roles: Configs of data sets by role: ``train``, ``val``, ``test``, ``corloc``.
        min_images: A class with fewer training images is reported.
        workers: Threads that decode.

    Returns:
        The findings.
    """
    report = Report()
    built = {role: _build(configs, report) for role, configs in roles.items()}
    infos = {
        role: [one.get_data_info(index) for one in datasets for index in range(len(one))]
        for role, datasets in built.items()
    }
    report.num_images = {role: len(found) for role, found in infos.items()}
    decoded = _decode_all(
        [info['img_path'] for found in infos.values() for info in found], workers
    )
    for path, text in _jpeg_warnings([path for path, one in decoded.items() if one.size], workers):
        report.add('photo that may be damaged', f'{path}: {text}: look at it, or restore it.')
    unreadable = [
        info['img_id']
        for found in infos.values()
        for info in found
        if decoded[info['img_path']].error
    ]
    report.unreadable = list(dict.fromkeys(unreadable))
    for role, found in infos.items():
        for img_id, count in Counter(info['img_id'] for info in found).items():
            if count > 1:
                report.add('listed twice', f'{img_id} is listed {count} times for {role}.')
        for info in found:
            _check_image(info, decoded[info['img_path']], report)
    if built.get('train'):
        classes = built['train'][0].metainfo['classes']
        report.examples = [_describe(info, classes) for info in infos['train'][:EXAMPLES]]
        _check_tags(classes, infos['train'], min_images, report)
    _check_copies(infos, decoded, report)
    return report


def _build(configs: Sequence[dict], report: Report) -> list[TaggedDataset]:
    built = []
    for config in configs:
        tagged = issubclass(DATASETS.get(config['type']), TaggedDataset)
        changes = {
            'pipeline': [],
            'serialize_data': False,
            **({'strict': False} if tagged else {}),
        }
        try:
            built.append(DATASETS.build({**config, **changes}))
        except UserError as error:
            report.add('data set', str(error))
            continue
        for sentence in built[-1].problems if tagged else ():
            report.add('missing or invalid', sentence)
        for sentence in built[-1].warnings if tagged else ():
            report.add('suspicious annotation', sentence)
    return built


def _decode_all(paths: Iterable[str], workers: int) -> dict[str, DecodedImage]:
    paths = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = tqdm(pool.map(_decode, paths), total=len(paths), desc='check', unit='photo')
        return dict(zip(paths, results))


def _jpeg_warnings(paths: Sequence[str], workers: int) -> Iterator[tuple[str, str]]:
    """Find JPEGs of which decoders warn, such as those with a missing part."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for printed in pool.map(_print_warnings, chunks):
            for path, text in zip(printed[1::2], printed[2::2]):
                if b'JPEG' in text:
                    yield os.fsdecode(path), text.decode().strip()


def _print_warnings(paths: Sequence[str]) -> list[bytes]:
    command = [sys.executable, '-c', PRINT_WARNINGS]
    given = b'\0'.join(map(os.fsencode, paths))
    return subprocess.run(command, input=given, stderr=subprocess.PIPE).stderr.split(b'\0')


def _decode(path: str) -> DecodedImage:
    # The data set has already reported missing images, but no broken links.
    if not osp.lexists(path):
        return DecodedImage()
    try:
        data = read_image_bytes(path)
        height, width = decode_image(data, path).shape[:2]
    except ImageUserError as error:
        return DecodedImage(error=str(error))
    return DecodedImage((height, width), hashlib.blake2b(data, digest_size=16).digest())


def _check_image(info: dict, image: DecodedImage, report: Report) -> None:
    path = info['img_path']
    if image.error:
        report.add('unreadable', image.error)
    if image.size is None:
        return
    height, width = info.get('height', image.size[0]), info.get('width', image.size[1])
    _check_size(path, image.size, (height, width), 'its annotation says', report)
    if max(image.size) > MAX_SIDE:
        report.add('size mismatch', f'{path} has a side of more than {MAX_SIDE} pixels.')
    _check_boxes(info, image.size, report)
    _check_masks(info, image.size, report)


def _check_masks(info: dict, size: tuple[int, int], report: Report) -> None:
    """Check that the masks have the image's size, and read them as a test does."""
    fits = True
    for path in [info[key] for key in ('seg_map_path', 'instance_map_path') if key in info]:
        try:
            found = read_mask(path).shape
        except UserError as error:
            report.add('missing or invalid', str(error))
            fits = False
            continue
        _check_size(path, found, size, 'its photo has', report)
        fits &= found == size
    if fits:
        try:
            read = LoadInstanceMasks()({**info, 'ori_shape': size})
            if 'instance_map_path' in info and are_apart(read):
                report.add('suspicious annotation', APART.format(path=info['instance_map_path']))
        except UserError as error:
            report.add('missing or invalid', str(error))


def _describe(info: dict, classes: Sequence[str]) -> str:
    """An image with its tags, unsure ones with a question mark."""
    tags = [classes[label] for label in info.get('tags', ())]
    tags += [f'?{classes[label]}' for label in info.get('ignored_tags', ())]
    return f'{osp.basename(info["img_path"])}: {", ".join(tags) or "no tag"}'


def _check_size(
    path: str, found: tuple[int, ...], expected: tuple[int, int], source: str, report: Report
) -> None:
    if found != expected:
        height, width = expected
        report.add(
            'size mismatch',
            f'{path} has {found[1]} x {found[0]} pixels, {source} {width} x {height}.',
        )


def _check_boxes(info: dict, size: tuple[int, int], report: Report) -> None:
    """Check boxes, whose corners are inclusive, so that x1 = x2 in a box of one pixel."""
    boxes = np.array([obj['bbox'] for obj in info.get('instances', ())]).reshape(-1, 4)
    # Annotated boxes may exceed the image by less than a pixel.
    outside = (boxes[:, :2] <= -1).any(1) | (boxes[:, 2:] >= [size[1], size[0]]).any(1)
    for box in boxes[outside | (boxes[:, 2:] < boxes[:, :2]).any(1)]:
        corners = ', '.join(f'{value:g}' for value in box)
        report.add(
            'box outside the photo', f'{info["img_path"]}: ({corners}) is not within the photo.'
        )


def _check_tags(
    classes: Sequence[str], infos: Sequence[dict], min_images: int, report: Report
) -> None:
    """Check the tags of training images; others need none."""
    count = Counter(label for info in infos for label in info.get('tags', ()))
    report.images_per_class = {name: count[label] for label, name in enumerate(classes)}
    for name, number in report.images_per_class.items():
        if number == 0:
            report.add('class without photos', f'The class {name} has no training photo.')
        elif number < min_images:
            report.add(
                'class with few photos', f'The class {name} has only {number} training photos.'
            )
        if number == len(infos):
            report.add(
                'class in every photo',
                f'The class {name} is in every training photo: add photos without it, from which '
                'training learns what it is not.',
            )
    for similar in similar_names(classes):
        report.add(
            'similar class names',
            f'The classes {", ".join(similar)} may be the same: fix the tags.',
        )
    for info in infos:
        if not info.get('tags'):
            report.add(
                'untagged',
                f'{info["img_path"]} has no tag: training takes it for one without objects.',
            )


def _check_copies(
    infos: dict[str, list[dict]], decoded: dict[str, DecodedImage], report: Report
) -> None:
    """Find files of the same content, and test images that are also training images."""
    copies = defaultdict(list)
    for path, image in decoded.items():
        if image.digest:
            copies[image.digest].append(path)
    for paths in copies.values():
        if len(paths) > 1:
            report.add('duplicate photo', f'{" and ".join(paths)} are the same photo.')
    trained = {decoded[info['img_path']].digest for info in infos.get('train', ())} - {b''}
    for info in (*infos.get('val', ()), *infos.get('test', ())):
        # Without boxes nothing is measured that training could affect.
        if 'instances' in info and decoded[info['img_path']].digest in trained:
            report.add('training photo in a test', f'{info["img_path"]} is in both.')
