"""A devkit with VOC's classes, made of a few small generated images."""

import re
import shutil

import numpy as np

from mmlabelpenet.datasets import ShapesDataset, VOCInstanceDataset
from mmlabelpenet.datasets.devkit import write_lists
from mmlabelpenet.proposals import Proposals, proposal_path, write_proposals
from mmlabelpenet.testing import make_shapes

CLASSES = VOCInstanceDataset.METAINFO['classes']
SHAPES = ShapesDataset.METAINFO['classes']
# The generated split that each list copies.
SPLITS = dict(train='train', val='val', trainval='train', test='val', train_aug='train')


def make_devkit(root, years=('VOC2007', 'VOC2012'), num_train=3, num_val=2, image_size=(64, 96)):
    """Make ``root``/Shapes, a copy as /HardShapes, /VOC2007 and /VOC2012, and ``root``/proposals.

    The shapes get the names of VOC's first classes, so that the class masks stay valid.
    """
    source = root / 'Shapes'
    make_shapes(source, num_train, num_val, image_size=image_size)
    for year in years:
        _make_year(source, root / year)
    shutil.copytree(source, root / 'HardShapes')
    for year in ('Shapes', 'HardShapes', *years):
        for path in sorted((source / 'Annotations').iterdir()):
            boxes, width, height = _boxes(path)
            out = proposal_path(root / 'proposals', year, path.stem)
            write_proposals(out, Proposals(boxes, width, height, 'hand', '1'))


def _make_year(source, year):
    for folder in ('JPEGImages', 'SegmentationClass', 'SegmentationObject', 'Annotations'):
        shutil.copytree(source / folder, year / folder)
    for path in (year / 'Annotations').iterdir():
        text = path.read_text()
        for shape, name in zip(SHAPES, CLASSES):
            text = text.replace(f'<name>{shape}</name>', f'<name>{name}</name>')
        path.write_text(text)
    for split, copied in SPLITS.items():
        dataset = ShapesDataset(str(source), f'ImageSets/Main/{copied}.txt', serialize_data=False)
        tags = {
            info['img_id']: {CLASSES[label] for label in info['tags']}
            for info in dataset.data_list
        }
        write_lists(year, split, tags, CLASSES)


def _boxes(path):
    """The ground-truth boxes of an image, each also cut and widened, and the whole image."""
    text = path.read_text()
    width, height = (int(re.search(f'<{side}>(\\d+)', text)[1]) for side in ('width', 'height'))
    corners = [
        [int(value) for value in re.findall(f'<{key}>(\\d+)', text)]
        for key in ('xmin', 'ymin', 'xmax', 'ymax')
    ]
    exact = np.array(corners).T - [1, 1, 0, 0]
    size = np.tile(exact[:, 2:] - exact[:, :2], 2)
    cut, wide = exact + size * [0, 0, -0.3, -0.2], exact + size * [-0.2, -0.1, 0.2, 0.3]
    boxes = np.concatenate([exact, cut, wide, [[0, 0, width, height]]])
    limit = np.array([width, height, width, height])
    return np.clip(boxes, 0, limit).round().astype(np.int16), width, height
