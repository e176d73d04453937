"""The commands on a few small generated photos: propose, train, be cut, resume, test."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from test_tools.test_scripts import run_script

from mmlabelpenet.apis import run_command
from mmlabelpenet.datasets import make_shapes
from mmlabelpenet.engine import CurriculumTrainLoop
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import register_all_modules

REPOSITORY = Path(__file__).parents[1]
CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_shapes.py'
FINER = ('Annotations', 'SegmentationClass', 'SegmentationObject')
RANK_HOOK = """
from mmengine.dist import get_rank
from mmengine.hooks import Hook
import torch
from mmlabelpenet.registry import HOOKS


@HOOKS.register_module()
class SaveRank(Hook):
    def after_train(self, runner):
        weights = runner.model.module.state_dict()
        torch.save(weights, f'{runner.work_dir}/rank_{get_rank()}.pth')
"""


def run_tool(name, *args):
    """Run a tool of the repository within this process."""
    path = REPOSITORY / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run_command(module.main, [str(arg) for arg in args])


def small_config():
    """The Shapes config for photos of about 80 pixels, an epoch each phase, small heads."""
    cfg = Config.fromfile(CONFIG)
    for name in ('train', 'val', 'test', 'corloc'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.pipeline[2].transforms[0].scale = (96, 80)
    for phase in cfg.train_cfg.phases.values():
        phase.update(epochs=1, warmup=0)
    cascade = cfg.model.cascade
    for name in ('detection', 'segmentation'):
        cascade[name].box_head.update(num_samples=16)
        cascade[name].box_head.roi_features.update(roi_size=3, fc_channels=16)
    # WSDDN's streams, which this config leaves out, take part in the test
    cascade.classification.update(
        roi_features=cascade.detection.box_head.roi_features,
        num_samples=16,
        score_proposals=False,
    )
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    return cfg


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with photos, their proposals and a config, laid out as the repository."""
    root = tmp_path_factory.mktemp('place')
    make_shapes(root / 'data/shapes/Shapes', num_train=8, num_val=3, image_size=(64, 96))
    small_config().dump(str(root / 'small.py'))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run_tool('proposals/make_proposals', 'small.py', '--workers', 1)
    return root


@pytest.fixture(autouse=True)
def at_the_place(place, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.chdir(place)


def weights_of(path):
    return torch.load(path, map_location='cpu', weights_only=False)['state_dict']


def test_a_cut_run_resumes_to_the_same_weights_which_can_be_tested(place, monkeypatch):
    run_tool('train', 'small.py', '--work-dir', 'whole')
    assert sorted(path.name for path in (place / 'whole').glob('*.pth')) == [
        f'epoch_{epoch}.pth' for epoch in range(1, 6)
    ]

    class CutError(Exception):
        pass

    def run_epoch(self, original=CurriculumTrainLoop.run_epoch):
        if self.epoch == 2:
            raise CutError
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(CurriculumTrainLoop, 'run_epoch', run_epoch)
        with pytest.raises(CutError):
            run_tool('train', 'small.py', '--work-dir', 'cut')
    assert (place / 'cut/last_checkpoint').read_text().endswith('epoch_2.pth')
    run_tool('train', 'small.py', '--work-dir', 'cut', '--resume')

    whole, resumed = weights_of('whole/epoch_5.pth'), weights_of('cut/epoch_5.pth')
    assert whole.keys() == resumed.keys()
    assert all(value.equal(resumed[name]) for name, value in whole.items())
    before = weights_of('whole/epoch_1.pth')
    for part in ('backbone', 'cascade.classification', 'cascade.segmentation'):
        names = [name for name in whole if name.startswith(part)]
        assert any(not whole[name].equal(before[name]) for name in names)

    run_tool(
        'test', 'small.py', 'cut/epoch_5.pth', '--work-dir', 'tested',
        '--eval', 'bbox', 'segm', 'corloc',
    )  # fmt: skip
    metrics = json.loads((place / 'tested/metrics.json').read_text())
    assert {'bbox_mAP_50', 'segm_mAP_50', 'corloc'} <= metrics.keys()
    assert all(0 <= value <= 1 for value in metrics.values())


def training_losses(cfg):
    """Losses of the first batch, everything learning, all random numbers fixed."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    torch.nn.init.normal_(model.cascade['classification'].attention.classifiers[0].weight)
    model.train()
    torch.manual_seed(1)
    data = model.data_preprocessor(next(iter(loader)), True)
    return model(**data, mode='loss')


def test_nonsense_in_every_box_and_mask_gives_the_bit_identical_loss(place, tmp_path, monkeypatch):
    shutil.copytree(place / 'data', tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    register_all_modules()
    cfg = Config.fromfile(place / 'small.py')
    cfg.train_dataloader.dataset.pipeline[2].transforms[1].prob = 0.0
    before = training_losses(cfg)
    for folder in FINER:
        for path in (tmp_path / 'data/shapes/Shapes' / folder).iterdir():
            path.write_bytes(b'\x00nonsense\xff')
    after = training_losses(cfg)
    assert before['segmentation.loss_mask'] > 0
    assert before.keys() == after.keys()
    assert all(loss.equal(after[name]) for name, loss in before.items())


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='two processes need two GPUs')
def test_two_processes_keep_the_same_weights_through_all_phases(place, tmp_path):
    (tmp_path / 'rank_hook.py').write_text(RANK_HOOK)
    cfg = Config.fromfile(place / 'small.py')
    cfg.custom_imports = dict(imports=['rank_hook'])
    cfg.custom_hooks = [dict(type='SaveRank')]
    cfg.train_dataloader.batch_size = 2
    cfg.work_dir = str(tmp_path)
    cfg.dump(str(tmp_path / 'two.py'))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        result = run_script('dist_train.sh', tmp_path / 'two.py', 2, cwd=place)
    assert result.returncode == 0, result.stderr[-2000:]
    one, other = (torch.load(tmp_path / f'rank_{rank}.pth') for rank in (0, 1))
    assert all(value.equal(other[name]) for name, value in one.items())
    start = weights_of(tmp_path / 'epoch_1.pth')
    assert not one['backbone.stages.7.conv.weight'].equal(start['backbone.stages.7.conv.weight'])
