import os
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.datasets.devkit import read_mask, write_mask

CAT, DOG, PERSON = 8, 12, 15


@pytest.fixture
def mini(tool_module):
    return tool_module('dataset_converters/voc12_mini')


def test_components_are_merged_within_a_box_of_their_class(mini):
    classes = np.zeros((40, 60), np.uint8)
    classes[5:15, 5:15] = CAT
    classes[5:15, 18:28] = CAT
    classes[5:15, 16] = 255
    classes[25:35, 5:15] = DOG
    classes[25:35, 20:30] = DOG
    classes[20:23, 50:53] = PERSON
    boxes = [(CAT, 6, 6, 28, 15), (DOG, 6, 26, 15, 35), (CAT, 21, 26, 30, 35)]
    objects = mini.split_objects(classes, boxes)
    # One cat of two pieces; a dog in its box and one without; a person too small to count.
    assert np.unique(objects[classes == CAT]).tolist() == [1]
    assert np.unique(objects[25:35, 5:15]).tolist() == [2]
    assert np.unique(objects[25:35, 20:30]).tolist() == [3]
    assert objects[21, 51] == 0
    np.testing.assert_array_equal(objects == 255, classes == 255)
    assert mini.classes_in(classes, objects) == {'cat', 'dog'}


def test_the_best_box_contains_most_and_is_the_smallest(mini):
    piece = np.ones((10, 10), bool)
    assert mini.best_box(piece, CAT, [(CAT, 1, 1, 4, 10), (CAT, 1, 1, 6, 10)]) == 1
    assert mini.best_box(piece, CAT, [(CAT, 1, 1, 30, 30), (CAT, 1, 1, 10, 10)]) == 1
    assert mini.best_box(piece, CAT, [(DOG, 1, 1, 10, 10), (CAT, 9, 9, 30, 30)]) is None


def annotation(*difficult):
    objects = ''.join(
        f'<object><name>cat</name><difficult>{flag}</difficult><bndbox><xmin>1</xmin>'
        f'<ymin>2</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object>'
        for flag in difficult
    )
    return ET.fromstring(f'<annotation>{objects}</annotation>')


def test_difficult_objects_go_and_masks_step_in_where_none_is_left(mini):
    classes = np.zeros((20, 30), np.uint8)
    classes[4:9, 10:16] = DOG
    objects = (classes > 0).astype(np.uint8)
    kept = mini.clean_annotation(annotation(0, 1), classes, objects)
    assert mini.boxes_of(kept) == [(CAT, 1, 2, 30, 20)]
    replaced = mini.clean_annotation(annotation(1), classes, objects)
    # Columns 10 to 15 and rows 4 to 8 from 0, as VOC counts: from 1, both ends within.
    assert mini.boxes_of(replaced) == [(DOG, 11, 5, 16, 9)]


@pytest.fixture
def devkit(tmp_path, mini, monkeypatch):
    """A devkit of two images, and a list of them."""
    root = tmp_path / 'full'
    for folder in ('JPEGImages', 'Annotations'):
        (root / folder).mkdir(parents=True)
    (tmp_path / 'names.txt').write_text('a train\nb val -cat\n')
    classes = np.zeros((20, 30), np.uint8)
    classes[2:12, 2:12] = CAT
    classes[2:12, 15:25] = DOG
    for name in 'ab':
        Image.new('RGB', (30, 20)).save(root / f'JPEGImages/{name}.jpg')
        (root / f'Annotations/{name}.xml').write_bytes(ET.tostring(annotation(0)))
        write_mask(root / f'SegmentationClass/{name}.png', classes)
        write_mask(root / f'SegmentationObject/{name}.png', 5 * (classes == CAT))
    monkeypatch.setattr(mini, 'NAMES', tmp_path / 'names.txt')
    return root


def test_the_list_has_the_images_and_the_missing_tags(mini, devkit, tmp_path):
    out = tmp_path / 'out' / 'VOC2012'
    mini.main([str(devkit), str(out)])
    train, val = (
        VOCInstanceDataset(str(out), f'ImageSets/Main/{split}.txt').get_data_info(0)
        for split in ('train', 'val')
    )
    assert (train['img_id'], train['tags']) == ('a', [CAT - 1, DOG - 1])
    assert (val['img_id'], val['tags']) == ('b', [DOG - 1])
    objects = 'SegmentationObject/a.png'
    np.testing.assert_array_equal(read_mask(out / objects), read_mask(devkit / objects))
    mini.main([str(devkit), str(out), '--objects', 'derived', '--quality', '0'])
    assert np.unique(read_mask(out / objects)).tolist() == [0, 1, 2]
    image = 'JPEGImages/a.jpg'
    assert (out / image).read_bytes() == (devkit / image).read_bytes()


def test_wrong_input_is_explained_in_one_sentence(tool, devkit, tmp_path, capsys):
    for arguments, message in (
        ([devkit, devkit], 'is the full devkit itself'),
        ([devkit, tmp_path / 'out', '--quality', '100'], '--quality must be'),
        ([tmp_path / 'none', tmp_path / 'out'], 'is no VOC annotation'),
    ):
        with pytest.raises(SystemExit) as left:
            tool('dataset_converters/voc12_mini', *arguments)
        assert left.value.code == 2
        assert message in capsys.readouterr().err


def objects_of(path):
    return [
        (obj.findtext('name'), *(obj.findtext(f'bndbox/{key}') for key in ('xmin', 'ymax')))
        for obj in ET.parse(path).getroot().iterfind('object')
    ]


@pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='VOC12MINI_ROOT is not set')
def test_rebuilding_from_itself_keeps_lists_and_tags_and_nearly_all_masks(
    mini, tmp_path, monkeypatch
):
    """All tags and lists; objects of 97 % of the images, of which every tenth is compared."""
    source = Path(os.environ['VOC12MINI_ROOT']) / 'VOCdevkit' / 'VOC2012'
    splits = {split: list(names) for split, names in mini.read_names().items()}
    for split, names in splits.items():
        assert names == (source / f'ImageSets/Main/{split}.txt').read_text().split()
    few = tmp_path / 'names.txt'
    lines = mini.NAMES.read_text().splitlines()
    chosen = [*lines[::10], *(line for line in lines if ' -' in line)]
    few.write_text('\n'.join(sorted(set(chosen))))
    monkeypatch.setattr(mini, 'NAMES', few)
    out = tmp_path / 'VOC2012'
    mini.main([str(source), str(out), '--objects', 'derived', '--quality', '0'])
    same = total = 0
    for split in splits:
        made, true = (
            VOCInstanceDataset(str(root), f'ImageSets/Main/{split}.txt', serialize_data=False)
            for root in (out, source)
        )
        tags = {info['img_id']: info['tags'] for info in true.data_list}
        for info in made.data_list:
            name = info['img_id']
            assert info['tags'] == tags[name]
            annotation_file = f'Annotations/{name}.xml'
            assert objects_of(out / annotation_file) == objects_of(source / annotation_file)
            maps = [read_mask(root / f'SegmentationObject/{name}.png') for root in (out, source)]
            same += np.array_equal(*maps)
            total += 1
    assert total >= 125
    assert same / total >= 0.93
