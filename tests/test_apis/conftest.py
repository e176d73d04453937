import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from test_models.tiny import LEARNED, build_model, model_cfg

from mmlabelpenet.apis import run_command
from mmlabelpenet.datasets import ShapesDataset
from mmlabelpenet.proposals import Job, proposal_path, run_jobs
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import register_all_modules

REPOSITORY = Path(__file__).parents[2]
CLASSES = ('star', 'ring', 'moon')
CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py'


def run_tool(name, *args):
    """Run a tool of the repository within this process."""
    path = REPOSITORY / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run_command(module.main, [str(arg) for arg in args])


@pytest.fixture(scope='session')
def tool():
    """Run a tool of the repository within this process."""
    return run_tool


@pytest.fixture(scope='session')
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp('apis') / 'Shapes'
    make_shapes(root, num_train=4, num_val=2, seed=3, image_size=(64, 96))
    return root


@pytest.fixture(scope='session')
def config(tmp_path_factory, shapes):
    """The small cascade of random weights on generated images, three of their classes."""
    cfg = Config.fromfile(CONFIG)
    cfg.model = model_cfg()
    cfg.model.data_preprocessor.bgr_to_rgb = True
    for name in ('train', 'val', 'test', 'corloc'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(shapes), metainfo=dict(classes=CLASSES))
        loader.dataset.pipeline[1].proposal_root = str(shapes.parent / 'proposals')
        loader.dataset.pipeline[2].transforms[0].scale = (128, 96)
    cfg.work_dir = str(tmp_path_factory.mktemp('work'))
    path = shapes.parent / 'small.py'
    cfg.dump(str(path))
    return path


@pytest.fixture(scope='session')
def checkpoint(config, shapes):
    register_all_modules()
    path = shapes.parent / 'small.pth'
    palette = ShapesDataset.METAINFO['palette'][:3]
    meta = dict(
        dataset_meta=dict(classes=CLASSES, palette=palette),
        cfg=Config.fromfile(config).pretty_text,
    )
    torch.save(dict(meta=meta, state_dict=build_model().state_dict()), path)
    return path


@pytest.fixture(scope='session')
def learned(config, checkpoint, shapes):
    """Config and checkpoint of the cascade with learned proposals."""
    cfg = Config.fromfile(config)
    cfg.model.proposals = dict(LEARNED)
    for name in ('val', 'test', 'corloc'):
        step = cfg[f'{name}_dataloader'].dataset.pipeline[1]
        step.update(type='ProvideRegionProposals', source='learned')
    cfg.dump(str(shapes.parent / 'learned.py'))
    content = torch.load(checkpoint, weights_only=False)
    content['meta']['cfg'] = cfg.pretty_text
    content['state_dict'] = build_model(proposals=LEARNED).state_dict()
    torch.save(content, shapes.parent / 'learned.pth')
    return shapes.parent / 'learned.py', shapes.parent / 'learned.pth'


@pytest.fixture(scope='session')
def images(shapes):
    """The images of the training split: of different sizes."""
    return sorted((shapes / 'JPEGImages').glob('train_*.jpg'))


@pytest.fixture(scope='session')
def proposals(shapes, images):
    root = shapes.parent / 'proposals'
    every = [*images, *sorted((shapes / 'JPEGImages').glob('val_*'))]
    run_jobs([Job(str(one), proposal_path(root, 'Shapes', one.stem)) for one in every], {})
    mine = [proposal_path(root, 'Mine', f'sub {index}/photo') for index in range(2)]
    run_jobs([Job(str(image), path) for image, path in zip(images, mine)], {})


@pytest.fixture
def export(tool, config, checkpoint, proposals, tmp_path):
    """Run the tool; returns the folder that it wrote to."""

    def run(*args, config=config):
        out = tmp_path / 'out'
        work = ('--work-dir', tmp_path / 'work')
        tool('tools/export_pseudo_labels', config, checkpoint, '--out', out, *work, *args)
        return out

    return run
