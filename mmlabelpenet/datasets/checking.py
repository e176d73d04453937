"""Looking a data set over before training."""

import hashlib
import os.path as osp
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from tqdm import tqdm

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import ImageUserError, UserError, decode_image, read_image_bytes

from .weak import TaggedDataset

# Proposals are stored as int16.
LONGEST_SIDE = 32767
# What forbids training, and what someone should look at.
ERRORS = ('data set', 'missing or wrong', 'unreadable', 'mis-sized', 'listed twice', 'no photos')
WARNINGS = (
    'untagged',
    'few photos',
    'names alike',
    'box outside',
    'same photo twice',
    'trained on and tested on',
)


@dataclass
class Examined:
    """One image as it is."""

    size: tuple[int, int] | None = None
    digest: bytes = b''
    fault: str = ''


@dataclass
class Report:
    """What was found.

    Attributes:
        findings: Sentences by kind, one of ``ERRORS`` or ``WARNINGS``.
        unreadable: Ids of images that can't be read.
        images_of: Of each class the number of training images with its tag.
        num_images: Images of each role (``train``, ``val``, ...).
    """

    findings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[str] = field(default_factory=list)
    images_of: dict[str, int] = field(default_factory=dict)
    num_images: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, sentence: str) -> None:
        """Note a finding, once."""
        if sentence not in self.findings[kind]:
            self.findings[kind].append(sentence)

    def count(self, kinds: Sequence[str]) -> int:
        """How many findings there are of some kinds."""
        return sum(len(self.findings.get(kind, ())) for kind in kinds)


def check_datasets(roles: dict[str, list[dict]], min_images: int = 10, workers: int = 1) -> Report:
    """Build data sets, decode every image and mask, and note all that is wrong.

    Args:
        roles: Configs of data sets by what they are for: ``train``, ``val``, ``test``,
            ``corloc``.
        min_images: A class with fewer training images is noted.
        workers: Threads that decode.

    Returns:
        What was found.
    """
    report = Report()
    built = {role: _build(configs, report) for role, configs in roles.items()}
    infos = {role: [info for d in sets for info in _infos(d)] for role, sets in built.items()}
    report.num_images = {role: len(found) for role, found in infos.items()}
    examined = _examine_all([info for found in infos.values() for info in found], workers)
    for role, found in infos.items():
        _check_listing(role, found, report)
        for info in found:
            _check_image(info, examined[info['img_path']], report)
    _check_tags(built.get('train', []), infos.get('train', []), min_images, report)
    _check_copies(infos, examined, report)
    return report


def _build(configs: Sequence[dict], report: Report) -> list[TaggedDataset]:
    built = []
    for config in configs:
        lenient = {**config, 'pipeline': [], 'serialize_data': False}
        if issubclass(DATASETS.get(config['type']), TaggedDataset):
            lenient['strict'] = False
        try:
            dataset = DATASETS.build(lenient)
        except UserError as error:
            report.add('data set', str(error))
            continue
        for sentence in getattr(dataset, 'problems', ()):
            report.add('missing or wrong', sentence)
        built.append(dataset)
    return built


def _infos(dataset: TaggedDataset) -> list[dict]:
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def _examine_all(infos: Sequence[dict], workers: int) -> dict[str, Examined]:
    paths = list(dict.fromkeys(info['img_path'] for info in infos))
    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = tqdm(pool.map(_examine, paths), total=len(paths), desc='check', unit='photo')
        return dict(zip(paths, results))


def _examine(path: str) -> Examined:
    # What is missing has been told by its data set.
    if not osp.exists(path):
        return Examined()
    try:
        data = read_image_bytes(path)
        size = decode_image(data, path).shape[:2]
    except ImageUserError as error:
        return Examined(fault=str(error))
    return Examined((size[0], size[1]), hashlib.blake2b(data, digest_size=16).digest())


def _check_listing(role: str, infos: Sequence[dict], report: Report) -> None:
    for img_id, count in Counter(info['img_id'] for info in infos).items():
        if count > 1:
            report.add('listed twice', f'{img_id} is listed {count} times for {role}.')


