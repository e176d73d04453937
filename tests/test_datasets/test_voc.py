import os

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.utils import UserError

XML = """<annotation><size><width>30</width><height>20</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult>
<bndbox><xmin>1</xmin><ymin>3</ymin><xmax>10.4</xmax><ymax>20</ymax></bndbox></object>
<object><name>dog</name><difficult>1</difficult>
<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></object>
</annotation>"""
CAT, DOG = 7, 11


@pytest.fixture
def devkit(tmp_path):
    """Three images: a cat with a difficult dog, a dog, and one without any tag."""
    root = tmp_path / 'VOCdevkit' / 'VOC2007'
    lists = root / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    (root / 'JPEGImages').mkdir()
    (root / 'Annotations').mkdir()
    ids = ['000005', '000007', '000009']
    (lists / 'trainval.txt').write_text('\n'.join(ids) + '\n\n')
    marks = {'cat': (1, -1, -1), 'dog': (0, 1, -1)}
    for name in VOCInstanceDataset.METAINFO['classes']:
        rows = zip(ids, marks.get(name, (-1, -1, -1)))
        (lists / f'{name}_trainval.txt').write_text(''.join(f'{i} {m:2d}\n' for i, m in rows))
    for img_id in ids:
        Image.new('RGB', (30, 20)).save(root / 'JPEGImages' / f'{img_id}.jpg')
        (root / 'Annotations' / f'{img_id}.xml').write_text(XML)
    return root


def load(root, **kwargs):
    return VOCInstanceDataset(
        data_root=str(root), ann_file='ImageSets/Main/trainval.txt', **kwargs
    )


def test_tags_come_from_the_class_lists_and_no_image_is_dropped(devkit):
    dataset = load(devkit)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [info['img_id'] for info in infos] == ['000005', '000007', '000009']
    assert [info['tags'] for info in infos] == [[CAT], [DOG], []]
    assert [info['ignored_tags'] for info in infos] == [[DOG], [], []]
    assert dataset.get_cat_ids(1) == [DOG]


def test_without_supervision_only_the_list_of_the_split_is_read(devkit):
    for path in (devkit / 'ImageSets' / 'Main').glob('*_trainval.txt'):
        path.unlink()
    info = load(devkit, supervision='none').get_data_info(0)
    assert info['tags'] == info['ignored_tags'] == []
    assert 'instances' not in info


def test_a_line_without_a_mark_is_named(devkit):
    (devkit / 'ImageSets/Main/cat_trainval.txt').write_text('000005 1\n000007\n')
    with pytest.raises(UserError, match=r'cat_trainval\.txt does not mark 000007 by 1, 0 or -1'):
        load(devkit)


def test_tag_supervision_has_only_tags(devkit):
    known = {'img_id', 'img_path', 'dataset_name', 'num_classes', 'tags', 'ignored_tags'}
    assert set(load(devkit, serialize_data=False).data_list[0]) == known


def test_the_folder_names_the_data_set_even_with_a_trailing_slash(devkit):
    assert load(f'{devkit}/').get_data_info(0)['dataset_name'] == 'VOC2007'


def test_boxes_become_zero_based_and_difficult_ones_are_flagged(devkit):
    info = load(devkit, supervision='full').get_data_info(0)
    assert (info['width'], info['height']) == (30, 20)
    assert info['instances'] == [
        {'bbox': [0.0, 2.0, pytest.approx(9.4), 19.0], 'bbox_label': CAT, 'ignore_flag': 0},
        {'bbox': [4.0, 4.0, 5.0, 5.0], 'bbox_label': DOG, 'ignore_flag': 1},
    ]
    assert 'seg_map_path' not in info


def test_mask_paths_exist_if_both_pngs_do(devkit):
    for folder in ('SegmentationClass', 'SegmentationObject'):
        (devkit / folder).mkdir()
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(devkit / folder / '000005.png')
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(devkit / 'SegmentationClass/000007.png')
    dataset = load(devkit, supervision='full')
    info = dataset.get_data_info(0)
    assert info['instance_map_path'].endswith('SegmentationObject/000005.png')
    assert info['seg_map_path'].endswith('SegmentationClass/000005.png')
    assert info['seg_label_map'] == list(range(21))
    assert 'instance_map_path' not in dataset.get_data_info(1)


def test_a_subset_of_classes_renumbers_labels_and_palette(devkit):
    dataset = load(devkit, supervision='full', metainfo={'classes': ('dog', 'bus')})
    info = dataset.get_data_info(0)
    palette = dict(zip(*(VOCInstanceDataset.METAINFO[key] for key in ('classes', 'palette'))))
    assert dataset.metainfo['palette'] == [palette['dog'], palette['bus']]
    assert dataset.get_data_info(1)['tags'] == [0]
    assert (info['tags'], info['ignored_tags'], info['num_classes']) == ([], [0], 2)
    assert [obj['bbox_label'] for obj in info['instances']] == [0]
    assert len(dataset) == 3


