from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.utils import register_all_modules

CONFIG = str(
    Path(__file__).parents[2] / 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
)


@pytest.fixture
def script(benchmark_module):
    return benchmark_module('masks_in_boxes')


@pytest.fixture
def disc():
    """An image of a red disc on grey noise, and the disc's mask."""
    mask = np.zeros((80, 120), np.uint8)
    cv2.circle(mask, (60, 40), 20, 1, -1)
    image = np.random.default_rng(0).integers(90, 130, (80, 120, 3)).astype(np.uint8)
    image[mask > 0] = (20, 20, 220)
    return image, mask > 0


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_grab_cut_finds_the_object_of_a_box_and_the_same_each_time(script, disc):
    image, mask = disc
    box = (37, 17, 84, 64)
    found = script.grab_cut(image, box)
    assert overlap(found, mask) > 0.95
    assert overlap(script.filled(box, image.shape), mask) < 0.7
    assert np.array_equal(found, script.grab_cut(image, box))


@pytest.mark.parametrize('box', [(0, 0, 120, 80), (10, 10, 11, 11), (-5, -5, 300, 300)])
def test_a_box_is_filled_where_grab_cut_has_no_background_or_too_few_pixels(script, disc, box):
    assert np.array_equal(script.grab_cut(disc[0], box), script.filled(box, disc[0].shape))


@pytest.mark.parametrize('box', [(5, 6, 5, 6), (119.7, 79.8, 140, 90), (3.4, 4.6, 7.2, 9.9)])
def test_a_box_has_at_least_one_pixel_and_none_outside_the_image(script, box):
    x1, y1, x2, y2 = script.pixel_box(box, (80, 120))
    assert 0 <= x1 < x2 <= 120
    assert 0 <= y1 < y2 <= 80


@pytest.fixture
def sources(script, disc):
    """Two boxes on an image at twice its size; class 1 has attention on the disc."""
    register_all_modules()
    model = MODELS.build(Config.fromfile(CONFIG).model)
    image, mask = disc
    large = cv2.resize(image, (240, 160))[..., ::-1].astype(np.float32) / 128 - 1
    one = Evidence(metainfo=dict(ori_shape=(80, 120), scale_factor=(2.0, 2.0)))
    one.set_metainfo(dict(img_shape=(160, 240)))
    one.image = torch.from_numpy(large.copy()).permute(2, 0, 1)
    cells = torch.from_numpy(cv2.resize(mask.astype(np.float32), (15, 10), interpolation=3))
    one.attention = Maps(torch.stack([torch.zeros(10, 15), cells * 0.6]), 16)
    one.attention.values[1, 0, 0] = 1  # the peak of the class lies elsewhere
    result = InstanceData(
        bboxes=torch.tensor([[37.0, 17.0, 84.0, 64.0], [60.0, 17.0, 84.0, 64.0]]),
        labels=torch.tensor([1, 1]),
        scores=torch.tensor([0.9, 0.8]),
        masks=torch.from_numpy(np.stack([mask, mask])),
    )
    one.batch_feats = tuple(model.eval().backbone(one.image[None].detach()))
    return script.Sources(model, one, result, image)


def test_every_source_gives_masks_of_the_image_for_all_boxes(script, sources, disc):
    image, mask = disc
    whole = sources.result
    inside = np.stack([script.filled(box, image.shape) for box in whole.bboxes.tolist()])
    for name, make in script.ROWS.items():
        sources.result = whole
        masks = make(sources)
        assert masks.dtype == torch.bool
        assert masks.shape == (2, 80, 120)
        if name != 'masks of stage 4, not refined by colour':  # its weights are random here
            assert overlap(masks[0].numpy(), mask) > 0.55, name
        if name != 'masks of stage 4':
            assert not (masks.numpy() & ~inside).any()
        sources.result = whole[:0]
        assert make(sources).shape == (0, 80, 120)


def test_attention_may_be_divided_by_its_peak_in_the_box(sources):
    attention = sources.evidence.attention.values
    attention[1, 1:] *= 0.5
    assert not sources.attention().any()
    assert sources.refined()[0].any()


def test_rows_of_several_trainings_are_in_one_file_and_the_table_has_their_medians(
    script, tmp_path
):
    path = tmp_path / 'rows.json'

    def row(name, seed, value):
        return {'row': name, 'seed': seed} | dict.fromkeys(script.COLUMNS.values(), value)

    for seed, value in enumerate((0.9, 0.2, 0.5)):
        script.add_result(row('box filled', seed, value), path)
    script.add_result(row('GrabCut from the box', 0, 0.7), path)
    rows = script.add_result(row('box filled', 0, 0.3), path)  # measured again
    assert [(one['row'], one['seed']) for one in rows] == [
        ('box filled', 1),
        ('box filled', 2),
        ('GrabCut from the box', 0),
        ('box filled', 0),
    ]
    table = script.summary_table(rows, script.COLUMNS)
    lines = [' '.join(line.split()) for line in table.splitlines()]
    assert lines[2] == '| box filled | 3 |' + ' 0.300 (0.200-0.500) |' * 8
    assert lines[3] == '| GrabCut from the box | 1 |' + ' 0.700 |' * 8
