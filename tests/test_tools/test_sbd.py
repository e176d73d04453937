import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.datasets.devkit import read_mask, write_mask

from .conftest import REPOSITORY

CAT, DOG = 7, 11
# Four images of SBD, of which VOC has the last in val, and two of VOC's train.
SBD = {'train.txt': ['2008_000003', '2008_000001'], 'val.txt': ['2008_000004', '2008_000009']}
VOC = {'train.txt': ['2007_000001', '2008_000004'], 'val.txt': ['2008_000009']}
XML = '<annotation><size><width>6</width><height>4</height></size></annotation>'


def objects():
    values = np.zeros((4, 6), np.uint8)
    values[0, :2] = 1
    values[2:, 3:] = 2
    return values


def save_objects(path, values, categories):
    boundaries = np.empty((len(categories), 1), dtype=object)
    for row in range(len(categories)):
        boundaries[row, 0] = csc_matrix(values.astype(np.float64))
    inner = {'Segmentation': values, 'Boundaries': boundaries}
    savemat(path, {'GTinst': {**inner, 'Categories': np.array(categories, np.float64)[:, None]}})


@pytest.fixture
def sbd(tmp_path):
    root = tmp_path / 'dataset'
    (root / 'inst').mkdir(parents=True)
    for name, images in SBD.items():
        (root / name).write_text('\n'.join(images))
    save_objects(root / 'inst/2008_000001.mat', objects(), [CAT + 1, DOG + 1])
    save_objects(root / 'inst/2008_000003.mat', objects() == 1, [DOG + 1])
    save_objects(root / 'inst/2008_000004.mat', objects(), [DOG + 1, DOG + 1])
    return root


@pytest.fixture
def devkit(tmp_path):
    root = tmp_path / 'VOC2012'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Segmentation', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    for name, images in VOC.items():
        (root / 'ImageSets/Segmentation' / name).write_text('\n'.join(images))
    for img_id in {name for names in (*SBD.values(), *VOC.values()) for name in names}:
        Image.new('RGB', (6, 4)).save(root / f'JPEGImages/{img_id}.jpg')
        (root / f'Annotations/{img_id}.xml').write_text(XML)
    # VOC's own masks: a cat, and something undecided.
    for img_id in VOC['train.txt']:
        for folder, value in (('SegmentationClass', CAT + 1), ('SegmentationObject', 1)):
            values = np.where(objects() == 1, value, np.where(objects() == 2, 255, 0))
            write_mask(root / folder / f'{img_id}.png', values)
    return root


def load(devkit):
    cfg = Config.fromfile(str(REPOSITORY / 'configs/_base_/datasets/voc12_aug.py'))
    dataset = cfg.corloc_dataloader.dataset
    assert dataset.ann_file == cfg.train_dataloader.dataset.ann_file
    return VOCInstanceDataset(str(devkit), dataset.ann_file, supervision='full')


def test_all_images_except_val_have_the_tags_of_their_masks(tool, sbd, devkit, capsys):
    tool('dataset_converters/sbd', sbd, '--devkit', devkit)
    assert capsys.readouterr().out.startswith('4 photos in ')
    dataset = load(devkit)
    tags = {info['img_id']: info['tags'] for info in map(dataset.get_data_info, range(4))}
    # VOC's own masks stay, so that 2008_000004 has the cat that SBD's don't.
    assert tags == {
        '2007_000001': [CAT],
        '2008_000001': [CAT, DOG],
        '2008_000003': [DOG],
        '2008_000004': [CAT],
    }


def test_masks_are_those_of_sbd(tool, sbd, devkit):
    tool('dataset_converters/sbd', sbd, '--devkit', devkit)
    classes = read_mask(devkit / 'SegmentationClass/2008_000001.png')
    np.testing.assert_array_equal(classes, np.array([0, CAT + 1, DOG + 1])[objects()])
    np.testing.assert_array_equal(
        read_mask(devkit / 'SegmentationObject/2008_000001.png'), objects()
    )
    # One object only: Matlab's arrays of one number are numbers.
    one = read_mask(devkit / 'SegmentationClass/2008_000003.png')
    np.testing.assert_array_equal(one, (objects() == 1) * (DOG + 1))
    assert 'instance_map_path' in load(devkit).get_data_info(1)


def test_an_interrupted_run_continues(tool, sbd, devkit):
    broken = sbd / 'inst/2008_000003.mat'
    whole = broken.read_bytes()
    broken.write_bytes(b'nonsense')
    with pytest.raises(SystemExit):
        tool('dataset_converters/sbd', sbd, '--devkit', devkit)
    assert not (devkit / 'ImageSets/Main/train_aug.txt').exists()
    done = devkit / 'SegmentationObject/2008_000001.png'
    before = done.stat().st_mtime_ns
    broken.write_bytes(whole)
    tool('dataset_converters/sbd', sbd, '--devkit', devkit)
    assert done.stat().st_mtime_ns == before
    assert len(load(devkit)) == 4


def test_a_list_chooses_the_images(tool, sbd, devkit, tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text('/JPEGImages/2008_000003.jpg /SegmentationClassAug/2008_000003.png\n')
    tool('dataset_converters/sbd', sbd, '--devkit', devkit, '--list', names)
    assert (devkit / 'ImageSets/Main/train_aug.txt').read_text() == '2008_000003\n'


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda sbd, devkit: (sbd / 'val.txt').unlink(), 'val.txt cannot be read'),
        (lambda sbd, devkit: (sbd / 'inst/2008_000001.mat').unlink(), 'cannot be read as a file'),
        (
            lambda sbd, devkit: savemat(sbd / 'inst/2008_000001.mat', {'GTcls': 1}),
            "KeyError: 'GTinst'",
        ),
        (
            lambda sbd, devkit: (devkit / 'JPEGImages/2008_000001.jpg').unlink(),
            '2008_000001.jpg cannot be read',
        ),
        (
            lambda sbd, devkit: Image.new('RGB', (4, 6)).save(
                devkit / 'JPEGImages/2008_000001.jpg'
            ),
            'masks of 2008_000001 do not have the size',
        ),
    ],
)
def test_problems_are_named(tool, sbd, devkit, capsys, spoil, message):
    spoil(sbd, devkit)
    with pytest.raises(SystemExit) as left:
        tool('dataset_converters/sbd', sbd, '--devkit', devkit)
    assert left.value.code == 2
    assert message in capsys.readouterr().err
