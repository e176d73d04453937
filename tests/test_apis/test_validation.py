"""What a config may say: everything that this package's and mmdet's own configs say, and more."""

import copy
import json
from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmlabelpenet.apis import read_config
from mmlabelpenet.apis.configs import check_config
from mmlabelpenet.registry import MODELS, SCOPE
from mmlabelpenet.utils import UserError, register_all_modules

REPOSITORY = Path(__file__).parents[2]
CONFIGS = sorted((REPOSITORY / 'configs').glob('[!_]*/**/*.py'))
SHAPES = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py'
TAGS = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_tags.py'


def child(folder, text, base=SHAPES):
    path = folder / 'mine.py'
    path.write_text(f'_base_ = {str(base)!r}\n{text}', encoding='utf-8')
    return str(path)


# Files from which configs take their classes.
LABEL_FILES = (
    'data/coco/annotations/instances_train2017.json',
    'data/pseudo/annotations/instances_train.json',
    'data/pseudo/shapes/annotations/instances_train.json',
)


@pytest.fixture
def tag_file(tmp_path, monkeypatch):
    (tmp_path / 'tags.csv').write_text('a.jpg,dog\nb.jpg,cat\n')
    content = dict(images=[], annotations=[], categories=[dict(id=1, name='dog')])
    for name in LABEL_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TAG_DATA_ROOT', str(tmp_path))
    monkeypatch.setenv('TAG_FILE', str(tmp_path / 'tags.csv'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_right(path, tag_file):
    assert read_config(str(path)).model


# the first of each folder, which differ most
@pytest.mark.parametrize('path', {one.parent: one for one in CONFIGS[::-1]}.values(), ids=str)
def test_a_config_that_was_written_is_read_as_it_was(path, tmp_path, tag_file):
    cfg = read_config(str(path))
    cfg.dump(tmp_path / 'written.py')
    written = read_config(str(tmp_path / 'written.py'))
    assert written.to_dict() == cfg.to_dict()


@pytest.mark.parametrize('method', ['faster_rcnn', 'retinanet', 'detr', 'yolox', 'solov2'])
def test_configs_of_mmdet_are_right(method):
    folder = Path(mmdet.__file__).parent / '.mim/configs' / method
    path = sorted(path for path in folder.glob('*.py') if 'tta' not in path.name)[0]
    cfg = Config.fromfile(path)
    # a mistake of mmdet's own
    (cfg.get('train_cfg') or {}).pop('by_epoch', None)
    check_config(cfg)


def test_parts_from_elsewhere_may_have_any_settings(tmp_path, monkeypatch):
    (tmp_path / 'my_parts_elsewhere.py').write_text(
        'from mmengine.model import BaseModule\n'
        'from mmlabelpenet.registry import MODELS\n'
        '@MODELS.register_module(force=True)\n'
        'class MyRefiner(BaseModule):\n'
        '    def __init__(self, wildness, **kwargs):\n'
        '        super().__init__()\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    lines = (
        "custom_imports = dict(imports=['my_parts_elsewhere'])\n"
        "model = dict(calibration=dict(refine=dict(_delete_=True, type='MyRefiner', "
        'wildness=3, colour=dict(hue=1))))\n'
        'my_notes = dict(tried=[1, 2])\n'
    )
    cfg = read_config(child(tmp_path, lines))
    register_all_modules()
    with MODELS.switch_scope_and_registry(SCOPE):
        assert MODELS.build(cfg.model).calibration.refiners
    with pytest.raises(UserError, match="no setting 'wildnes': did you mean 'wildness'"):
        read_config(child(tmp_path, lines.replace('wildness', 'wildnes')))


def test_a_text_or_list_of_a_base_that_is_set_anew_holds_everywhere(tmp_path):
    cfg = read_config(child(tmp_path, "data_root = '/my/data'\nscale = (320, 256)"))
    for name in ('train', 'val', 'corloc'):
        dataset = cfg[f'{name}_dataloader'].dataset
        assert dataset.data_root == '/my/data'
        assert tuple(dataset.pipeline[2].transforms[0].scale) == (320, 256)
    again = read_config(str(tmp_path / 'mine.py'), {'scale': [400, 300]})
    assert again.train_dataloader.dataset.pipeline[2].transforms[0].scale == [400, 300]


def test_an_override_meets_what_an_inheriting_config_has_set(tmp_path):
    """The shared settings of a base are not the only old values."""
    lines = (
        "data_root = '/a'\n"
        'train_dataloader = dict(dataset=dict(data_root=data_root))\n'
        'test_dataloader = dict(dataset=dict(data_root=data_root))\n'
    )
    path = child(tmp_path, lines, TAGS)
    (tmp_path / 'tags.csv').write_text('a.jpg,dog\n')
    options = {'data_root': str(tmp_path), 'tag_file': str(tmp_path / 'tags.csv')}
    cfg = read_config(path, options)
    assert cfg.train_dataloader.dataset.data_root == str(tmp_path)
    assert cfg.test_dataloader.dataset.tag_file == str(tmp_path / 'tags.csv')


def test_loaders_without_workers_keep_none_alive(tmp_path):
    cfg = read_config(child(tmp_path, 'train_dataloader = dict(num_workers=0)'))
    assert 'persistent_workers' not in cfg.train_dataloader
    assert cfg.val_dataloader.persistent_workers


def test_a_check_changes_nothing():
    cfg = Config.fromfile(SHAPES)
    before = copy.deepcopy(cfg.to_dict())
    check_config(cfg)
    assert cfg.to_dict() == before


@pytest.mark.parametrize(
    'folder',
    ["Bob's photos", 'a "b" c', '2012', '1e5', 'a,b', 'x\\n{y}', '犬', "');raise SystemExit('"],
)
def test_a_folder_may_have_any_name(folder, tmp_path, monkeypatch):
    root = tmp_path / folder
    root.mkdir()
    (root / 'tags.csv').write_text('a.jpg,dog\nb.jpg,cat\n')
    monkeypatch.setenv('TAG_DATA_ROOT', str(root))
    monkeypatch.setenv('TAG_FILE', str(root / 'tags.csv'))
    cfg = read_config(str(TAGS))
    assert cfg.train_dataloader.dataset.data_root == str(root)
    assert cfg.model.num_classes == 2
    cfg.dump(tmp_path / 'written.py')
    assert read_config(str(tmp_path / 'written.py')).data_root == str(root)


@pytest.mark.parametrize('text', ["/x/Bob's photos", '/x/my photos', '2012', '/x/a,b', 'True'])
def test_an_override_may_be_any_path(text, tmp_path):
    from mmlabelpenet.apis.command import config_parser

    args = config_parser('').parse_args([str(SHAPES), '--cfg-options', f'data_root={text}'])
    cfg = read_config(args.config, args.cfg_options)
    assert cfg.train_dataloader.dataset.data_root == text


def test_overrides_have_the_types_that_mmengine_gives_them():
    from mmlabelpenet.apis.command import config_parser

    options = ['model.attention_scales=(1.5,2)', 'train_dataloader.batch_size=4']
    options += ['train_cfg.feature_cache=None', 'val_evaluator.0.iou_thrs=[0.3,0.6]']
    args = config_parser('').parse_args([str(SHAPES), '--cfg-options', *options])
    cfg = read_config(args.config, args.cfg_options)
    assert cfg.model.attention_scales == (1.5, 2)
    assert cfg.train_dataloader.batch_size == 4
    assert cfg.train_cfg.feature_cache is None
    assert cfg.val_evaluator[0].iou_thrs == [0.3, 0.6]


@pytest.mark.parametrize(
    'lines',
    [
        'custom_hooks = None',
        'default_hooks = None',
        'env_cfg = None',
        'randomness = None',
        'val_evaluator = None',
        'train_dataloader = dict(sampler=dict(seed=None))',
        'optim_wrapper = dict(optimizer=dict(lr=1))',
        "default_hooks = dict(checkpoint=dict(save_best=['bbox/mAP']))",
        'train_cfg = dict(phases=dict(detection=dict(scales=False)))',
    ],
)
def test_values_of_a_right_type_are_taken(tmp_path, lines):
    assert read_config(child(tmp_path, lines))


def test_transforms_of_albumentations_are_not_of_a_registry():
    folder = Path(mmdet.__file__).parent / '.mim/configs/albu_example'
    check_config(Config.fromfile(folder / 'mask-rcnn_r50_fpn_albu-1x_coco.py'))


@pytest.mark.parametrize('name', ['coco_semantic', 'coco_detection', 'voc0712'])
def test_data_sets_of_mmdet_without_a_model_are_right(name):
    folder = Path(mmdet.__file__).parent / '.mim/configs/_base_/datasets'
    assert read_config(str(folder / f'{name}.py'))


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_variables_that_nothing_reads_are_left_to_the_user(tmp_path, log):
    lines = 'my_lr = 3\noptimizer = dict(lr=1)\noptim_wrapper = dict(optimizer=optimizer)'
    assert read_config(child(tmp_path, lines)).optim_wrapper.optimizer.lr == 1
    assert 'nothing reads' not in log.text


def test_a_variable_with_the_name_of_a_setting_is_told(tmp_path, log):
    read_config(child(tmp_path, 'batch_size = 4'))
    assert "mine.py: nothing reads 'batch_size' at its top level: set " in log.text


def test_a_written_config_may_hold_the_variables_of_its_bases(tmp_path):
    child(tmp_path, 'seed = 3\nrandomness = dict(seed=seed)')
    cfg = read_config(str(tmp_path / 'mine.py'))
    cfg.dump(tmp_path / 'written.py')
    assert read_config(str(tmp_path / 'written.py')).seed == 3


@pytest.mark.parametrize(
    'lines',
    [
        f'_base_ = {str(SHAPES)!r}\ndata_root = "mine"\n_x = data_root + "/z"\n',
        f'_base_ = " {SHAPES} ".strip()\ndata_root = "mine"\n',
        f'\ufeff_base_ = {str(SHAPES)!r}\r\ndata_root = "mine"\r\n',
        f'_base_: {SHAPES}\ndata_root: mine\n',
        f'{{"_base_": "{SHAPES}", "data_root": "mine"}}',
    ],
    ids=['read too', 'computed base', 'mark of Windows', 'YAML', 'JSON'],
)
def test_a_base_s_variable_is_set_anew_in_any_form(tmp_path, lines):
    suffix = '.json' if lines[0] == '{' else '.yaml' if '_base_:' in lines else '.py'
    path = tmp_path / f'mine{suffix}'
    path.write_bytes(lines.encode())
    cfg = read_config(str(path))
    assert cfg.train_dataloader.dataset.data_root == 'mine'
    assert cfg.test_dataloader.dataset.data_root == 'mine'


@pytest.mark.parametrize('name', ['classes', 'CLASSES', 'metainfo', 'max_epochs', 'tag_file'])
def test_a_variable_that_mmdet_s_configs_make_settings_of_is_told(name, tmp_path, log):
    read_config(child(tmp_path, f'{name} = 3'))
    assert f"nothing reads '{name}' at its top level: set " in log.text
