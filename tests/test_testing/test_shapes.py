import numpy as np
import pytest
from PIL import Image

from mmlabelpenet.datasets import ShapesDataset
from mmlabelpenet.testing import draw_scene, make_scene, make_shapes, shape_scene
from mmlabelpenet.testing.shape_objects import CLASSES, draw_coverage, random_outline
from mmlabelpenet.testing.shape_scene import DIAMETERS, visible_fractions
from mmlabelpenet.testing.shapes import MARKER
from mmlabelpenet.utils import UserError

SIZES = (96, 112)


@pytest.fixture
def shapes(tmp_path):
    make_shapes(tmp_path / 'Shapes', num_train=4, num_val=2, seed=1, image_size=(64, 80))
    return tmp_path / 'Shapes'


@pytest.fixture(scope='module')
def scenes():
    return [make_scene(0, 'train', index, SIZES) for index in range(60)]


def files_of(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob('*.*')}


def test_images_depend_only_on_the_seed(shapes, tmp_path):
    again, other = tmp_path / 'b', tmp_path / 'c'
    make_shapes(again, num_train=4, num_val=2, seed=1, image_size=(64, 80))
    make_shapes(other, num_train=4, num_val=2, seed=2, image_size=(64, 80))
    image = 'JPEGImages/train_00000.jpg'
    assert files_of(shapes) == files_of(again)
    assert (shapes / image).read_bytes() != (other / image).read_bytes()


def test_more_images_do_not_change_the_first_ones(shapes, tmp_path):
    make_shapes(tmp_path / 'more', num_train=5, num_val=2, seed=1, image_size=(64, 80))
    for name in ('JPEGImages/train_00003.jpg', 'SegmentationObject/val_00001.png'):
        assert (tmp_path / 'more' / name).read_bytes() == (shapes / name).read_bytes()


def test_a_finished_data_set_is_kept_and_an_interrupted_one_regenerated(shapes):
    image = shapes / 'JPEGImages' / 'train_00000.jpg'
    whole = image.read_bytes()
    image.write_bytes(b'touched')
    assert not make_shapes(shapes, 4, 2, seed=1, image_size=(64, 80))
    assert image.read_bytes() == b'touched'
    (shapes / MARKER).unlink()
    assert make_shapes(shapes, 4, 2, seed=1, image_size=(64, 80))
    assert image.read_bytes() == whole
    assert make_shapes(shapes, 4, 2, seed=3, image_size=(64, 80))


def test_masks_fill_about_half_of_their_boxes(scenes):
    ratios = []
    for scene in scenes:
        for index, (x1, y1, x2, y2) in enumerate(scene.boxes()):
            ratios.append((scene.instance_map == index + 1).sum() / ((x2 - x1) * (y2 - y1)))
    assert 0.4 < np.mean(ratios) < 0.6


def test_images_have_one_to_four_objects_of_few_classes(scenes):
    counts = [len(scene.labels) for scene in scenes]
    num_classes = [len(set(scene.labels)) for scene in scenes]
    assert set(counts) == {1, 2, 3, 4}
    assert 1.4 < np.mean(num_classes) < 2
    assert max(num_classes) <= 3
    assert {label for scene in scenes for label in scene.labels} == set(range(len(CLASSES)))


def test_every_object_is_visible_and_some_occlude_others(scenes):
    touching = 0
    for scene in scenes:
        visible = np.bincount(scene.instance_map.ravel(), minlength=len(scene.labels) + 1)[1:]
        assert (visible >= 15).all()
        boxes = scene.boxes()
        first, second = boxes[:, None], boxes[None]
        sides = np.minimum(first, second)[..., 2:] - np.maximum(first, second)[..., :2]
        touching += bool(np.triu((sides > 0).all(axis=-1), 1).any())
    assert touching >= 10


def test_sizes_differ_within_their_range(scenes):
    sides = []
    for scene in scenes:
        boxes = scene.boxes()
        longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        sides.extend(longer / min(scene.img.shape[:2]))
    assert min(sides) < 0.25
    assert 0.5 < max(sides) < DIAMETERS[1] + 0.03


@pytest.mark.parametrize('name', CLASSES)
def test_outlines_have_the_requested_diameter(name):
    polygons = random_outline(name, 50, np.random.default_rng(5))
    extent = polygons[0].max(axis=0) - polygons[0].min(axis=0)
    assert extent.max() == pytest.approx(50)
    coverage = draw_coverage(polygons, np.array([40, 40]), (80, 80))
    assert coverage.max() == 1
    assert ((coverage > 0) & (coverage < 1)).any()


def test_a_ring_has_a_hole():
    polygons = random_outline('ring', 50, np.random.default_rng(5))
    assert draw_coverage(polygons, np.array([40, 40]), (80, 80))[40, 40] == 0


def test_masks_follow_the_order_of_the_xml_in_colours_of_voc(shapes):
    dataset = ShapesDataset(data_root=str(shapes), supervision='full')
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        with Image.open(info['instance_map_path']) as image:
            assert image.mode == 'P'
            assert image.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
            ids = np.asarray(image)
        with Image.open(info['seg_map_path']) as image:
            classes = np.asarray(image)
        for number, instance in enumerate(info['instances'], start=1):
            rows, columns = np.nonzero(ids == number)
            tight = [columns.min(), rows.min(), columns.max(), rows.max()]
            assert instance['bbox'] == tight
            assert set(classes[ids == number]) == {instance['bbox_label'] + 1}


def test_later_objects_and_the_border_occlude():
    whole, right = np.zeros((2, 10, 10))
    whole[:, :] = 1
    right[:, 6:] = 1
    # The second object covers four of the first's ten columns; half of it is outside.
    np.testing.assert_allclose(visible_fractions([whole, right], [100, 80]), [0.6, 0.5])


def test_an_object_that_would_occlude_another_is_left_out(monkeypatch):
    everywhere = np.ones(SIZES, dtype=np.float32)
    monkeypatch.setattr(shape_scene, 'draw_coverage', lambda *args: everywhere)
    monkeypatch.setattr(shape_scene, 'full_area', lambda polygons: float(everywhere.size))
    for seed in range(5):
        scene = draw_scene(SIZES, np.random.default_rng(seed))
        assert len(scene.labels) == 1
        assert (scene.instance_map == 1).all()


@pytest.mark.parametrize(
    'wrong', [{'num_train': -1}, {'seed': -1}, {'image_size': (80, 64)}, {'image_size': (8, 8)}]
)
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match='Shapes needs counts'):
        make_shapes(tmp_path, **{'num_train': 1, 'num_val': 1, **wrong})
