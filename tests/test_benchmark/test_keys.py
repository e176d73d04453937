"""Keys: what they depend on, and what they do not."""

import ast
import importlib
import os
import shutil
import sys
from functools import reduce
from importlib.util import resolve_name
from inspect import signature
from pathlib import Path

import pytest
from mmengine.config import Config

from mmlabelpenet.registry import MODELS
from mmlabelpenet.testing import make_shapes

REPOSITORY = Path(__file__).parents[2]
CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
SHAPES_CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py'


@pytest.fixture
def keys(benchmark_module):
    module = benchmark_module('keys')
    yield module
    forget(module)


def forget(keys):
    """Let files be read again."""
    keys._definitions.cache_clear()
    keys._data_digest.cache_clear()


@pytest.fixture
def toy(keys, tmp_path, monkeypatch):
    """Digest of ``toy.main.run`` in a package of some modules."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest_of(left_out=(), **modules):
        shutil.rmtree(tmp_path / 'toy', ignore_errors=True)
        (tmp_path / 'toy').mkdir()
        for name, text in {'__init__': '', **modules}.items():
            (tmp_path / f'toy/{name}.py').write_text(text)
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.split('.')[0] == 'toy']:
            del sys.modules[name]
        forget(keys)
        return keys.digest(keys.executed_code({}, left_out, [('toy', 'run')]))

    return digest_of


MAIN = 'from .part import half\nLIMIT = 3\ndef run(x):\n    return min(half(x), LIMIT)\n'
PART = 'def half(x):\n    return x / 2\n'
RUN = 'from .main import run\n'


def test_code_is_what_a_definition_refers_to(toy):
    key = toy(__init__=RUN, main=MAIN, part=PART)
    changed_half = toy(__init__=RUN, main=MAIN, part=PART.replace('2', '4'))
    changed_limit = toy(__init__=RUN, main=MAIN.replace('3', '5'), part=PART)
    changed_run = toy(__init__=RUN, main=MAIN.replace('min', 'max'), part=PART)
    assert len({key, changed_half, changed_limit, changed_run}) == 4


def test_code_elsewhere_and_its_place_do_not_count(toy):
    key = toy(__init__=RUN, main=MAIN, part=PART)
    more = 'import csv\ndef read_tags(path):\n    return csv.reader(path)\n'
    assert toy(__init__=RUN, main=MAIN + more, part=more + PART, other='x = 1\n') == key
    joined = PART + MAIN.split('\n', 1)[1]
    assert toy(__init__='from .joined import run\n', joined=joined) == key
    moved = MAIN.replace('.part', '.halves')
    assert toy(__init__=RUN, main=moved, halves=PART) == key
    inner = 'LIMIT = 3\ndef run(x):\n    from .part import half\n    return min(half(x), LIMIT)\n'
    changed = [toy(__init__=RUN, main=inner, part=part) for part in (PART, PART.replace('2', '4'))]
    assert changed[0] != changed[1]


def test_words_about_the_code_do_not_count(toy):
    key = toy(
        __init__=RUN, main=MAIN, part='def half(x):\n    if x < 0:\n        raise ValueError\n'
    )
    said = '''"""Halves."""
def half(x: "Number") -> float:  # one half
    """Half of x."""
    if x < 0:
        raise ValueError(f'{x} is negative')
'''
    assert toy(__init__=RUN, main=MAIN, part=said) == key
    assert toy(__init__=RUN, main=MAIN, part=said.replace('< 0', '<= 0')) != key


def test_methods_and_definitions_may_be_left_out(toy):
    main = 'class run:\n    def train(self):\n        pass\n    def predict(self):\n        {}\n'
    one, other = main.format('pass'), main.format('return paint()\ndef paint():\n    pass')
    assert toy(__init__=RUN, main=one) != toy(__init__=RUN, main=other)
    left_out = ('run.predict',)
    assert toy(left_out, __init__=RUN, main=one) == toy(left_out, __init__=RUN, main=other)
    assert toy(('half',), __init__=RUN, main=MAIN, part=PART) == toy(
        ('half',), __init__=RUN, main=MAIN, part='def half(x):\n    return x\n'
    )


@pytest.fixture
def reached(keys):
    """Names of the definitions that a part of a config executes."""

    def names_of(settings, left_out=()):
        return {name for name, _ in keys.executed_code(settings, left_out)}

    return names_of


def test_a_training_executes_its_model_loop_and_data_and_no_others(keys, reached):
    cfg = Config.fromfile(CONFIG)
    settings = [cfg.model.to_dict(), cfg.train_dataloader.to_dict(), cfg.train_cfg.type]
    names = reached(settings, keys.NOT_TRAINING)
    assert {'LabelPEnet', 'WeakBoxHead', 'VOCInstanceDataset', 'CurriculumTrainLoop'} <= names
    assert {'PixelAffinity', 'LoadRegionProposals', 'mine', 'derived_seed'} <= names
    others = {'TagFileDataset', 'read_tag_file', 'DenseCRF', 'ProposalTTAModel', 'TrueInstances'}
    assert not names & {*others, 'add_image_results', 'VOCDetectionMetric', 'DiskCache'}
    assert {'DenseCRF'} <= reached([*settings, dict(type='mmlabelpenet.DenseCRF')])


def test_all_that_is_left_out_of_a_training_exists(keys, reached):
    cfg = Config.fromfile(CONFIG)
    names = reached([cfg.model.to_dict(), cfg.train_cfg.type])
    assert set(keys.NOT_TRAINING) <= names


def test_every_option_that_may_not_be_read_exists(keys):
    models = [Config.fromfile(path).model for path in (CONFIG, *CONFIG.parent.glob('*/*.py'))]
    for *parents, name in (path.split('.') for _, paths in keys.NOT_READ for path in paths):
        parts = [reduce(lambda part, key: part[key] or {}, parents, model) for model in models]
        classes = {MODELS.get(part['type']) for part in parts if 'type' in part}
        assert any(name in signature(one).parameters for one in classes), (parents, name)


@pytest.fixture(scope='module')
def devkits(tmp_path_factory):
    """A devkit, the same elsewhere, and one that tests change."""
    root = tmp_path_factory.mktemp('devkits')
    make_shapes(root / 'one/Shapes', num_train=4, num_val=2, image_size=(64, 96))
    shutil.copytree(root / 'one/Shapes', root / 'elsewhere/Copy')
    shutil.copytree(root / 'one/Shapes', root / 'other/Shapes')
    return root


def shapes_key(keys, root, **options):
    cfg = Config.fromfile(SHAPES_CONFIG)
    cfg.train_dataloader.dataset.data_root = str(root)
    cfg.merge_from_dict(options)
    return keys.training_key(cfg, 1, 1)


def test_a_devkit_at_another_path_gives_the_same_key(keys, devkits, monkeypatch):
    key = shapes_key(keys, devkits / 'one/Shapes')
    assert shapes_key(keys, devkits / 'elsewhere/Copy') == key
    monkeypatch.chdir(devkits / 'one')
    assert shapes_key(keys, 'Shapes') == key


def test_another_devkit_gives_another_key(keys, devkits):
    root = devkits / 'other/Shapes'
    key = shapes_key(keys, root)
    assert key == shapes_key(keys, devkits / 'one/Shapes')
    full = {'train_dataloader.dataset.supervision': 'full'}
    full_key = shapes_key(keys, root, **full)

    def changed(path, change):
        before = path.read_bytes()
        path.write_bytes(change(before))
        forget(keys)
        found = shapes_key(keys, root) != key, shapes_key(keys, root, **full) != full_key
        path.write_bytes(before)
        forget(keys)
        return found

    name = (root / 'ImageSets/Main/train.txt').read_text().split()[0]
    tags = next(
        path for path in root.glob('ImageSets/Main/*_train.txt') if f'{name} 1' in normal(path)
    )
    assert changed(root / 'ImageSets/Main/train.txt', lambda text: text.split(b'\n', 1)[1]) == (
        True,
        True,
    )
    assert changed(tags, lambda text: text.replace(b' 1\n', b'-1\n')) == (True, True)
    # another image of this name
    assert changed(root / f'JPEGImages/{name}.jpg', lambda data: data + b'\0') == (True, True)
    # boxes and masks only where they are read
    xml = root / f'Annotations/{name}.xml'
    assert changed(xml, lambda text: text.replace(b'<difficult>0', b'<difficult>1')) == (
        False,
        True,
    )
    mask = root / f'SegmentationObject/{name}.png'
    assert changed(mask, lambda data: data + b'\0') == (False, True)
    # lists that are not read
    assert changed(root / 'ImageSets/Main/val.txt', lambda text: b'') == (False, False)


def normal(path):
    return ' '.join(path.read_text().split())


@pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='needs VOC12-mini')
def test_the_data_of_voc12_mini_are_read_once(keys):
    cfg = Config.fromfile(CONFIG)
    hits = keys._data_digest.cache_info().hits
    first = [keys.data_digest(cfg[f'{name}_dataloader'].dataset) for name in ('train', 'test')]
    again = keys.data_digest(cfg.train_dataloader.dataset)
    assert again == first[0] != first[1]
    assert keys._data_digest.cache_info().hits == hits + 1


def test_what_modules_import_from_one_another_is_found(keys):
    for path in (REPOSITORY / 'mmlabelpenet').rglob('*.py'):
        parts = path.relative_to(REPOSITORY).with_suffix('').parts
        package = '.'.join(parts[:-1])
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                source = resolve_name('.' * node.level + (node.module or ''), package)
                names = {one.name for one in node.names if source.startswith('mmlabelpenet')}
                assert names <= set(names and keys._definitions(source)), path
