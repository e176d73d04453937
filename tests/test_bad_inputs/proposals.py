"""Proposals: damaged and foreign files, files of other photos, folders without photos."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from mmlabelpenet.datasets import ProvideRegionProposals
from mmlabelpenet.proposals import (
    Proposals,
    match_images,
    read_foreign,
    read_proposals,
    write_proposals,
)

from .results import config_of
from .table import BadInput, run_tool

BOXES = np.array([[0, 0, 20, 12], [3, 4, 9, 11]])
PATH = 'proposals/VOC2007/a.npz'


def stored(
    name: str, damage: Callable[[Path], None], sentence: str, **reading: object
) -> BadInput:
    """A row: a stored file that is damaged, or made for another photo."""

    def run(root: Path) -> object:
        write_proposals(root / PATH, Proposals(BOXES, 20, 12, 'hand', '1', 7))
        damage(root / PATH)
        return read_proposals(root / PATH, **reading)

    return BadInput(name, run, sentence)


def changed(**fields: object) -> Callable[[Path], None]:
    """Write the file anew with other fields; None leaves one out."""

    def damage(path: Path) -> None:
        with np.load(path) as data:
            content = {**data, **fields}
        np.savez_compressed(path, **{k: v for k, v in content.items() if v is not None})

    return damage


def written(root: Path, boxes: list) -> object:
    """Write boxes of a photo of 20 x 12 pixels as other programs may, and read them."""
    write_proposals(root / PATH, Proposals(np.array(boxes), 20, 12, 'hand', '1'))
    return read_proposals(root / PATH)


def flip_bits(path: Path) -> None:
    """Damage the compressed bytes of the boxes, and nothing else."""
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo('bboxes.npy').header_offset + 70
    whole = bytearray(path.read_bytes())
    whole[start : start + 8] = bytes(255 - one for one in whole[start : start + 8])
    path.write_bytes(whole)


def foreign(name: str, format_name: str, write: Callable[[Path], None], sentence: str) -> BadInput:
    """A row: a file of another project."""

    def run(root: Path) -> object:
        write(root / 'theirs')
        return read_foreign(root / 'theirs', format_name)

    return BadInput(name, run, sentence)


def mat(**content: object) -> Callable[[Path], None]:
    """Write a .mat file."""
    return lambda path: savemat(path, content, appendmat=False)


def pkl(content: object) -> Callable[[Path], None]:
    """Write a pickle."""
    return lambda path: path.write_bytes(pickle.dumps(content))


class Calls:
    """A pickle that would call a function."""

    def __reduce__(self) -> tuple:
        """Call it when it is read."""
        return Path.touch, (Path('touched'),)


def make(name: str, prepare: Callable[[Path], object], sentence: str, *options: str) -> BadInput:
    """A row: a folder for the maker."""

    def run(root: Path) -> None:
        (root / 'photos').mkdir()
        prepare(root / 'photos')
        tool = ('proposals/make_proposals', root / 'photos', '--out', root, '--workers', '1')
        run_tool(*tool, *options)

    return BadInput(name, run, sentence)


def sharded(name: str, value: str) -> BadInput:
    """A row: a shard that there is not."""
    sentence = (
        'argument --shard: must be K/N, two whole numbers with K from 1 to N, such as 1/4, '
        f"not '{value}'"
    )
    return make(name, lambda folder: (folder / 'a.jpg').touch(), sentence, f'--shard={value}')


def imported(name: str, boxes: object, sentence: str, format_name: str = 'mmdet') -> BadInput:
    """A row: a file of another project for two photos of 8 x 6 pixels, or boxes of the first."""

    def run(root: Path) -> None:
        content = boxes if isinstance(boxes, dict) else {'1.jpg': boxes, 'sub/2.jpg': FEW}
        pkl(content)(root / 'theirs.pkl')
        line = (config_of(root), root / 'theirs.pkl', '--format', format_name, '--split', 'test')
        run_tool('proposals/import_proposals', *line, '--out', root / 'out')

    return BadInput(name, run, sentence)


def given(name: str, boxes: list, sentence: str) -> BadInput:
    """A row: boxes that a script gives for a photo of 8 x 6 pixels."""
    photo = dict(img=np.zeros((6, 8, 3), np.uint8), ori_shape=(6, 8), proposals=boxes)
    return BadInput(name, lambda root: ProvideRegionProposals().transform(photo), sentence)


FEW = np.array([[0.0, 0, 5, 4], [1, 1, 3, 3]])
INFOS = [{'img_path': '/d/JPEGImages/a.jpg', 'img_id': 'a'}]
ROWS = [
    BadInput(
        'no file',
        lambda root: read_proposals(root / PATH),
        'There are no proposals at {root}/proposals/VOC2007/a.npz: make them with '
        '`python tools/proposals/make_proposals.py CONFIG`.',
    ),
    stored(
        'an empty file',
        lambda path: path.write_bytes(b''),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: it is no .npz file): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'text',
        lambda path: path.write_bytes(b'no boxes'),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: it is no .npz file): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'the first half',
        lambda path: path.write_bytes(path.read_bytes()[:300]),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: it is no .npz file): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'changed bytes of the boxes',
        flip_bits,
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        "(BadZipFile: Bad CRC-32 for file 'bboxes.npy'): delete the file and run "
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'a folder',
        lambda path: (path.unlink(), path.mkdir()),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(IsADirectoryError: [Errno 21] Is a directory: '
        "'{root}/proposals/VOC2007/a.npz'): delete the file and run "
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'no boxes in it',
        changed(bboxes=None),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file (KeyError: '
        "'bboxes is not a file in the archive'): delete the file and run "
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'no width in it',
        changed(width=None),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file (KeyError: '
        "'width is not a file in the archive'): delete the file and run "
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'boxes of 3 numbers',
        changed(bboxes=BOXES[:, :3]),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: boxes of shape [2, 3] and type int64): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'boxes of text',
        changed(bboxes=np.array([['a', 'b', 'c', 'd']])),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: boxes of shape [1, 4] and type <U1): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'boxes of objects',
        changed(bboxes=np.array([[None] * 4])),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: Object arrays cannot be loaded when allow_pickle=False): delete'
        ' the file and run tools/proposals/make_proposals.py again.',
    ),
    stored(
        'boxes that are nan',
        changed(bboxes=np.full((2, 4), np.nan)),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: boxes or sizes that are no numbers of pixels): delete the file '
        'and run tools/proposals/make_proposals.py again.',
    ),
    stored(
        'a photo without height',
        changed(height=np.int32(0)),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: boxes or sizes that are no numbers of pixels): delete the file '
        'and run tools/proposals/make_proposals.py again.',
    ),
    stored(
        'segments of other boxes',
        changed(segment_bytes=np.zeros(4, np.uint8), segment_lengths=np.array([4], np.int32)),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: 1 segments of 2 boxes): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'segments that end early',
        changed(segment_bytes=np.zeros(4, np.uint8), segment_lengths=np.array([4, 4], np.int32)),
        '{root}/proposals/VOC2007/a.npz cannot be read as a proposal file '
        '(ValueError: segments of 8 bytes in 4): delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'a photo of another size',
        lambda path: None,
        '{root}/proposals/VOC2007/a.npz was made for a photo of 20 x 12 pixels, but '
        'the photo has 12 x 20: delete the file and run '
        'tools/proposals/make_proposals.py again.',
        image_size=(20, 12),
    ),
    stored(
        'another photo of the same size',
        lambda path: None,
        '{root}/proposals/VOC2007/a.npz was made for another photo of the same name '
        'and size, perhaps of another data set: set another dataset_name for one of the two, or '
        'delete the file and run tools/proposals/make_proposals.py again.',
        image_size=(12, 20),
        photo_crc=8,
    ),
    BadInput(
        'a photo of 40,000 pixels',
        lambda root: write_proposals(root / PATH, Proposals(BOXES, 40000, 12, 'hand', '1')),
        '{root}/proposals/VOC2007/a.npz: the photo has 40000 x 12 pixels, but '
        'proposals are limited to 32767 per side: make it smaller first.',
    ),
    make(
        'a folder without photos',
        lambda folder: None,
        '{root}/photos contains no photos (.jpg, .jpeg, .jpe, .jfif, .png, .bmp, .webp, .tif, '
        '.tiff; sub-folders are not searched): name another folder.',
    ),
    make(
        'a damaged photo',
        lambda folder: (folder / 'a.jpg').write_bytes(b'no photo'),
        'The photo {root}/photos/a.jpg is damaged or no photo (unknown format): '
        'replace it, remove it, or name it in a skip list.',
    ),
    make(
        'an empty photo',
        lambda folder: (folder / 'a.jpg').touch(),
        'The photo {root}/photos/a.jpg is damaged or no photo (an empty file, or one of zeros: '
        'copy it again): replace it, remove it, or name it in a skip list.',
    ),
    make(
        'photos that differ in their suffix',
        lambda folder: [(folder / one).touch() for one in ('a.jpg', 'a.png')],
        '{root}/photos has photos that differ only in their suffix, and their '
        'proposals would have the same name: rename them.',
    ),
    sharded('a shard before the first', '0/4'),
    sharded('a shard after the last', '5/4'),
    sharded('one of no shards', '1/0'),
    sharded('a negative shard', '-1/4'),
    sharded('a shard without their number', '3'),
    sharded('shards in words', 'one/four'),
    sharded('a shard in fractions', '1.5/4'),
    sharded('a variable of the launcher that is not set', '/4'),
    BadInput(
        'an unknown format',
        lambda root: read_foreign(root, 'edge_boxes'),
        "Unknown format 'edge_boxes': choose one of selective_search, mcg, mmdet, detectron.",
    ),
    BadInput(
        'a foreign file that does not exist',
        lambda root: read_foreign(root / 'gone.mat', 'selective_search'),
        'There are no proposals at {root}/gone.mat: fix the path.',
    ),
    foreign(
        'text for a .mat file',
        'selective_search',
        lambda path: path.write_bytes(b'no boxes'),
        '{root}/theirs cannot be read as a .mat file (MatReadError: Mat file appears '
        'to be truncated): download it again, or save it with -v7.',
    ),
    foreign(
        'a .mat file of something else',
        'selective_search',
        mat(proposals=BOXES),
        '{root}/theirs has no images but proposals: set --format to the format of the file.',
    ),
    foreign(
        'more names than boxes',
        'selective_search',
        mat(images=np.array(['a', 'b'], object), boxes=np.array([BOXES, None], object)[:1]),
        '{root}/theirs has 2 names and boxes of 1 photos: download it again.',
    ),
    foreign(
        'a folder without .mat files',
        'mcg',
        lambda path: path.mkdir(),
        '{root}/theirs contains no .mat file: choose the folder that does.',
    ),
    foreign(
        'a .mat file without boxes',
        'mcg',
        mat(scores=np.zeros(3)),
        '{root}/theirs contains no MCG boxes of one photo: choose another --format.',
    ),
    foreign(
        'a pickle that calls a function',
        'mmdet',
        pkl(Calls()),
        '{root}/theirs cannot be read as a pickle of arrays (ValueError: it '
        'contains pathlib.Path.touch, which is no array): download it again, or write'
        ' the boxes as plain numpy arrays.',
    ),
    foreign(
        'a pickle that ends early',
        'mmdet',
        lambda path: path.write_bytes(pickle.dumps(BOXES)[:20]),
        '{root}/theirs cannot be read as a pickle of arrays (UnpicklingError: pickle '
        'data was truncated): download it again, or write the boxes as plain numpy '
        'arrays.',
    ),
    foreign(
        'a number for proposals',
        'mmdet',
        pkl(3),
        '{root}/theirs contains no proposals of mmdet: choose another --format.',
    ),
    foreign(
        'proposals without boxes',
        'detectron',
        pkl({'ids': [1]}),
        '{root}/theirs contains no proposals of Detectron: choose another --format.',
    ),
    foreign(
        'proposals without ids',
        'detectron',
        pkl({'boxes': [BOXES]}),
        '{root}/theirs does not have an id for each photo: write it again with ids.',
    ),
    foreign(
        'boxes of an unknown mode',
        'detectron',
        pkl({'boxes': [BOXES], 'ids': [1], 'bbox_mode': 7}),
        '{root}/theirs has boxes of mode 7: write them as XYXY_ABS.',
    ),
    BadInput(
        'proposals of other photos',
        lambda root: match_images({'b': BOXES}, INFOS),
        'None of the photos (such as /d/JPEGImages/a.jpg) has proposals (such as those of b): '
        'they are of another data set or --split, or the names differ, also in case or suffix.',
    ),
    foreign(
        'a photo under two names',
        'mmdet',
        pkl({'a.jpg': BOXES, './a.jpg': BOXES[:1]}),
        '{root}/theirs cannot be read as proposals of mmdet (ValueError: the photo ./a.jpg is '
        'there twice): fix it, or the --format.',
    ),
    foreign(
        'ids and indexes that differ',
        'detectron',
        pkl({'boxes': [BOXES, BOXES], 'ids': [1, 2], 'indexes': [2, 1]}),
        '{root}/theirs has both ids and indexes, which differ: write one of them.',
    ),
    foreign(
        'a .npy file',
        'mmdet',
        lambda path: np.save(path.open('wb'), BOXES),
        '{root}/theirs cannot be read as a pickle of arrays (ValueError: it is a .npy file, which '
        'names no photos): download it again, or write the boxes as plain numpy arrays.',
    ),
    BadInput(
        'proposals of more photos',
        lambda root: match_images([BOXES, BOXES], INFOS),
        'The proposals have no names and are of 2 photos, but the data set has 1: '
        'choose the --split that they were made for.',
    ),
    stored(
        'boxes that end before they begin',
        changed(bboxes=np.array([[10, 0, 2, 12]])),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (10, 0, 2, 12), are no x1, y1,'
        ' x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'a box beyond the photo',
        changed(bboxes=np.array([[0, 0, 200, 12]])),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (0, 0, 200, 12), are no x1, '
        'y1, x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'a box left of the photo',
        changed(bboxes=np.array([[-50, 0, 20, 12]])),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (-50, 0, 20, 12), are no x1, '
        'y1, x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'a box without area',
        changed(bboxes=np.array([[3, 3, 3, 3]])),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (3, 3, 3, 3), are no x1, y1, '
        'x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'boxes in fractions of the photo',
        changed(bboxes=np.array([[0.1, 0.2, 0.5, 0.6]])),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (0.1, 0.2, 0.5, 0.6), are no '
        'x1, y1, x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    stored(
        'boxes of -32768',
        changed(bboxes=np.array([[-32768, 2, 5, 6]], np.int16)),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (-32768, 2, 5, 6), are no x1, '
        'y1, x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    BadInput(
        'boxes written in fractions of the photo',
        lambda root: written(root, [[0, 0, 0.9, 0.5]]),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (0, 0, 0, 0), are no x1, y1, '
        'x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    BadInput(
        'boxes written as nan',
        lambda root: written(root, [[0, 0, np.nan, 4]]),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (0, 0, -32767, 4), are no x1, '
        'y1, x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    BadInput(
        'boxes written with more pixels than 16 bits hold',
        lambda root: written(root, [[0, 0, 65546, 4]]),
        '{root}/proposals/VOC2007/a.npz: 1 of 1 boxes, such as (0, 0, 32767, 4), are no x1, '
        'y1, x2, y2 in pixels of the photo of 20 x 12: delete the file and run '
        'tools/proposals/make_proposals.py again.',
    ),
    imported(
        'import: corner and size',
        np.array([[5, 1, 2, 3], [1, 2, 3, 3.0]]),
        '{root}/theirs.pkl: 1 of 4 boxes end before they begin, such as (5, 1, 2, 3) of photo'
        ' 1.jpg as x1, y1, x2, y2; they look like x, y, width, height: write x1, y1, x2, y2, '
        'or choose another --format.',
    ),
    imported(
        'import: the second corner first',
        FEW[:, [2, 3, 0, 1]],
        '{root}/theirs.pkl: 2 of 4 boxes end before they begin, such as (5, 4, 0, 0) of photo'
        ' 1.jpg as x1, y1, x2, y2: write x1, y1, x2, y2, or choose another --format.',
    ),
    imported(
        'import: one of many boxes that ends before it begins',
        np.array([*[[0, 0, 5, 4.0]] * 20, [3, 0, 2, 4]]),
        '{root}/theirs.pkl: 1 of 23 boxes end before they begin, such as (3, 0, 2, 4) of '
        'photo 1.jpg as x1, y1, x2, y2: write x1, y1, x2, y2, or choose another --format.',
    ),
    imported(
        'import: boxes that are nan',
        FEW * np.nan,
        '{root}/theirs.pkl: 2 of 4 boxes are no numbers, such as (nan, nan, nan, nan) of '
        'photo 1.jpg as x1, y1, x2, y2: write x1, y1, x2, y2, or choose another --format.',
    ),
    imported(
        'import: boxes without end',
        np.array([[0, 0, np.inf, 4]]),
        '{root}/theirs.pkl: 1 of 3 boxes are no numbers, such as (0, 0, inf, 4) of photo '
        '1.jpg as x1, y1, x2, y2: write x1, y1, x2, y2, or choose another --format.',
    ),
    imported(
        'import: fractions of the photo',
        FEW / 10,
        '{root}/theirs.pkl: all boxes of 1 of 2 photos lie in the first two pixels, as those '
        'of {root}/photos/1.jpg: write pixels instead of fractions of the photo.',
    ),
    imported(
        'import: boxes of larger photos',
        FEW * 3,
        'Boxes of 1 of 2 photos exceed them (such as (0, 0, 15, 12) of {root}/photos/1.jpg '
        'with 8 x 6 pixels): those in {root}/theirs.pkl are of another data set or --format, '
        'or no x1, y1, x2, y2 in pixels.',
    ),
    imported(
        'import: no box at all',
        {'1.jpg': FEW[:0], 'sub/2.jpg': FEW[:0]},
        '{root}/theirs.pkl holds no box of the 2 photos: write it again.',
    ),
    imported(
        'import: a dict of text',
        {'boxes': 'a'},
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo boxes: '
        'boxes of shape [] and type <U1, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: numbers for boxes',
        {'1.jpg': 3},
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: '
        'boxes of shape [] and type int64, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: boxes that are missing',
        {'1.jpg': {'scores': [1.0]}},
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: it '
        'has no boxes): fix it, or the --format.',
    ),
    imported(
        'import: boxes of six columns',
        np.ones((2, 6)),
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: '
        'boxes of shape [2, 6] and type float64, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: boxes of eight columns',
        np.ones((2, 8)),
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: '
        'boxes of shape [2, 8] and type float64, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: a single box without brackets',
        FEW[0],
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: '
        'boxes of shape [4] and type float64, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: boxes of each class',
        [FEW, FEW],
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: '
        'boxes of shape [2, 2, 4] and type float64, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: boxes that are true or false',
        FEW > 1,
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: '
        'boxes of shape [2, 4] and type bool, not [N, 4]): fix it, or the --format.',
    ),
    imported(
        'import: fewer scores than boxes',
        {'1.jpg': {'bboxes': FEW, 'scores': [1.0]}},
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: 1 '
        'scores of 2 boxes): fix it, or the --format.',
    ),
    imported(
        'import: a score that is nan',
        {'1.jpg': {'bboxes': FEW, 'scores': [1.0, np.nan]}},
        '{root}/theirs.pkl cannot be read as proposals of mmdet (ValueError: photo 1.jpg: a '
        'score is no number): fix it, or the --format.',
    ),
    imported(
        'import: names that may be ids or files',
        {'0': FEW, '1': FEW, '2': FEW},
        'It is not clear whether the proposals of 1 or 0 are those of {root}/photos/1.jpg: '
        'name the photos by their paths.',
    ),
    imported(
        'import: a photo twice',
        {'boxes': [FEW, FEW], 'ids': [1, 1]},
        '{root}/theirs.pkl cannot be read as proposals of detectron (ValueError: the photo 1 '
        'is there twice): fix it, or the --format.',
        'detectron',
    ),
    imported(
        'import: Detectron boxes with scores in them',
        {'boxes': [np.ones((2, 5))], 'ids': [1]},
        '{root}/theirs.pkl cannot be read as proposals of detectron (ValueError: photo 1: '
        'boxes of shape [2, 5] and type float64, not [N, 4]): fix it, or the --format.',
        'detectron',
    ),
    imported(
        'import: Detectron without boxes',
        {'boxes': [None], 'ids': [1]},
        '{root}/theirs.pkl cannot be read as proposals of detectron (ValueError: photo 1: it '
        'has no boxes): fix it, or the --format.',
        'detectron',
    ),
    imported(
        'import: Detectron with scores of fewer photos',
        {'boxes': [FEW, FEW], 'ids': [0, 1], 'scores': [[1.0, 1.0]]},
        '{root}/theirs.pkl cannot be read as proposals of detectron (ValueError: scores of 1 '
        'photos, boxes of 2): fix it, or the --format.',
        'detectron',
    ),
    imported(
        'import: Detectron corner and size without bbox_mode',
        {'boxes': [[[5, 1, 2, 3], [4, 4, 2, 2]]], 'ids': [1]},
        '{root}/theirs.pkl: 2 of 2 boxes end before they begin, such as (5, 1, 3, 4) of photo'
        ' 1 as x1, y1, x2, y2; they look like x, y, width, height: write x1, y1, x2, y2 (or '
        'x, y, width, height with bbox_mode 1), or choose another --format.',
        'detectron',
    ),
    imported(
        'import: Detectron corners as corner and size',
        {'boxes': [[[3, 2, 7, 6]], [[3, 2, 7, 6]]], 'ids': [0, 1], 'bbox_mode': 1},
        'Boxes of 2 of 2 photos exceed them (such as (3, 2, 10, 8) of {root}/photos/1.jpg '
        'with 8 x 6 pixels): those in {root}/theirs.pkl are of another data set or --format, '
        'or no x1, y1, x2, y2 in pixels.',
        'detectron',
    ),
    foreign(
        'names and texts',
        'selective_search',
        mat(images=np.array(['a'], object), boxes=np.array(['b'], object)),
        '{root}/theirs cannot be read as proposals of selective_search (ValueError: photo a: '
        'boxes of shape [1] and type <U1, not [N, 4]): fix it, or the --format.',
    ),
    foreign(
        'boxes with scores in a .mat file',
        'selective_search',
        mat(
            images=np.array(['a', 'b'], object),
            boxes=np.array([[np.ones((1, 5))], [np.ones((2, 5))]], object),
        ),
        '{root}/theirs cannot be read as proposals of selective_search (ValueError: photo a: '
        'boxes of shape [1, 5] and type float64, not [N, 4]): fix it, or the --format.',
    ),
    foreign(
        'MCG boxes that are nan',
        'mcg',
        mat(boxes=np.array([[1, 1, np.nan, 3]])),
        '{root}/theirs: 1 of 1 boxes are no numbers, such as (0, 0, 3, nan) of photo theirs '
        'as x1, y1, x2, y2: write y1, x1, y2, x2 counted from 1, or choose another --format.',
    ),
    foreign(
        'more MCG scores than boxes',
        'mcg',
        mat(boxes=FEW[1:], scores=[1.0, 2]),
        '{root}/theirs cannot be read as proposals of mcg (ValueError: 2 scores of 1 boxes): '
        'fix it, or the --format.',
    ),
    given(
        'given boxes that end before they begin',
        [[5, 5, 2, 2]],
        'The given proposals of an array: 1 of 1 boxes, such as (5, 5, 2, 2), are no x1, y1, '
        'x2, y2 in pixels of the photo of 8 x 6: give x1, y1, x2, y2 in pixels.',
    ),
    given(
        'given boxes in fractions',
        [[0.1, 0.1, 0.5, 0.9]],
        'The given proposals of an array: 1 of 1 boxes, such as (0.1, 0.1, 0.5, 0.9), are no '
        'x1, y1, x2, y2 in pixels of the photo of 8 x 6: give x1, y1, x2, y2 in pixels.',
    ),
    given(
        'a given box that is nan',
        [[0, 0, 4, 4], [np.nan] * 4],
        'The given proposals of an array: 1 of 2 boxes, such as (nan, nan, nan, nan), are no '
        'x1, y1, x2, y2 in pixels of the photo of 8 x 6: give x1, y1, x2, y2 in pixels.',
    ),
    given(
        'a given box beyond the photo',
        [[0, 0, 9, 9]],
        'The given proposals of an array: 1 of 1 boxes, such as (0, 0, 9, 9), are no x1, y1, '
        'x2, y2 in pixels of the photo of 8 x 6: give x1, y1, x2, y2 in pixels.',
    ),
    given(
        'given boxes of five numbers',
        [[0, 0, 4, 4, 0.5]],
        'Proposals are [N, 4] boxes x1 y1 x2 y2, not [1, 5].',
    ),
]
