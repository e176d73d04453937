import importlib.util
from pathlib import Path

import pytest

from mmlabelpenet.apis import run_command
from mmlabelpenet.testing import make_shapes

from . import toy_model

REPOSITORY = Path(__file__).parents[2]
CONFIG = """
_base_ = {runtime!r}
custom_imports = dict(imports=[{toy!r}])
work_dir = {work_dir!r}
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='LoadInstanceMasks'),
    dict(type='PackWeakInputs'),
]


def loader(split, supervision):
    return dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='ShapesDataset',
            data_root={data_root!r},
            ann_file=f'ImageSets/Main/{{split}}.txt',
            supervision=supervision,
            test_mode=True,
            pipeline=pipeline))


model = dict(type='ToyDetector', data_preprocessor=dict(type='DetDataPreprocessor'))
train_dataloader = loader('train', 'full')
test_dataloader = loader('val', 'full')
corloc_dataloader = loader('train', 'full')
test_evaluator = dict(type='VOCDetectionMetric', iou_thrs=[0.5])
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
"""


@pytest.fixture(scope='session')
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'Shapes'
    make_shapes(root, num_train=3, num_val=3, image_size=(48, 64))
    return root


def write_config(folder, shapes):
    """A config of the toy model on a few generated images."""
    path = folder / 'toy.py'
    text = CONFIG.format(
        runtime=str(REPOSITORY / 'configs/_base_/default_runtime.py'),
        work_dir=str(folder / 'work'),
        data_root=str(shapes),
        toy=toy_model.__name__,
    )
    path.write_text(text)
    return path


@pytest.fixture
def config(tmp_path, shapes):
    """A config of the toy model."""
    return write_config(tmp_path, shapes)


def load_tool(name):
    """Import a tool by name."""
    path = REPOSITORY / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_tool(name, *args):
    """Run a tool by name within this process."""
    run_command(load_tool(name).main, [str(arg) for arg in args])


@pytest.fixture
def tool_module():
    """Import a tool by name."""
    return load_tool


@pytest.fixture
def tool(monkeypatch):
    """Run a tool by name within this process."""
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    return run_tool
