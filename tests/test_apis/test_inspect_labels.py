import re

import pytest
from mmengine.config import Config

from .conftest import REPOSITORY

TOOL = 'tools/analysis_tools/inspect_labels'


@pytest.fixture
def inspect(tool, checkpoint, proposals, config, tmp_path):
    """Run the tool; returns the text of the page."""

    def run(*args, config=config):
        out = tmp_path / 'out'
        options = ('--out', out, '--work-dir', tmp_path / 'work', '--width', 64, '--score-thr', 0)
        tool(TOOL, config, checkpoint, *options, *args)
        return (out / 'index.html').read_text()

    return run


def titles(page):
    return re.findall(r'<figcaption><b>(.+?)</b>', page)


def test_every_training_image_shows_its_way_and_its_errors(inspect, images, capsys):
    page = inspect()
    found = re.findall(r'data-name="(.+?)"', page)
    assert sorted(found) == [image.stem for image in images]
    assert f'{len(images)} photos are in' in capsys.readouterr().out
    way = ['photo', 'proposals', 'attention', 'pseudo boxes', 'pseudo masks', 'result']
    assert titles(page) == [*way, 'ground truth'] * len(images)
    assert 'name="error"' in page


def test_labels_of_the_way_back_are_shown(inspect):
    page = inspect('--max-images', 1, '--cfg-options', 'model.calibration.mode=full')
    assert titles(page)[5:] == ['validated', 'result', 'ground truth']
    assert '<th>validated labels</th>' in page


def test_images_with_tags_alone_have_no_errors(inspect, config, tmp_path):
    cfg = Config.fromfile(config)
    cfg.pop('corloc_dataloader')
    cfg.pop('corloc_evaluator', None)
    cfg.dump(str(tmp_path / 'tags.py'))
    page = inspect('--max-images', 1, config=tmp_path / 'tags.py')
    assert 'ground truth' not in titles(page)
    assert 'name="error"' not in page


def test_a_split_can_be_named(inspect, shapes):
    page = inspect('--split', 'val', '--max-images', 1)
    assert re.findall(r'data-name="(.+?)"', page) == ['val_00000']


def test_a_model_without_cascade_is_refused(tool, tmp_path, capsys):
    base = REPOSITORY / 'configs/pseudo_label/mask-rcnn_effnet-lite0_coco-export.py'
    config = tmp_path / 'plain.py'
    model = dict(roi_head=dict(bbox_head=dict(num_classes=2), mask_head=dict(num_classes=2)))
    config.write_text(f'_base_ = {str(base)!r}\nclasses_from_data = False\nmodel = {model}\n')
    with pytest.raises(SystemExit):
        tool(TOOL, config, 'gone.pth', '--out', tmp_path / 'out')
    assert 'has no cascade' in capsys.readouterr().err
