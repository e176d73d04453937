"""Each format is read back by the libraries that use it."""

import json

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset
from mmengine.fileio import load
from PIL import Image
from pycocotools.coco import COCO

from mmlabelpenet.datasets import LoadInstanceMasks, VOCInstanceDataset
from mmlabelpenet.datasets.devkit import voc_palette
from mmlabelpenet.export import write_coco, write_voc, write_yolo
from mmlabelpenet.utils import UserError

from .conftest import CLASSES, decode, iou, labelled


def read(path):
    return cv2.imread(path)


@pytest.mark.parametrize('segmentation', ['rle', 'polygon'])
def test_pycocotools_reads_the_same_masks_boxes_and_classes(tmp_path, images, segmentation):
    path = write_coco(images, CLASSES, tmp_path / 'out', 'train', segmentation)
    assert path == tmp_path / 'out/annotations/instances_train.json'
    coco = COCO(str(path))
    assert [one['file_name'] for one in coco.loadImgs([1, 2])] == ['a.jpg', 'b.jpg']
    assert [one['name'] for one in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    assert coco.getAnnIds(imgIds=[2]) == []
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    for one, label, score, rle, box in zip(
        annotations, images[0].labels, images[0].scores, images[0].masks, images[0].boxes
    ):
        mask = decode(rle)
        assert one['category_id'] == label + 1
        assert one['score'] == pytest.approx(score, abs=1e-4)
        assert one['area'] == mask.sum()
        assert one['bbox'] == [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        assert iou(coco.annToMask(one).astype(bool), mask) == 1
    info = json.loads(path.read_text())['info']
    assert info['photo_root'] == str(tmp_path / 'photos')


@pytest.mark.parametrize('segmentation', ['rle', 'polygon'])
def test_mmdet_reads_the_coco_file_and_loads_its_masks(tmp_path, images, segmentation):
    path = write_coco(images, CLASSES, tmp_path / 'out', segmentation=segmentation)
    dataset = CocoDataset(
        ann_file=str(path),
        data_prefix=dict(img=str(tmp_path / 'photos')),
        metainfo=dict(classes=CLASSES),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=[
            dict(type='mmdet.LoadImageFromFile'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
        ],
    )
    assert len(dataset) == 1  # mmdet filters the image without instances
    loaded = dataset[0]
    assert loaded['gt_bboxes_labels'].tolist() == images[0].labels.tolist()
    np.testing.assert_allclose(loaded['gt_bboxes'].tensor.numpy(), images[0].boxes)
    for mask, rle in zip(loaded['gt_masks'].masks, images[0].masks):
        np.testing.assert_array_equal(mask.astype(bool), decode(rle))


def test_a_stage_without_masks_gives_coco_boxes(tmp_path, images):
    images[0].masks = None
    coco = COCO(str(write_coco(images, CLASSES, tmp_path / 'out')))
    assert [one['segmentation'] for one in coco.loadAnns(coco.getAnnIds())] == [[], [], []]
    assert [one['area'] for one in coco.loadAnns([2])] == [360]


def test_images_in_subfolders_keep_their_path_in_coco(tmp_path, write_image):
    paths = [write_image('x/1.jpg'), write_image('y/1.jpg')]
    path = write_coco([labelled(one, [], [], []) for one in paths], CLASSES, tmp_path / 'out')
    assert [one['file_name'] for one in COCO(str(path)).loadImgs([1, 2])] == ['x/1.jpg', 'y/1.jpg']


def test_the_data_set_of_this_package_reads_the_devkit(tmp_path, images):
    images[1].ignored_tags = [0]
    path = write_voc(images, ('dog', 'chair', 'cat'), tmp_path / 'VOC2012', read, 'train')
    assert path.read_text() == 'a\nb\n'
    dataset = VOCInstanceDataset(
        str(tmp_path / 'VOC2012'),
        supervision='full',
        metainfo=dict(classes=CLASSES),
        serialize_data=False,
    )
    first, second = dataset.data_list
    assert (first['tags'], second['tags'], second['ignored_tags']) == ([0, 1], [2], [0])
    assert (first['height'], first['width']) == (30, 40)
    labels = [one['bbox_label'] for one in first['instances']]
    boxes = [one['bbox'] for one in first['instances']]
    assert labels == images[0].labels.tolist()
    # in VOC (x2, y2) is the last pixel inside
    np.testing.assert_array_equal(boxes, images[0].boxes - [0, 0, 1, 1])
    assert (tmp_path / 'VOC2012/ImageSets/Segmentation/train.txt').read_text() == 'a\nb\n'
    # the images are the same bytes
    for name in ('a', 'b'):
        original = (tmp_path / f'photos/{name}.jpg').read_bytes()
        assert (tmp_path / f'VOC2012/JPEGImages/{name}.jpg').read_bytes() == original


def voc_maps(root, name):
    folders = ('SegmentationClass', 'SegmentationObject')
    return [Image.open(root / folder / f'{name}.png') for folder in folders]


def test_overlapping_pixels_belong_to_the_highest_score_in_the_devkit(tmp_path, images):
    write_voc(images, CLASSES, tmp_path / 'out', read)
    classes, objects = voc_maps(tmp_path / 'out', 'a')
    assert classes.mode == objects.mode == 'P'
    assert objects.getpalette()[: 3 * 21] == voc_palette()[:21].ravel().tolist()
    first, second, third = (decode(rle) for rle in images[0].masks)
    np.testing.assert_array_equal(np.asarray(objects) == 1, first)
    np.testing.assert_array_equal(np.asarray(objects) == 2, second & ~first)
    np.testing.assert_array_equal(np.asarray(classes) == 2, first | third & ~second)
    np.testing.assert_array_equal(np.asarray(classes) == 1, second & ~first)
    loaded = LoadInstanceMasks()(
        dict(
            seg_map_path=str(tmp_path / 'out/SegmentationClass/a.png'),
            instance_map_path=str(tmp_path / 'out/SegmentationObject/a.png'),
            seg_label_map=[0, 1, 2, 3],
        )
    )['gt_mask_instances']
    assert loaded.labels.tolist() == images[0].labels.tolist()


def test_an_instance_without_pixels_is_not_in_the_devkit(tmp_path, write_image):
    large = np.zeros((30, 40), dtype=bool)
    large[2:28, 2:38] = True
    small, other = np.zeros_like(large), np.zeros_like(large)
    small[5:9, 5:9] = True
    other[0:2, :] = True
    image = labelled(write_image('a.jpg'), [0, 1, 2], [0.9, 0.8, 0.7], [large, small, other])
    write_voc([image], CLASSES, tmp_path / 'out', read)
    xml = (tmp_path / 'out/Annotations/a.xml').read_text()
    assert xml.count('<object>') == 2
    assert '<name>chair</name>' not in xml
    assert sorted(np.unique(voc_maps(tmp_path / 'out', 'a')[1])) == [0, 1, 2]
    # tags are unknown: those of the image are the classes of its instances
    lists = tmp_path / 'out/ImageSets/Main'
    assert [(lists / f'{name}_train.txt').read_text() for name in CLASSES] == [
        'a  1\n',
        'a -1\n',
        'a  1\n',
    ]


def test_yolo_files_hold_classes_and_outlines(tmp_path, images):
    path = write_yolo(images, CLASSES, tmp_path / 'out', read, 'train')
    assert load(path) == {
        'train': 'images/train',
        'val': 'images/train',
        'names': {0: 'dog', 1: 'chair', 2: 'cat'},
    }
    assert (tmp_path / 'out/labels/train/b.txt').read_text() == ''
    lines = (tmp_path / 'out/labels/train/a.txt').read_text().splitlines()
    height, width = 30, 40
    for line, label, rle in zip(lines, images[0].labels, images[0].masks, strict=True):
        found, *numbers = line.split()
        assert int(found) == label
        outline = np.array(numbers, dtype=float).reshape(-1, 2)
        assert 0 <= outline.min() <= outline.max() <= 1
        # as Ultralytics rasterises it
        mask = np.zeros((height, width), np.uint8)
        corners = (outline * [width, height]).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1)
        assert iou(mask.astype(bool), decode(rle)) > 0.95
    assert (tmp_path / 'out/images/train/a.jpg').is_file()


def test_yolo_lists_all_written_splits(tmp_path, images):
    write_yolo(images, CLASSES, tmp_path / 'out', read, 'train')
    path = write_yolo(images, CLASSES, tmp_path / 'out', read, 'val')
    content = load(path)
    assert (content['train'], content['val']) == ('images/train', 'images/val')


def test_yolo_without_masks_is_refused(tmp_path, images):
    images[0].masks = None
    with pytest.raises(UserError, match='YOLO-seg needs masks'):
        write_yolo(images, CLASSES, tmp_path / 'out', read)


def test_images_other_than_plain_jpegs_are_written_as_the_model_reads_them(tmp_path, write_image):
    rotated = tmp_path / 'photos/rotated.jpg'
    image = Image.open(write_image('a.png', size=(30, 40)))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(rotated, exif=exif.tobytes(), quality=95)
    records = [labelled(path, [], [], []) for path in (tmp_path / 'photos/a.png', rotated)]
    records[1].size = (40, 30)
    write_voc(records, CLASSES, tmp_path / 'out', read)
    written = tmp_path / 'out/JPEGImages'
    assert read(str(written / 'a.jpg')).shape == (30, 40, 3)
    assert read(str(written / 'rotated.jpg')).shape == (40, 30, 3)
    with Image.open(written / 'rotated.jpg') as upright:
        assert upright.size == (30, 40)
        assert 0x0112 not in upright.getexif()


def test_a_copy_replaces_a_link(tmp_path, images):
    write_yolo(images, CLASSES, tmp_path / 'out', read, link=True)
    placed = tmp_path / 'out/images/train/a.jpg'
    assert placed.samefile(images[0].img_path)
    write_yolo(images, CLASSES, tmp_path / 'out', read)
    assert not placed.samefile(images[0].img_path)
    assert placed.read_bytes() == (tmp_path / 'photos/a.jpg').read_bytes()


def test_nothing_is_exported_over_its_own_data_set(tmp_path, write_image):
    image = labelled(write_image('VOC2012/JPEGImages/a.jpg'), [], [], [])
    with pytest.raises(UserError, match='overwrite its own data set'):
        write_voc([image], CLASSES, tmp_path / 'photos/VOC2012', read)


@pytest.mark.parametrize(
    ('classes', 'message'),
    [(('a/b',), "class 'a/b' cannot name"), (tuple(map(str, range(255))), 'not 255')],
)
def test_classes_that_do_not_fit_a_devkit_are_refused(tmp_path, images, classes, message):
    with pytest.raises(UserError, match=message):
        write_voc(images, classes, tmp_path / 'out', read)


def test_an_interrupted_export_leaves_no_partial_file_and_no_list(tmp_path, images):
    def fail(path):
        raise OSError

    images[1].img_path = str(tmp_path / 'photos/gone.png')
    with pytest.raises(OSError):  # noqa: PT011
        write_voc(images, CLASSES, tmp_path / 'out', fail)
    assert not (tmp_path / 'out/ImageSets').exists()
    assert not [path for path in (tmp_path / 'out').rglob('*') if '.tmp' in path.name]


def test_a_devkit_of_own_classes_is_read_in_any_order(tmp_path, images):
    write_voc(images, CLASSES, tmp_path / 'out', read)
    expected = [CLASSES[label] for label in images[0].labels]
    for classes in (None, CLASSES, CLASSES[::-1], ('chair',)):
        metainfo = None if classes is None else dict(classes=classes)
        dataset = VOCInstanceDataset(
            str(tmp_path / 'out'), metainfo=metainfo, supervision='full', pipeline=[]
        )
        names = dataset.metainfo['classes']
        assert names == (classes or CLASSES)
        assert len(dataset.metainfo['palette']) == len(names)
        info = dataset.get_data_info(0)
        kept = [name for name in expected if name in names]
        assert [names[one['bbox_label']] for one in info['instances']] == kept
        assert {names[label] for label in info['tags']} == {'dog', 'chair'} & set(names)
        masks = LoadInstanceMasks()(dict(info))['gt_mask_instances']
        assert [names[label] for label in masks.labels] == kept
    with pytest.raises(UserError, match=r"classes.txt has no class 'cow'"):
        VOCInstanceDataset(str(tmp_path / 'out'), metainfo=dict(classes=('cow',)), pipeline=[])


def test_coco_links_its_images_below_images_and_a_smaller_export_removes_them(
    tmp_path, write_image
):
    paths = [write_image('x/1.jpg'), write_image('y/2.png')]
    records = [labelled(one, [], [], []) for one in paths]
    out = tmp_path / 'out'
    coco = COCO(str(write_coco(records, CLASSES, out, read=read)))
    assert [one['file_name'] for one in coco.loadImgs([1, 2])] == ['x/1.jpg', 'y/2.png']
    assert coco.dataset['info']['photo_root'] == str(tmp_path / 'photos')
    for name, path in zip(('x/1.jpg', 'y/2.png'), paths):
        assert (out / 'images/train' / name).samefile(path)
        assert not (out / 'images/train' / name).is_symlink()
    write_coco(records[:1], CLASSES, out, read=read)
    assert [one.name for one in (out / 'images/train').iterdir()] == ['1.jpg']
    write_coco(records, CLASSES, out)
    assert not (out / 'images').exists()


def test_yolo_keeps_suffixes_that_readers_know(tmp_path, write_image):
    names = ('a.jpeg', 'b.png', 'c.bmp')
    write_yolo([labelled(write_image(one), [], [], []) for one in names], CLASSES, tmp_path, read)
    found = sorted(path.name for path in (tmp_path / 'images/train').iterdir())
    assert found == ['a.jpeg', 'b.png', 'c.jpg']
    copy, original = tmp_path / 'images/train/b.png', tmp_path / 'photos/b.png'
    assert copy.read_bytes() == original.read_bytes()
    assert (tmp_path / 'classes.txt').read_text() == 'dog\nchair\ncat\n'


def test_an_instance_that_is_hardly_visible_is_left_out_and_uncovers_others(tmp_path, write_image):
    first, second, third = (np.zeros((30, 40), dtype=bool) for _ in range(3))
    first[:, :20] = True
    second[:, 1:22] = True  # a tenth of it is seen
    third[:, 20:30] = True
    image = labelled(write_image('a.jpg'), [0, 1, 2], [0.9, 0.8, 0.7], [first, second, third])
    write_voc([image], CLASSES, tmp_path / 'all', read)
    assert sorted(np.unique(voc_maps(tmp_path / 'all', 'a')[1])) == [0, 1, 2, 3]
    write_voc([image], CLASSES, tmp_path / 'out', read, min_visible=0.2)
    objects = np.asarray(voc_maps(tmp_path / 'out', 'a')[1])
    np.testing.assert_array_equal(objects == 2, third)
    assert (tmp_path / 'out/Annotations/a.xml').read_text().count('<object>') == 2


def test_the_label_map_has_vocs_colours(tmp_path, images):
    write_voc(images, CLASSES, tmp_path, read)
    lines = (tmp_path / 'labelmap.txt').read_text().splitlines()[1:]
    assert lines == ['background:0,0,0::', 'dog:128,0,0::', 'chair:0,128,0::', 'cat:128,128,0::']
