import image_kinds
import numpy as np
import pytest
from PIL import Image

from mmlabelpenet.datasets.checking import ERRORS, WARNINGS, check_datasets
from mmlabelpenet.datasets.devkit import read_mask, write_mask
from mmlabelpenet.testing import make_shapes


@pytest.fixture
def shapes(tmp_path):
    make_shapes(tmp_path / 'Shapes', num_train=12, num_val=2, seed=3, image_size=(48, 64))
    return tmp_path / 'Shapes'


def part(root, split, supervision='full', **changes):
    return {
        'type': 'ShapesDataset',
        'data_root': str(root),
        'ann_file': f'ImageSets/Main/{split}.txt',
        'supervision': supervision,
        'pipeline': [{'type': 'NoSuchTransform'}],
        **changes,
    }


def check(root, **kwargs):
    roles = {'train': [part(root, 'train', 'tags')], 'val': [part(root, 'val')]}
    roles['corloc'] = [part(root, 'train')]
    return check_datasets(roles, min_images=1, **kwargs)


def kinds(report):
    return {kind: len(found) for kind, found in report.findings.items() if found}


def image(root, name):
    return root / 'JPEGImages' / f'{name}.jpg'


def test_valid_data_has_no_findings(shapes):
    report = check(shapes, workers=3)
    assert kinds(report) == {}
    assert report.num_images == {'train': 12, 'val': 2, 'corloc': 12}
    assert sum(report.images_per_class.values()) >= 12
    assert min(report.images_per_class.values()) >= 1


def test_missing_unreadable_and_empty_images(shapes):
    image(shapes, 'train_00000').unlink()
    image_kinds.make_truncated(shapes / 'JPEGImages', 'train_00001.jpg')
    image(shapes, 'val_00000').write_bytes(b'')
    report = check(shapes)
    assert kinds(report) == {'missing or invalid': 1, 'unreadable': 2}
    assert 'train_00000.jpg is missing (1 of 12' in report.findings['missing or invalid'][0]
    assert report.unreadable == ['train_00001', 'val_00000']
    assert report.count(ERRORS) == 3


def test_size_mismatches(shapes):
    Image.new('RGB', (10, 11)).save(image(shapes, 'val_00001'))
    found = check(shapes).findings
    assert len(found['size mismatch']) == 3
    assert 'val_00001.jpg has 10 x 11 pixels, its annotation says' in found['size mismatch'][0]
    assert 'SegmentationClass/val_00001.png has' in found['size mismatch'][1]
    assert len(found['box outside the photo']) >= 1


def test_broken_annotations_and_masks(shapes):
    (shapes / 'Annotations' / 'val_00000.xml').write_text('<')
    (shapes / 'SegmentationObject' / 'val_00001.png').write_bytes(b'nonsense')
    report = check(shapes)
    assert kinds(report) == {'missing or invalid': 2}
    assert (
        'val_00000.xml cannot be read as a VOC annotation'
        in report.findings['missing or invalid'][0]
    )
    assert 'val_00001.png cannot be read as a mask' in report.findings['missing or invalid'][1]


def test_an_image_listed_twice_and_one_under_two_names(shapes):
    split = shapes / 'ImageSets' / 'Main' / 'train.txt'
    split.write_text(split.read_text() + 'train_00003\n')
    image(shapes, 'train_00004').write_bytes(image(shapes, 'train_00005').read_bytes())
    found = check(shapes).findings
    assert 'train_00003 is listed 2 times for train.' in found['listed twice']
    assert len(found['duplicate photo']) == 1
    assert 'train_00004.jpg and ' in found['duplicate photo'][0]


def test_training_images_in_a_test_are_reported(shapes):
    image(shapes, 'val_00000').write_bytes(image(shapes, 'train_00005').read_bytes())
    found = check(shapes).findings['training photo in a test']
    assert [sentence.split(' ')[0][-13:] for sentence in found] == ['val_00000.jpg']


