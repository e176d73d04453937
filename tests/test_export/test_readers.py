"""Each format is loaded by the programs of docs/guide/clients.md, in their own environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmlabelpenet.datasets import read_corrections
from mmlabelpenet.export import write_images
from mmlabelpenet.utils import mask_areas, read_image

from .conftest import CLASSES, decode, iou, labelled
from .test_label_studio import accepted

REPOSITORY = Path(__file__).parents[2]
REQUIREMENTS = REPOSITORY / 'requirements/readers.txt'
SCRIPT = Path(__file__).with_name('readers.py')
pytestmark = [pytest.mark.slow, pytest.mark.readers]


@pytest.fixture(scope='session')
def reader_python(tmp_path_factory):
    """The Python of an environment with the readers: that of READERS_PYTHON, or a new one.

    The new one sees the packages of this one, so that torch is not installed twice.
    """
    if 'READERS_PYTHON' in os.environ:
        return os.environ['READERS_PYTHON']
    root = tmp_path_factory.mktemp('readers') / 'venv'
    subprocess.run([sys.executable, '-m', 'venv', root], check=True)
    python, [packages] = root / 'bin/python', root.glob('lib/python*/site-packages')
    import torch

    (packages / 'zz_others.pth').write_text(str(Path(torch.__file__).parents[1]))
    constraints = root / 'constraints.txt'
    constraints.write_text(f'torch=={torch.__version__}\n')
    command = [python, '-m', 'pip', 'install', '--retries', '1', '-r', REQUIREMENTS]
    command += ['-c', constraints]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr.strip() or 'no message').splitlines()[-1]
        pytest.skip(f'the readers of exports cannot be installed: {last}')
    return python


@pytest.fixture
def load(reader_python, tmp_path):
    """Read a folder by a function of readers.py."""

    def run(reader, root):
        variables = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
        variables |= {'YOLO_CONFIG_DIR': str(tmp_path), 'YOLO_OFFLINE': 'true'}
        command = [reader_python, SCRIPT, reader, root]
        result = subprocess.run(
            command, capture_output=True, text=True, env=variables, cwd=tmp_path
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return json.loads(result.stdout.splitlines()[-1])

    return run


@pytest.fixture
def images(images, write_image):
    """The images of the other tests, larger: readers fill polygons in their own ways."""
    first, second = images
    masks = [np.kron(decode(rle), np.ones((6, 6), dtype=bool)) for rle in first.masks]
    path = write_image('a.jpg', size=masks[0].shape)
    return [labelled(path, first.labels, first.scores, masks, first.tags), second]


def write(images, root, kind, **options):
    write_images(images, CLASSES, str(root), kind, read_image, link=True, **options)
    return root


def expected(image):
    names = [CLASSES[label] for label in image.labels]
    return sorted(zip(names, mask_areas(image.masks).tolist()))


@pytest.mark.parametrize(
    ('reader', 'kind', 'options'),
    [
        ('supervision_coco', 'coco', {}),
        ('supervision_coco', 'coco', dict(segmentation='polygon')),
        ('supervision_yolo', 'yolo', {}),
        ('datumaro_coco', 'coco', {}),
        ('datumaro_coco', 'coco', dict(segmentation='polygon')),
        ('ultralytics_yolo', 'yolo', {}),
        ('label_studio_brush', 'label-studio', {}),
    ],
)
def test_readers_find_all_images_classes_and_masks(load, tmp_path, images, reader, kind, options):
    found = load(reader, write(images, tmp_path / 'out', kind, **options))
    assert sorted(found) == ['a', 'b']
    assert found['b'] == []
    exact = kind == 'label-studio' or (kind == 'coco' and not options)
    wanted = expected(images[0])
    assert [name for name, _ in sorted(found['a'])] == [name for name, _ in wanted]
    for (_, size), (_, pixels) in zip(sorted(found['a']), wanted):
        assert size == pytest.approx(pixels, rel=0 if exact else 0.05), (found['a'], wanted)


def test_datumaro_reads_the_devkit_by_its_label_map(load, tmp_path, images):
    found = load('datumaro_voc', write(images, tmp_path / 'out', 'voc'))
    assert sorted(found) == ['a', 'b']
    assert sorted({name for name, _ in found['a']}) == ['chair', 'dog']


def test_supervision_reads_the_boxes_of_the_devkit(load, tmp_path, images):
    found = load('supervision_voc', write(images, tmp_path / 'out', 'voc'))
    assert sorted(name for name, _ in found['a']) == ['chair', 'chair', 'dog']


def test_label_studios_own_coco_is_read_as_corrected_labels(load, tmp_path, images):
    root = write(images, tmp_path / 'out', 'label-studio', segmentation='polygon')
    accepted(root / 'tasks_train.json')
    load('label_studio_coco', root)
    found = read_corrections(str(root / 'converted/result.json'))
    [name] = [name for name in found if name.endswith('a')]
    assert sorted(one.label for one in found[name]) == ['chair', 'chair', 'dog']
    for one, rle in zip(found[name], images[0].masks):
        assert iou(decode(one.mask), decode(rle)) > 0.9