def test_an_image_in_no_class_list_has_no_tags(devkit):
    Image.new('RGB', (30, 20)).save(devkit / 'JPEGImages' / '000010.jpg')
    with open(devkit / 'ImageSets' / 'Main' / 'trainval.txt', 'a') as file:
        file.write('000010\n')
    assert load(devkit).get_data_info(3)['tags'] == []


@pytest.mark.parametrize(
    ('missing', 'message'),
    [
        ('', r'no data set at .*VOC2007: unpack'),
        (
            'ImageSets/Main/trainval.txt',
            r'trainval\.txt cannot be read as a list .*unpack',
        ),
        ('ImageSets/Main/cat_trainval.txt', r'cat_trainval\.txt cannot be read as a list'),
        ('JPEGImages/000007.jpg', r'photo .*000007\.jpg is missing \(1 of 3'),
        ('Annotations/000007.xml', r'000007\.xml cannot be read as a VOC annotation'),
    ],
)
def test_missing_files_are_named(devkit, missing, message):
    os.rename(devkit / missing, devkit.parent / 'elsewhere')
    with pytest.raises(UserError, match=message):
        load(devkit, supervision='full')


@pytest.mark.parametrize(
    'text',
    ['<annotation', '<annotation></annotation>', XML.replace('<xmin>5</xmin>', ''), '\x01\x02'],
)
def test_a_damaged_annotation_is_named(devkit, text):
    (devkit / 'Annotations' / '000007.xml').write_text(text)
    with pytest.raises(UserError, match=r'000007\.xml cannot be read as a VOC annotation'):
        load(devkit, supervision='full')


def test_unknown_supervision_and_class_are_refused(devkit):
    with pytest.raises(UserError, match='none, tags, full'):
        load(devkit, supervision='boxes')
    with pytest.raises(UserError, match="no class 'unicorn'"):
        load(devkit, metainfo={'classes': ('cat', 'unicorn')})


@pytest.mark.parametrize('name', ['Cat', ' cat ', 'cat\n', '\n\tCAT'])
def test_names_of_objects_are_read_without_case_and_blanks(devkit, name):
    path = devkit / 'Annotations' / '000007.xml'
    path.write_text(XML.replace('<name>cat<', f'<name>{name}<'))
    labels = [one['bbox_label'] for one in load(devkit, supervision='full')[1]['instances']]
    assert labels == [CAT, DOG]


def test_a_class_that_a_config_leaves_out_is_no_unknown_name(devkit):
    info = load(devkit, supervision='full', metainfo={'classes': ('dog',)}).get_data_info(0)
    assert [one['bbox_label'] for one in info['instances']] == [0]


def test_lists_may_begin_with_a_byte_order_mark(devkit):
    path = devkit / 'ImageSets/Main/trainval.txt'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert load(devkit).get_data_info(0)['img_id'] == '000005'


def warnings_of(devkit, **kwargs):
    """What is said at load, without the classes that have no photo."""
    return [one for one in load(devkit, **kwargs).warnings if 'has no photo of' not in one]


def change(devkit, img_id, *changes):
    path = devkit / f'Annotations/{img_id}.xml'
    for old, new in changes:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def agreeing(devkit):
    """The XML files have the objects of the lists."""
    cat, dog = XML.index('<object><name>cat'), XML.index('<object><name>dog')
    change(devkit, '000007', (XML[cat:dog], ''))
    change(devkit, '000009', (XML[cat:-13], ''))
    assert warnings_of(devkit, supervision='full') == []
    return devkit


@pytest.mark.parametrize('name', ['000007.jpg', '000007', 'C:\\x\\000007.JPG', '', '000007.png'])
def test_the_name_in_an_xml_may_have_a_folder_and_any_suffix(agreeing, name):
    change(agreeing, '000007', ('<size>', f'<filename>{name}</filename><size>'))
    assert warnings_of(agreeing, supervision='full') == []


def test_an_xml_that_names_another_image_is_said_once(agreeing):
    for img_id in ('000007', '000009'):
        change(agreeing, img_id, ('<size>', '<filename>000005.jpg</filename><size>'))
    (found,) = warnings_of(agreeing, supervision='full')
    assert 'another photo in <filename>' in found
    assert '2 in all, such as' in found
    assert '000007.xml: 000005.jpg)' in found


def test_classes_that_differ_between_xml_and_lists_are_said(agreeing):
    change(agreeing, '000005', ('>cat<', '>cow<'))
    (found,) = warnings_of(agreeing, supervision='full')
    assert '1 in all, such as 000005: cow is in only the XML' in found
    assert warnings_of(agreeing) == []


