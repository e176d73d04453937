"""Classes of checkpoints and data sets agree by name."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from mmlabelpenet.apis import LabelPEnetInferencer, evaluate_detector, train_detector
from mmlabelpenet.apis.classes import (
    checkpoint_classes,
    class_difference,
    unify_tested_classes,
    unify_trained_classes,
)
from mmlabelpenet.apis.exporting import Layout, export_ground_truth
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .conftest import CLASSES

OTHER_ORDER = ('moon', 'star', 'ring')


def holding(*classes):
    return {'meta': {'dataset_meta': {'classes': list(classes)}}}


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def tags(tmp_path, images):
    """Make a config of a tag file."""

    def make(**files):
        cfg = {}
        for split, text in files.items():
            path = tmp_path / f'{split}.csv'
            path.write_text(text.format(*(image.name for image in images)))
            cfg[f'{split}_dataloader'] = {
                'dataset': {
                    'type': 'TagFileDataset',
                    'data_root': str(images[0].parent),
                    'tag_file': str(path),
                }
            }
        return Config({**cfg, 'val_cfg': {'type': 'ValLoop'}})

    return make


def classes_of(cfg, split):
    dataset = DATASETS.build({**cfg[f'{split}_dataloader'].dataset, 'pipeline': []})
    return dataset.metainfo['classes'], [dataset.get_cat_ids(i) for i in range(len(dataset))]


def test_a_test_set_is_numbered_as_the_checkpoint(tags):
    cfg = tags(test='{0},cat;dog\n{1},emu\n')
    unify_tested_classes(cfg, holding('emu', 'dog', 'cat'), 'epoch.pth')
    assert classes_of(cfg, 'test') == (('emu', 'dog', 'cat'), [[1, 2], [0]])


def test_a_test_set_may_have_some_of_the_classes(tags, log):
    cfg = tags(test='{0},dog\n{1},cat\n')
    unify_tested_classes(cfg, holding('emu', 'dog', 'cat'), 'epoch.pth')
    assert classes_of(cfg, 'test') == (('emu', 'dog', 'cat'), [[1], [2]])
    assert 'test.csv are numbered as in epoch.pth; it has no emu.' in log.text


def test_wrapped_and_further_data_sets_too(tags):
    cfg = tags(test='{0},cat\n{1},dog\n', corloc='{0},dog\n{1},cat\n')
    wrapped = {'type': 'RepeatDataset', 'times': 2, 'dataset': cfg.test_dataloader.dataset}
    cfg.test_dataloader = {'dataset': {'type': 'ConcatDataset', 'datasets': [wrapped]}}
    cfg.test_cfg = {'further': [{'dataloader': cfg.corloc_dataloader}]}
    unify_tested_classes(cfg, holding('dog', 'cat'), 'epoch.pth')
    inner = cfg.test_dataloader.dataset.datasets[0].dataset
    assert inner.metainfo['classes'] == ('dog', 'cat')
    assert classes_of(cfg, 'corloc') == (('dog', 'cat'), [[0], [1]])


def test_colours_follow_their_classes(tags):
    cfg = tags(test='{0},cat\n{1},dog\n')
    cfg.test_dataloader.dataset.metainfo = {'palette': [(1, 1, 1), (2, 2, 2)]}
    unify_tested_classes(cfg, holding('dog', 'cat'), 'epoch.pth')
    assert cfg.test_dataloader.dataset.metainfo['palette'] == [(2, 2, 2), (1, 1, 1)]


def test_training_and_validation_are_numbered_alike(tags):
    files = {'train': '#classes,emu,dog\n{0},dog\n{1},emu\n', 'val': '{0},dog\n{1},emu\n'}
    cfg = tags(**files)
    unify_trained_classes(cfg)
    assert classes_of(cfg, 'train') == classes_of(cfg, 'val') == (('emu', 'dog'), [[1], [0]])
    # A run that goes on keeps the numbers of its weights.
    for resume in (False, True):
        cfg = tags(**files)
        cfg.update(load_from='epoch.pth', resume=resume)
        unify_trained_classes(cfg, holding('dog', 'emu'))
        assert classes_of(cfg, 'train') == classes_of(cfg, 'val') == (('dog', 'emu'), [[0], [1]])


def test_parts_of_the_training_data_are_numbered_alike(tags):
    cfg = tags(train='#classes,emu,dog\n{0},dog\n{1},emu\n', val='{0},dog\n{1},emu\n')
    parts = [cfg.train_dataloader.dataset, cfg.val_dataloader.dataset]
    cfg.train_dataloader = {'dataset': {'type': 'ConcatDataset', 'datasets': parts}}
    unify_trained_classes(cfg)
    with DefaultScope.overwrite_default_scope('mmlabelpenet'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert dataset.metainfo['classes'] == ('emu', 'dog')
    assert [dataset.get_data_info(i)['tags'] for i in range(4)] == [[1], [0], [1], [0]]


@pytest.mark.parametrize('number', [3, None, 0])
def test_training_images_that_a_hook_measures_are_numbered_alike(tags, number):
    cfg = tags(train='#classes,emu,dog\n{0},dog\n{1},emu\n', corloc='{0},dog\n{1},emu\n')
    cfg.default_hooks = dict(
        logger=dict(interval=1),
        visualization=None,
        label_curve=dict(type='LabelCurveHook', num_images=number),
    )
    before = classes_of(cfg, 'corloc')
    unify_trained_classes(cfg)
    alike = (('emu', 'dog'), [[1], [0]])
    assert classes_of(cfg, 'corloc') == (before if number == 0 else alike)
    assert before != alike


def test_weights_of_other_classes_may_start_a_training(tags, log):
    cfg = tags(train='{0},dog\n{1},emu\n')
    cfg.load_from = 'epoch.pth'
    unify_trained_classes(cfg, holding('dog', 'cat'))
    assert classes_of(cfg, 'train')[0] == ('dog', 'emu')
    assert "it lacks 'cat', it adds 'emu'" in log.text
    cfg.resume = True
    with pytest.raises(UserError, match=r"than the run of epoch\.pth: it lacks 'cat'"):
        unify_trained_classes(cfg, holding('dog', 'cat'))


def test_classes_of_old_checkpoints_and_none(log):
    assert checkpoint_classes({'meta': {'CLASSES': ('a', 'b')}}, 'x.pth') == ('a', 'b')
    assert checkpoint_classes({'meta': {'dataset_meta': {'CLASSES': ('a',)}}}, 'x.pth') == ('a',)
    for checkpoint in ({}, {'meta': None}, {'meta': {}}, {'meta': {'dataset_meta': None}}):
        log.clear()
        assert checkpoint_classes(checkpoint, 'x.pth') is None
        assert 'x.pth does not say what its classes are' in log.text


def test_a_difference_names_the_nearest_names():
    assert class_difference(('a', 'b'), ('b', 'a')) == ''
    text = class_difference(('Dog', 'cat', 'emu '), ('dog', 'cat', 'emu', 'yak'))
    assert text == "it lacks 'dog' (perhaps 'Dog'), 'emu' (perhaps 'emu '), 'yak', " + (
        "it adds 'Dog', 'emu '"
    )
    assert class_difference((), [f'c{i}' for i in range(9)]).endswith("'c4' and 4 more")


@pytest.mark.parametrize('classes', [CLASSES, OTHER_ORDER])
def test_figures_do_not_depend_on_the_order(config, checkpoint, proposals, tmp_path, classes):
    """The same ground truth as a VOC devkit, and as COCO files of two orders."""
    cfg = Config.fromfile(config)
    cfg.launcher, cfg.work_dir = 'none', str(tmp_path / 'work')
    expected = evaluate_detector(cfg, str(checkpoint), ['image', 'proposal', 'bbox', 'segm'])
    cfg = Config.fromfile(config)
    export_ground_truth(cfg, Layout(str(tmp_path / 'zoo')), split='test')
    (path,) = (tmp_path / 'zoo' / 'annotations').glob('*.json')
    content = json.loads(path.read_text())
    names = {one['id']: one['name'] for one in content['categories']}
    ids = {name: number for number, name in enumerate(classes, start=10)}
    for one in content['annotations']:
        one['category_id'] = ids[names[one['category_id']]]
    content['categories'] = [{'id': ids[name], 'name': name} for name in classes]
    (tmp_path / 'Shapes').mkdir()
    (tmp_path / 'Shapes/a.json').write_text(json.dumps(content))
    cfg.launcher, cfg.work_dir = 'none', str(tmp_path / 'work')
    old = cfg.test_dataloader.dataset
    pipeline = [dict(one) for one in old.pipeline]
    # proposals of images outside data_root are in the folder's name
    source = tmp_path / 'proposals' / 'Shapes'
    source.mkdir(parents=True)
    (source / 'JPEGImages').symlink_to(f'{pipeline[1]["proposal_root"]}/Shapes')
    pipeline[1]['proposal_root'] = str(tmp_path / 'proposals')
    cfg.test_dataloader.dataset = dict(
        type='COCOInstanceDataset',
        data_root=str(tmp_path / 'Shapes'),
        ann_file='a.json',
        data_prefix=dict(img=f'{old.data_root}/JPEGImages'),
        supervision='full',
        test_mode=True,
        pipeline=pipeline,
    )
    found = evaluate_detector(cfg, str(checkpoint), ['image', 'proposal', 'bbox', 'segm'])
    assert found == pytest.approx(expected, nan_ok=True)


def test_the_commands_compare(config, checkpoint, proposals, tmp_path):
    """Testing and training; a model and a checkpoint of one shape may have other classes."""
    cfg = Config.fromfile(config)
    cfg.launcher, cfg.work_dir = 'none', str(tmp_path / 'work')
    content = torch.load(checkpoint, weights_only=False)
    content['meta']['dataset_meta']['classes'] = ('star', 'Ring', 'moon')
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(UserError, match=r"it lacks 'Ring' \(perhaps 'ring'\)"):
        evaluate_detector(cfg, str(tmp_path / 'other.pth'))
    with pytest.raises(UserError, match=r"it lacks 'Ring' \(perhaps 'ring'\)"):
        train_detector(Config.fromfile(config), resume=str(tmp_path / 'other.pth'))
    inferencer = LabelPEnetInferencer(config, tmp_path / 'other.pth', 'cpu', show_progress=False)
    assert inferencer.classes == ('star', 'Ring', 'moon')
