import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mmlabelpenet.datasets import ShapesDataset
from mmlabelpenet.evaluation import format_metrics, write_metrics

from .test_train_tool import expect_error
from .toy_model import ToyDetector


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'toy.pth'
    torch.save({'meta': {}, 'state_dict': ToyDetector().state_dict()}, path)
    return path


def read_metrics(tmp_path):
    return json.loads((tmp_path / 'work' / 'metrics.json').read_text())


def test_without_eval_the_config_says_what_is_measured(tool, config, checkpoint, tmp_path):
    tool('test', config, checkpoint)
    assert read_metrics(tmp_path) == {'bbox_mAP_50': 1.0}


def test_eval_merges_test_and_training_images(tool, config, checkpoint, tmp_path):
    tool('test', config, checkpoint, '--eval', 'corloc', 'bbox')
    assert read_metrics(tmp_path) == {'bbox_mAP_50': 1.0, 'corloc': 1.0}


def test_show_dir_gets_one_picture_per_test_image(tool, config, checkpoint, tmp_path):
    pictures = tmp_path / 'pictures'
    tool('test', config, checkpoint, '--eval', 'bbox', 'corloc', '--show-dir', pictures)
    assert sorted(path.name for path in pictures.iterdir()) == [
        f'val_{index:05d}.png' for index in range(3)
    ]
    # image, result and ground truth: the toy's evidence has nothing else to paint
    picture = np.asarray(Image.open(pictures / 'val_00000.png'))
    assert picture.shape[1] == 14 + 3 * (320 + 14)


def test_predictions_are_dumped(tool, config, checkpoint, tmp_path):
    import pickle

    tool('test', config, checkpoint, '--out', tmp_path / 'out.pkl')
    dumped = pickle.loads((tmp_path / 'out.pkl').read_bytes())
    assert [sample['img_id'] for sample in dumped] == [f'val_{index:05d}' for index in range(3)]
    assert 'pred_instances' in dumped[0]


def test_figures_of_every_class_lie_beside_the_checkpoint(tool, config, checkpoint, tmp_path):
    tool('test', config, checkpoint, '--markdown', tmp_path / 'tables.md')
    written = json.loads((tmp_path / 'toy.metrics.json').read_text())
    assert written['checkpoint'] == str(checkpoint)
    assert written['config'] == str(config)
    assert written['figures'] == read_metrics(tmp_path)
    of_classes = written['classes']['boxes, area']['AP@0.5']
    assert list(of_classes) == list(ShapesDataset.METAINFO['classes'])
    assert set(of_classes.values()) <= {1.0, None}
    head = (tmp_path / 'tables.md').read_text().splitlines()[0]
    assert head == f'| boxes, area | {" | ".join(of_classes)} | all |'


def test_training_images_are_measured_by_any_metric(tool, config, checkpoint, tmp_path):
    blind = ('--cfg-options', 'model.blind=[train_00000,train_00001,train_00002]')
    tool('test', config, checkpoint, '--eval', 'bbox', '--split', 'train', *blind)
    written = json.loads((tmp_path / 'toy.train.metrics.json').read_text())
    assert written['figures'] == {'bbox_mAP_50': 0.0}


def test_results_for_the_server_need_no_ground_truth(tool, config, checkpoint, tmp_path, shapes):
    bare = tmp_path / 'VOC2012'
    for part in ('JPEGImages', 'ImageSets/Main'):
        (bare / part).mkdir(parents=True)
    for path in (shapes / 'JPEGImages').glob('val_*'):
        shutil.copy(path, bare / 'JPEGImages')
    names = ''.join(f'val_{index:05d}\n' for index in range(3))
    (bare / 'ImageSets/Main/test.txt').write_text(names)
    options = (
        'model.masks=True',
        f'test_dataloader.dataset.data_root={bare}',
        'test_dataloader.dataset.ann_file=ImageSets/Main/test.txt',
    )
    tool('test', config, checkpoint, '--format-only', '--cfg-options', *options)
    results = tmp_path / 'work/results/VOC2012'
    assert sorted(path.name for path in (results / 'Main').iterdir()) == sorted(
        f'comp4_det_test_{name}.txt' for name in ShapesDataset.METAINFO['classes']
    )
    maps = sorted((results / 'Segmentation/comp6_test_cls').iterdir())
    assert [path.stem for path in maps] == names.split()
    with Image.open(maps[0]) as image, Image.open(shapes / 'JPEGImages/val_00000.jpg') as photo:
        assert image.mode == 'P'
        assert image.size == photo.size
    assert not (tmp_path / 'work/metrics.json').exists()


def test_results_for_the_server_hold_what_was_found(tool, config, checkpoint, tmp_path):
    tool('test', config, checkpoint, '--format-only', '--cfg-options', 'model.guess=True')
    results = tmp_path / 'work/results/Shapes/Main'
    first, *others = (
        (results / f'comp4_det_val_{name}.txt').read_text()
        for name in ShapesDataset.METAINFO['classes']
    )
    assert first.splitlines() == [f'val_{index:05d} 0.5 3 4 11 21.5' for index in range(3)]
    assert others == [''] * 5


def test_a_stage_that_the_model_lacks_is_reported(tool, capsys, config, checkpoint):
    error = expect_error(capsys, tool, 'test', config, checkpoint, '--stage', 'detection')
    assert "has no stage 'detection'" in error


def test_an_unknown_metric_lists_the_known_ones(tool, capsys, config, checkpoint):
    error = expect_error(capsys, tool, 'test', config, checkpoint, '--eval', 'boxes')
    assert 'bbox, segm, corloc, semseg, proposal, image' in error


def test_a_stage_without_masks_is_reported(tool, capsys, config, checkpoint):
    error = expect_error(capsys, tool, 'test', config, checkpoint, '--eval', 'segm')
    assert 'leave segm out of --eval' in error


def test_a_missing_checkpoint_is_reported(tool, capsys, config):
    assert 'no checkpoint gone.pth' in expect_error(capsys, tool, 'test', config, 'gone.pth')


def test_a_cut_checkpoint_is_reported(tool, capsys, config, checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    error = expect_error(capsys, tool, 'test', config, checkpoint)
    assert 'cannot be read as a checkpoint' in error


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ({'backbone.weight': torch.zeros(1)}, '1 weights unknown (such as backbone.weight)'),
        ({'layer.weight': torch.zeros(2, 3)}, '1 weights of another shape'),
    ],
)
def test_a_checkpoint_of_another_model_is_reported(
    tool, capsys, config, checkpoint, weights, message
):
    state = {**ToyDetector().state_dict(), **weights}
    torch.save({'meta': {}, 'state_dict': state}, checkpoint)
    error = expect_error(capsys, tool, 'test', config, checkpoint)
    assert 'another model than the ToyDetector' in error
    assert message in error


def test_a_checkpoint_that_lacks_weights_is_reported(tool, capsys, config, checkpoint):
    torch.save({'meta': {}, 'state_dict': {}}, checkpoint)
    error = expect_error(capsys, tool, 'test', config, checkpoint)
    assert '2 weights missing (such as layer.bias)' in error


def test_what_is_not_measurable_is_null_in_json(tmp_path):
    write_metrics({'a': float('nan'), 'b': np.float32(0.5)}, tmp_path / 'metrics.json')
    assert json.loads((tmp_path / 'metrics.json').read_text()) == {'a': None, 'b': 0.5}


def test_the_table_has_a_line_per_figure():
    lines = format_metrics({'corloc': 0.51239}).splitlines()
    assert any(line.split() == ['|', 'corloc', '|', '0.5124', '|'] for line in lines)
