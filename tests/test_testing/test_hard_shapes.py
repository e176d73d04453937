import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmlabelpenet.datasets import HardShapesDataset
from mmlabelpenet.testing import draw_hard_scene, make_scene, make_shapes, shape_hard
from mmlabelpenet.testing.shape_hard import Placed, dominant_place, draw_ground, paint_object
from mmlabelpenet.testing.shape_objects import CLASSES, draw_coverage, random_outline
from mmlabelpenet.testing.shapes import MARKER

SIZES = (96, 112)
TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/make_shapes.py'


@pytest.fixture(scope='module')
def scenes():
    return [make_scene(0, 'train', index, SIZES, hard=True) for index in range(60)]


def touching_pairs(scene):
    """Number of pairs of a class whose visible parts are neighbours."""
    masks = [scene.instance_map == value + 1 for value in range(len(scene.labels))]
    grown = [cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) for mask in masks]
    return sum(
        label == other and bool((grown[i] & masks[j]).any())
        for i, label in enumerate(scene.labels)
        for j, other in enumerate(scene.labels[:i])
    )


def test_half_of_the_images_have_a_touching_pair_of_a_class(scenes):
    with_pair = [touching_pairs(scene) > 0 for scene in scenes]
    plain = [touching_pairs(make_scene(0, 'train', index, SIZES)) > 0 for index in range(60)]
    assert np.mean(with_pair) > 0.5
    assert np.mean(with_pair) > 1.7 * np.mean(plain)  # where some touch by chance


def test_objects_are_few_and_visible(scenes):
    assert {len(scene.labels) for scene in scenes} >= {1, 2, 3, 4}
    assert max(len(scene.labels) for scene in scenes) <= 6
    assert {label for scene in scenes for label in scene.labels} == set(range(len(CLASSES)))
    for scene in scenes:
        visible = np.bincount(scene.instance_map.ravel(), minlength=len(scene.labels) + 1)[1:]
        assert (visible >= 10).all()


def test_a_ground_comes_with_its_class_and_seldom_alone(monkeypatch):
    drawn = []
    monkeypatch.setattr(shape_hard, 'draw_ground', lambda img, name, *args: drawn.append(name))
    with_class, alone, without = 0, 0, 0
    for seed in range(150):
        drawn.clear()
        names = {
            CLASSES[one] for one in draw_hard_scene((64, 64), np.random.default_rng(seed)).labels
        }
        for name in shape_hard.GROUND_PATTERNS:
            with_class += name in drawn and name in names
            alone += name in drawn and name not in names
            without += name not in drawn and name in names
    assert 0.75 < with_class / (with_class + without) < 0.95
    assert 0 < alone < 0.15 * with_class


def test_a_ground_lies_around_its_objects():
    img: np.ndarray = np.zeros((100, 200, 3), dtype=np.float32)
    objects = [Placed(0, 30.0, np.array([x, 50.0]), np.zeros((100, 200)), 1.0) for x in (80, 110)]
    draw_ground(img, 'star', objects, np.random.default_rng(0))
    rows, columns = np.nonzero(img.any(2))
    assert rows.min() < 59 < rows.max()
    assert columns.min() < 70
    assert columns.max() > 120
    assert len(rows) < 0.6 * 100 * 200


def test_the_pattern_of_the_class_is_in_one_part_alone(monkeypatch):
    monkeypatch.setattr(shape_hard, 'dominant_place', lambda *args: (20, 40))
    rng = np.random.default_rng(3)
    outline = random_outline('ring', 90, rng)[:1]  # without its hole
    centre = np.array([60.0, 60.0])
    coverage = draw_coverage(outline, centre, (120, 120))
    one = Placed(CLASSES.index('ring'), 90.0, centre, coverage, 1.0)
    img: np.ndarray = np.zeros((120, 120, 3), dtype=np.float32)
    paint_object(img, one, rng)
    rows, columns = np.nonzero(coverage > 0.99)
    left, top = columns.min(), rows.min()
    distance = np.hypot(columns - left - 20, rows - top - 40) / 90
    edges = np.abs(cv2.Laplacian(img, cv2.CV_32F)).mean(2)[rows, columns]
    assert edges[distance < 0.2].mean() > 3 * edges[distance > 0.4].mean()


@pytest.mark.parametrize('name', CLASSES)
def test_the_main_part_lies_inside_at_one_end(name):
    rng = np.random.default_rng(1)
    coverage = draw_coverage(random_outline(name, 60, rng), np.array([40, 40]), (80, 80))
    places = np.array([dominant_place(coverage, rng) for _ in range(12)])
    assert (coverage[places[:, 1], places[:, 0]] > 0.5).all()
    assert len(np.unique(places, axis=0)) > 1


def test_hard_images_are_other_ones_in_a_folder_that_says_so(tmp_path):
    settings = dict(num_train=2, num_val=1, image_size=(64, 80))
    for name, hard in (('plain', False), ('hard', True), ('again', True)):
        assert make_shapes(tmp_path / name, **settings, hard=hard)
    image = 'JPEGImages/train_00000.jpg'
    plain, hard, again = (
        (tmp_path / one / image).read_bytes() for one in ('plain', 'hard', 'again')
    )
    assert plain != hard
    assert hard == again
    assert 'hard' not in json.loads((tmp_path / 'plain' / MARKER).read_text())
    assert json.loads((tmp_path / 'hard' / MARKER).read_text())['hard']
    assert not make_shapes(tmp_path / 'hard', **settings, hard=True)
    dataset = HardShapesDataset(data_root=str(tmp_path / 'hard'), supervision='full')
    assert len(dataset) == 2
    assert dataset.get_data_info(0)['instances']


def test_the_tool_has_a_folder_for_each_kind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location('make_shapes_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for args in ([], ['--hard']):
        tool.main([*args, '--num-train', '1', '--num-val', '1', '--image-size', '48', '64'])
    assert (tmp_path / 'data/shapes/HardShapes' / MARKER).is_file()
    assert capsys.readouterr().out.splitlines()[1].startswith('data/shapes/HardShapes: made 1 + 1')