def _check_image(info: dict, photo: Examined, report: Report) -> None:
    path = info['img_path']
    if photo.fault:
        report.add('unreadable', photo.fault)
        if info['img_id'] not in report.unreadable:
            report.unreadable.append(info['img_id'])
    if photo.size is None:
        return
    height, width = photo.size
    told = (info.get('height', height), info.get('width', width))
    if told != photo.size:
        report.add(
            'mis-sized',
            f'{path} has {width} x {height} pixels, its annotation says {told[1]} x {told[0]}.',
        )
    if max(photo.size) > LONGEST_SIDE:
        report.add('mis-sized', f'{path} has a side of more than {LONGEST_SIDE} pixels.')
    _check_boxes(info, photo.size, report)
    for key in ('seg_map_path', 'instance_map_path'):
        if key in info:
            _check_mask(info[key], photo.size, report)


def _check_boxes(info: dict, size: tuple[int, int], report: Report) -> None:
    """Boxes are inclusive, so that a box of one pixel has x1 = x2."""
    boxes = np.array([obj['bbox'] for obj in info.get('instances', ())]).reshape(-1, 4)
    # Annotators' boxes may reach over by a part of a pixel.
    outside = (boxes[:, :2] <= -1).any(1) | (boxes[:, 2:] >= [size[1], size[0]]).any(1)
    for box in boxes[outside | (boxes[:, 2:] < boxes[:, :2]).any(1)]:
        where = ', '.join(f'{value:g}' for value in box)
        report.add('box outside', f'{info["img_path"]}: ({where}) is not within the photo.')


def _check_mask(path: str, size: tuple[int, int], report: Report) -> None:
    try:
        with Image.open(path) as image:
            image.load()
            found = (image.height, image.width)
    # A damaged file fails in as many ways as there are decoders.
    except Exception as error:
        report.add('missing or wrong', f'{path} is not a readable mask ({error}).')
        return
    if found != size:
        report.add(
            'mis-sized',
            f'{path} has {found[1]} x {found[0]} pixels, its photo {size[1]} x {size[0]}.',
        )


def _check_tags(
    datasets: Sequence[TaggedDataset], infos: Sequence[dict], min_images: int, report: Report
) -> None:
    """Look at training images: only of them tags are needed."""
    if not datasets:
        return
    classes = datasets[0].metainfo['classes']
    count = Counter(label for info in infos for label in info.get('tags', ()))
    report.images_of = {name: count[label] for label, name in enumerate(classes)}
    for name, number in report.images_of.items():
        if number == 0:
            report.add('no photos', f'The class {name} has no training photo.')
        elif number < min_images:
            report.add('few photos', f'The class {name} has {number} training photos only.')
    for name in classes:
        twins = [other for other in classes if _plain(other) == _plain(name)]
        if len(twins) > 1:
            report.add('names alike', f'The classes {", ".join(twins)} may be one: mend the tags.')
    for info in infos:
        if not info.get('tags'):
            report.add('untagged', f'{info["img_path"]} has no tag: it teaches what is not there.')


def _plain(name: str) -> str:
    """A name without what typists do differently: case, blanks, marks, the plural's s."""
    return ''.join(filter(str.isalnum, name.casefold())).rstrip('s')


def _check_copies(
    infos: dict[str, list[dict]], examined: dict[str, Examined], report: Report
) -> None:
    """Find files of the same content, and images that a test shares with training."""
    copies = defaultdict(list)
    for path, photo in examined.items():
        if photo.digest:
            copies[photo.digest].append(path)
    for paths in copies.values():
        if len(paths) > 1:
            report.add('same photo twice', f'{" and ".join(paths)} are the same photo.')
    trained = {examined[info['img_path']].digest for info in infos.get('train', ())} - {b''}
    for role in ('val', 'test'):
        for info in infos.get(role, ()):
            # A test without boxes measures nothing that training could have seen.
            if 'instances' in info and examined[info['img_path']].digest in trained:
                report.add('trained on and tested on', f'{info["img_path"]} is in both.')