def test_untagged_images_and_rare_classes(tmp_path):
    for name in 'abc':
        Image.new(
            'RGB', (9, 8), name.replace('a', 'red').replace('b', 'blue').replace('c', 'tan')
        ).save(tmp_path / f'{name}.jpg')
    (tmp_path / 'tags.csv').write_text('#classes,dog,cat,emu\na.jpg,dog\nb.jpg,dog;cat\nc.jpg\n')
    one = {'type': 'TagFileDataset', 'data_root': str(tmp_path), 'tag_file': 'tags.csv'}
    report = check_datasets({'train': [one], 'test': [one]}, min_images=2)
    assert report.images_per_class == {'dog': 2, 'cat': 1, 'emu': 0}
    assert kinds(report) == {'untagged': 1, 'class with few photos': 1, 'class without photos': 1}
    assert report.findings['class without photos'] == ['The class emu has no training photo.']
    assert (report.count(ERRORS), report.count(WARNINGS)) == (1, 2)


def test_similar_class_names_are_reported(tmp_path):
    Image.new('RGB', (9, 8)).save(tmp_path / 'a.jpg')
    (tmp_path / 'tags.csv').write_text('a.jpg,Fire truck;fire-trucks;cat;car\n')
    one = {'type': 'TagFileDataset', 'data_root': str(tmp_path), 'tag_file': 'tags.csv'}
    found = check_datasets({'train': [one]}, min_images=1).findings
    assert found['similar class names'] == [
        'The classes Fire truck, fire-trucks may be the same: fix the tags.'
    ]


def test_a_missing_data_set_is_one_finding(shapes, tmp_path):
    report = check_datasets(
        {'train': [part(tmp_path / 'no', 'train')], 'val': [part(shapes, 'val')]}
    )
    assert kinds(report) == {'data set': 1}
    assert 'no data set at' in report.findings['data set'][0]
    assert report.num_images == {'train': 0, 'val': 2}


def test_a_broken_link_and_unknown_values_of_masks_are_reported(shapes):
    image(shapes, 'val_00000').unlink()
    image(shapes, 'val_00000').symlink_to('nowhere.jpg')
    mask = shapes / 'SegmentationClass/val_00001.png'
    write_mask(mask, np.where(read_mask(mask) > 0, 7, 0))
    found = check(shapes).findings
    assert 'val_00000.jpg cannot be read (No such file' in found['unreadable'][0]
    assert 'val_00001.png has the value 7, but classes have' in found['missing or invalid'][0]


def test_the_first_images_are_shown_as_understood(tmp_path):
    for name in 'abcd':
        Image.new('RGB', (9, 8)).save(tmp_path / f'{name}.jpg')
    (tmp_path / 'tags.csv').write_text('a.jpg,dog;?cat\nb.jpg,cat;dog\nc.jpg\nd.jpg,dog\n')
    one = {'type': 'TagFileDataset', 'data_root': str(tmp_path), 'tag_file': 'tags.csv'}
    report = check_datasets({'train': [one]}, min_images=1)
    assert report.examples == ['a.jpg: dog, ?cat', 'b.jpg: cat, dog', 'c.jpg: no tag']


def test_a_jpeg_that_lacks_a_part_may_be_damaged(shapes):
    """Decoders only warn of it, and paint the rest."""
    path = image(shapes, 'train_00001')
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + data[middle + 50 :])
    (found,) = check(shapes).findings['photo that may be damaged']
    assert found.startswith(f'{path}: Corrupt JPEG data: ')
    assert found.endswith(': look at it, or restore it.')


def test_what_is_suspicious_is_reported(shapes):
    xml = shapes / 'Annotations/train_00001.xml'
    xml.write_text(xml.read_text().replace('train_00001.jpg', 'train_00000.jpg'))
    (found,) = check(shapes).findings['suspicious annotation']
    assert 'names another photo in <filename>' in found