def test_an_image_that_lists_of_classes_lack_is_said(agreeing):
    path = agreeing / 'ImageSets/Main/cow_trainval.txt'
    path.write_text('000005 -1\n000007 -1\n')
    (found,) = warnings_of(agreeing)
    assert '1 in all, such as' in found
    assert 'cow_trainval.txt, which lacks 000009)' in found
    assert warnings_of(agreeing, supervision='none') == []


def test_boxes_that_end_slightly_beyond_the_image_are_clipped_and_said(agreeing):
    """A fraction of a pixel, as VOC has, changes nothing."""
    change(agreeing, '000005', ('<xmin>1<', '<xmin>0<'), ('<ymax>20<', '<ymax>22<'))
    change(agreeing, '000007', ('<xmin>5<', '<xmin>0.3<'))
    dataset = load(agreeing, supervision='full')
    assert dataset[0]['instances'][0]['bbox'] == [0, 2, pytest.approx(9.4), 19]
    assert dataset[1]['instances'][0]['bbox'] == [pytest.approx(-0.7), 4, 5, 5]
    (found,) = warnings_of(agreeing, supervision='full')
    assert '1 in all, such as a box from (0, 3) to (10.4, 22) in' in found
    assert 'count pixels from 0, add 1' in found


def test_classes_without_an_image_are_said_in_training_once(devkit, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    for _ in range(2):
        load(devkit)
    logger.removeHandler(caplog.handler)
    assert caplog.text.count('has no photo of 18 of 20 classes (such as aeroplane): add') == 1
    assert load(devkit, test_mode=True).warnings == []
    assert load(devkit, metainfo={'classes': ('cat', 'dog')}).warnings == []


def test_indices_choose_images(devkit):
    assert [one['img_id'] for one in load(devkit, indices=[2, 0])] == ['000009', '000005']
    assert len(load(devkit, indices=2, filter_cfg={'filter_empty_gt': False})) == 2


@pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='VOC12MINI_ROOT is not set')
def test_real_devkit_counts():
    root = os.path.join(os.environ['VOC12MINI_ROOT'], 'VOCdevkit', 'VOC2012')
    train = VOCInstanceDataset(data_root=root)
    val = VOCInstanceDataset(data_root=root, ann_file='ImageSets/Main/val.txt', supervision='full')
    assert (len(train), len(val)) == (1009, 240)
    assert train.warnings == val.warnings == []
    infos = [val.get_data_info(index) for index in range(len(val))]
    for info in infos:
        assert info['tags'] == sorted({obj['bbox_label'] for obj in info['instances']})
        assert 'instance_map_path' in info


@pytest.mark.parametrize(
    ('mark', 'said'),
    [
        ('<Difficult>1</Difficult>', 'a mark that is not read (1 in all, such as Difficult=1 in'),
        ('<iscrowd>1</iscrowd>', 'a mark that is not read (1 in all, such as iscrowd=1 in'),
        ('<deleted>true</deleted>', 'a mark that is not read (1 in all, such as deleted=true in'),
        (
            '<attributes><attribute><name>rotation</name><value>45.0</value></attribute>'
            '</attributes>',
            'A box is rotated (1 in all, such as rotation=45.0 in',
        ),
    ],
)
def test_marks_that_are_not_read_are_said(agreeing, mark, said):
    change(agreeing, '000005', ('<name>cat</name>', f'<name>cat</name>{mark}'))
    (found,) = warnings_of(agreeing, supervision='full')
    assert said in found


@pytest.mark.parametrize(
    'mark',
    [
        '<Difficult>0</Difficult><truncated>1</truncated><occluded>1</occluded>',
        '<attributes><attribute><name>rotation</name><value>0.0</value></attribute></attributes>',
    ],
)
def test_marks_that_say_nothing_are_not_said(agreeing, mark):
    change(agreeing, '000005', ('<name>cat</name>', f'<name>cat</name>{mark}'))
    assert warnings_of(agreeing, supervision='full') == []


def test_a_photo_that_is_listed_twice_is_said(agreeing):
    path = agreeing / 'ImageSets/Main/trainval.txt'
    path.write_text(path.read_text() + '000007\n')
    (found,) = warnings_of(agreeing)
    assert 'A list has a photo twice (1 in all, such as 000007 in' in found


def test_a_class_that_the_lists_ignore_and_the_xml_does_not_is_said(agreeing):
    change(agreeing, '000005', ('<difficult>1', '<difficult>0'))
    (found,) = warnings_of(agreeing, supervision='full')
    assert '000005: dog is in the XML without difficult=1, but marked 0 in the lists' in found
