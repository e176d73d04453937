"""The layout of a devkit, byte by byte."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from mmlabelpenet.datasets.devkit import (
    annotation_element,
    devkit_classes,
    object_element,
    read_mask,
    voc_palette,
    write_annotation,
    write_lists,
    write_masks,
)
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import UserError

SHAPES_XML = """<annotation>
<folder>Shapes</folder><filename>train_00001.jpg</filename>
<size><width>78</width><height>93</height><depth>3</depth></size>
<segmented>1</segmented>
<object><name>ring</name><difficult>0</difficult><bndbox><xmin>44</xmin><ymin>3</ymin>\
<xmax>59</xmax><ymax>20</ymax></bndbox></object>
</annotation>
"""
EXPORTED_XML = """<annotation>
  <folder>VOC2012</folder>
  <filename>a.jpg</filename>
  <size>
    <width>40</width>
    <height>32</height>
    <depth>3</depth>
  </size>
  <segmented>0</segmented>
  <object>
    <name>chäir &amp; co</name>
    <difficult>0</difficult>
    <score>0.19961</score>
    <bndbox>
      <xmin>10</xmin>
      <ymin>1</ymin>
      <xmax>18</xmax>
      <ymax>8</ymax>
    </bndbox>
  </object>
</annotation>"""


def text_of(path):
    return path.read_bytes().decode('utf-8')


def test_generated_annotations_have_a_line_per_object(tmp_path):
    make_shapes(tmp_path / 'Shapes', num_train=2, num_val=1, image_size=(64, 96))
    assert text_of(tmp_path / 'Shapes/Annotations/train_00001.xml') == SHAPES_XML
    assert text_of(tmp_path / 'Shapes/ImageSets/Main/ring_train.txt').endswith('train_00001  1\n')
    assert text_of(tmp_path / 'Shapes/ImageSets/Main/star_val.txt') == 'val_00000 -1\n'


def test_exported_annotations_are_indented_utf_8(tmp_path):
    objects = [object_element('chäir & co', (9, 0, 18, 8), np.float32(0.19961))]
    root = annotation_element('VOC2012', 'a', (32, 40), objects, segmented=False)
    ET.indent(root)
    write_annotation(tmp_path, 'a', root)
    assert text_of(tmp_path / 'Annotations/a.xml') == EXPORTED_XML


@pytest.mark.parametrize('segmented', [True, False])
def test_lists_mark_presence_absence_and_doubt(tmp_path, segmented):
    tags, ignored = {'b': {'dog'}, 'a': ()}, {'a': {'dog', 'cat'}, 'b': {'dog'}}
    path = write_lists(tmp_path, 'val', tags, ('dog', 'cat'), ignored, segmented)
    main = tmp_path / 'ImageSets/Main'
    assert path == main / 'val.txt'
    assert text_of(path) == 'b\na\n'
    assert text_of(main / 'dog_val.txt') == 'b  1\na  0\n'
    assert text_of(main / 'cat_val.txt') == 'b -1\na  0\n'
    assert (tmp_path / 'ImageSets/Segmentation/val.txt').exists() == segmented


def test_masks_come_back_with_the_palette_of_voc(tmp_path):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_masks(tmp_path, 'a', values, 255 - values)
    np.testing.assert_array_equal(read_mask(tmp_path / 'SegmentationClass/a.png'), values)
    np.testing.assert_array_equal(read_mask(tmp_path / 'SegmentationObject/a.png'), 255 - values)
    with Image.open(tmp_path / 'SegmentationClass/a.png') as image:
        assert image.mode == 'P'
        assert image.getpalette()[:36] == voc_palette()[:12].ravel().tolist()


def test_a_damaged_mask_is_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'nonsense')
    with pytest.raises(UserError, match=r'a\.png cannot be read as a mask'):
        read_mask(tmp_path / 'a.png')


def test_the_palette_is_that_of_voc():
    assert voc_palette()[[1, 15, 20, 255]].tolist() == [
        [128, 0, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]


def test_a_devkit_of_own_classes_is_read_by_its_list(tmp_path):
    (tmp_path / 'ImageSets/Main').mkdir(parents=True)
    assert devkit_classes(tmp_path) is None
    path = tmp_path / 'ImageSets/classes.txt'
    path.write_text('Stern\nrotes Haus\n\n', encoding='utf-8')
    assert devkit_classes(tmp_path) == ('Stern', 'rotes Haus')
    for text in ('', 'a\na\n'):
        path.write_text(text)
        with pytest.raises(UserError, match='cannot be read as a list of classes'):
            devkit_classes(tmp_path)
