"""The commands on a few small generated images: propose, train, interrupt, resume, test."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from plain_configs import write_plain_yapf
from test_tools.test_scripts import run_script

from mmlabelpenet.apis import run_command
from mmlabelpenet.engine import CurriculumTrainLoop
from mmlabelpenet.engine.hooks.label_curve import measure_labels, spread_loader
from mmlabelpenet.registry import MODELS
from mmlabelpenet.testing import make_shapes
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
        model = getattr(runner.model, 'module', runner.model)
        weights = model.state_dict()
        torch.save(weights, f'{runner.work_dir}/rank_{get_rank()}.pth')
"""
KILLING = """
import os
from mmengine.hooks import Hook
from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import AtomicBackend


@HOOKS.register_module()
class KillHook(Hook):
    priority = 'LOWEST'

    def __init__(self, iteration=None, checkpoint=None):
        self.iteration = iteration
        if checkpoint is not None:
            put = AtomicBackend.put

            def put_half(self, obj, filepath, put=put):
                if str(filepath).endswith(checkpoint):
                    put(self, obj[: len(obj) // 2], str(filepath) + '.half')
                    os.rename(str(filepath) + '.half', str(filepath)[:-4] + '.tmp.pth')
                    os.kill(os.getpid(), 9)
                put(self, obj, filepath)

            AtomicBackend.put = put_half

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            os.kill(os.getpid(), 9)
"""


def run_tool(name, *args):
    """Run a tool of the repository within this process."""
    path = REPOSITORY / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run_command(module.main, [str(arg) for arg in args])


def small_config():
    """The Shapes config for images of about 80 pixels, an epoch each phase, small heads."""
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
    # Semantic attention and WSDDN's streams, which this config leaves out, are tested too.
    cfg.model.calibration.semantic = dict(
        in_channels=(40, 112, 1280), strides=(8, 16, 32), levels=(1, 2)
    )
    cascade.classification.update(
        roi_features=cascade.detection.box_head.roi_features,
        num_samples=16,
        score_proposals=False,
    )
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    return cfg


def backward_config():
    """The small config with a joint phase that alternates between forward and backward."""
    cfg = small_config()
    cfg.model.calibration.update(mode='full', validation=0.0)
    for phase in list(cfg.train_cfg.phases)[1:-1]:
        cfg.train_cfg.phases[phase] = None
    cfg.train_cfg.phases.classification.update(iterations=2)
    cfg.train_cfg.phases.joint.update(
        iterations=8, alternate=2, ramp=0.5, threshold=(0.1, 0.0), final_factor=1.0
    )
    cfg.train_cfg.feature_cache = None
    cfg.train_cfg.val_begin = 100
    cfg.train_dataloader.batch_size = 1
    return cfg


def learn_proposals(cfg):
    """Let the cascade of a config learn proposals after all else, in place."""
    cfg.model.proposals = dict(
        type='LearnedProposals', channels=8, sides=(16, 32, 64), num_proposals=30
    )
    cfg.train_cfg.order.append('proposals')
    cfg.train_cfg.phases.proposals = dict(epochs=1, warmup=0, stages=['proposals'], scales=False)


def add_lap(cfg):
    """Let a config's modules learn once more before the joint phase, on labels made anew."""
    stages = ['detection', 'refinement', 'segmentation']
    cfg.train_cfg.order.insert(-1, 'lap')
    cfg.train_cfg.phases.lap = dict(epochs=1, warmup=0, stages=stages, relabel=True)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with images, their proposals and a config, laid out as the repository."""
    root = tmp_path_factory.mktemp('place')
    make_shapes(root / 'data/shapes/Shapes', num_train=8, num_val=3, image_size=(64, 96))
    small_config().dump(str(root / 'small.py'))
    write_plain_yapf(root / 'lib')
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
        f'epoch_{epoch}.pth' for epoch in range(1, 7)
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

    whole, resumed = weights_of('whole/epoch_6.pth'), weights_of('cut/epoch_6.pth')
    assert whole.keys() == resumed.keys()
    assert all(value.equal(resumed[name]) for name, value in whole.items())
    before = weights_of('whole/epoch_1.pth')
    parts = ('backbone', 'calibration', 'cascade.classification', 'cascade.segmentation')
    for part in parts:
        names = [name for name in whole if name.startswith(part)]
        assert any(not whole[name].equal(before[name]) for name in names)

    run_tool(
        'test', 'small.py', 'cut/epoch_6.pth', '--work-dir', 'tested',
        '--eval', 'bbox', 'segm', 'corloc',
    )  # fmt: skip
    metrics = json.loads((place / 'tested/metrics.json').read_text())
    assert {'bbox_mAP_50', 'segm_mAP_50', 'corloc'} <= metrics.keys()
    assert all(0 <= value <= 1 for value in metrics.values())


def test_evaluating_pseudo_labels_does_not_influence_the_training(place, tmp_path):
    cfg = backward_config()
    cfg.train_dataloader.dataset.pipeline[2].transforms[1].prob = 0.5
    for name in ('plain', 'watched'):
        cfg.work_dir = str(tmp_path / name)
        cfg.dump(str(tmp_path / f'{name}.py'))
        run_tool('train', tmp_path / f'{name}.py')
        # Two batches, of which the first one is painted.
        cfg.corloc_dataloader.batch_size = 2
        cfg.custom_hooks = [dict(type='PseudoLabelHook', max_images=4, num_pictures=2)]
    plain, watched = (weights_of(tmp_path / name / 'epoch_2.pth') for name in ('plain', 'watched'))
    assert all(value.equal(watched[name]) for name, value in plain.items())

    lines = (tmp_path / 'watched/pseudo_labels.jsonl').read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [one['epoch'] for one in entries] == [1, 2]
    assert entries[-1]['phase'] == 'joint'
    assert all(0 <= one[name] <= 1 for one in entries for name in ('corloc', 'pseudo_mask_iou'))
    assert len(list((tmp_path / 'watched/pseudo_labels').glob('epoch_*/*.png'))) == 4


def test_the_curve_of_labels_is_written_and_does_not_influence_the_training(place, tmp_path):
    cfg = backward_config()
    cfg.train_dataloader.dataset.pipeline[2].transforms[1].prob = 0.5
    cfg.train_cfg.phases.detection = dict(
        iterations=2, stages=['detection'], epochs=1, warmup=0, scales=True
    )
    for name in ('plain', 'watched'):
        cfg.work_dir = str(tmp_path / name)
        cfg.dump(str(tmp_path / f'{name}.py'))
        run_tool('train', tmp_path / f'{name}.py')
        cfg.default_hooks.label_curve.num_images = 5
    last = max((tmp_path / 'plain').glob('epoch_*.pth')).name
    plain, watched = (weights_of(tmp_path / name / last) for name in ('plain', 'watched'))
    assert all(value.equal(watched[name]) for name, value in plain.items())
    assert not list((tmp_path / 'plain').glob('label_curve*'))

    entries = json.loads((tmp_path / 'watched/label_curve.json').read_text())
    seeds = ['attention', 'calibration']
    path = [*seeds, 'detection', 'refinement', 'passed on by refinement', 'segmentation']
    assert [(one['phase'], one['labels']) for one in entries] == [
        *(('classification', name) for name in seeds),
        *(('detection', name) for name in path[:3]),
        *(('joint', name) for name in (*path, 'validation', 'labelled anew')),
    ]
    for one in entries:
        assert 0 <= one['corloc'] <= 1
        assert 0 <= one['pseudo_mask_iou'] <= 1
        assert one['images'] == 5
        assert min(one['right'], one['wrong'], one['missed']) >= 0
    table = (tmp_path / 'watched/label_curve.md').read_text().splitlines()
    assert len(table) == len(entries) + 2
    assert table[0].startswith('| after phase | labels | CorLoc | mask IoU | right | wrong |')
    assert (tmp_path / 'watched/label_curve.png').stat().st_size > 5000


def test_learned_proposals_change_nothing_that_searches_and_need_no_files(place, tmp_path):
    cfg = backward_config()
    last = {}
    for name, learn in (('plain', None), ('learned', learn_proposals)):
        if learn is not None:
            learn(cfg)
        cfg.work_dir = str(tmp_path / name)
        cfg.dump(str(tmp_path / f'{name}.py'))
        run_tool('train', tmp_path / f'{name}.py')
        last[name] = max((tmp_path / name).glob('epoch_*.pth'))
    plain, learned = (weights_of(path) for path in last.values())
    assert all(value.equal(learned[name]) for name, value in plain.items())
    assert {name.split('.')[0] for name in learned.keys() - plain.keys()} == {'proposals'}
    before = weights_of(tmp_path / 'learned/epoch_1.pth')
    assert not learned['proposals.head.rpn_cls.weight'].equal(
        before['proposals.head.rpn_cls.weight']
    )

    figures = {}
    for name, *options in (
        ('plain',),
        ('learned', '--proposals', 'search'),
        ('learned', '--proposals', 'learned', '--cfg-options', 'proposal_root=nowhere'),
    ):
        args = ('--eval', 'bbox', 'segm', 'proposal', '--work-dir', tmp_path / 'tested')
        run_tool('test', tmp_path / f'{name}.py', last[name], *args, *options)
        metrics = json.loads((tmp_path / 'tested/metrics.json').read_text())
        figures[' '.join([name, *options[:2]])] = metrics
    assert figures['plain'] == figures['learned --proposals search']
    found = figures['learned --proposals learned']
    assert found.keys() == figures['plain'].keys()
    assert 0 < found['proposal_count'] <= 30
    assert found['proposal_recall_50'] > 0


def training_losses(cfg):
    """Losses of the first batch when all parts learn, with fixed random numbers."""
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
    cfg.default_hooks.label_curve.num_images = 5  # one of the two processes repeats an image
    learn_proposals(cfg)
    cfg.dump(str(tmp_path / 'two.py'))
    with pytest.MonkeyPatch.context() as patch:
        for folder in (tmp_path, place / 'lib'):
            patch.syspath_prepend(folder)
        result = run_script('dist_train.sh', tmp_path / 'two.py', 2, cwd=place)
    assert result.returncode == 0, result.stderr[-6000:]
    one, other = (torch.load(tmp_path / f'rank_{rank}.pth') for rank in (0, 1))
    assert all(value.equal(other[name]) for name, value in one.items())
    start = weights_of(tmp_path / 'epoch_1.pth')
    for name in ('backbone.stages.7.conv.weight', 'proposals.head.rpn_conv.weight'):
        assert not one[name].equal(start[name])

    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(one)
    with torch.no_grad():
        loader = spread_loader(cfg.corloc_dataloader, 5)
        labels = measure_labels(model, loader, list(model.cascade.steps))
    entries = json.loads((tmp_path / 'label_curve.json').read_text())
    assert [
        {'phase': 'proposals', 'images': 5, 'iter': entries[-1]['iter'], **o} for o in labels
    ] == [one for one in entries if one['phase'] == 'proposals']


def run_in_own_process(cfg, work_dir, *args):
    """Train in a process of its own, which may be killed; return its exit code and messages."""
    cfg.work_dir = str(work_dir)
    config = work_dir.with_suffix('.py')
    cfg.dump(str(config))
    result = subprocess.run(
        [sys.executable, str(REPOSITORY / 'tools/train.py'), str(config), *args],
        env={
            **os.environ,
            'OMP_NUM_THREADS': '1',
            'PYTHONPATH': os.pathsep.join(
                map(str, (REPOSITORY, config.parent, Path('lib').resolve()))
            ),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    return result.returncode, result.stderr


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights_at_any_iteration(place, tmp_path):
    (tmp_path / 'killing.py').write_text(KILLING)

    def config(**kill):
        cfg = backward_config()
        cfg.custom_imports = dict(imports=['killing'])
        cfg.custom_hooks = [dict(type='KillHook', **kill)] if kill else []
        cfg.default_hooks.checkpoint.update(interval=3, by_epoch=False)
        # Workers persist between passes, and the first pass ends within the joint phase.
        cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
        return cfg

    assert run_in_own_process(config(), tmp_path / 'whole')[0] == 0
    cut = tmp_path / 'cut'
    code, output = run_in_own_process(config(iteration=5), cut)
    assert code == -9, output[-2000:]
    assert (cut / 'last_checkpoint').read_text().endswith('iter_3.pth')
    code, output = run_in_own_process(config(checkpoint='iter_9.pth'), cut, '--resume')
    assert code == -9, output[-2000:]
    assert (cut / 'last_checkpoint').read_text().endswith('iter_6.pth')
    assert not (cut / 'iter_9.pth').exists()
    code, output = run_in_own_process(config(), cut, '--resume')
    assert code == 0, output[-2000:]

    whole, resumed = (weights_of(tmp_path / name / 'iter_9.pth') for name in ('whole', 'cut'))
    assert all(value.equal(resumed[name]) for name, value in whole.items())
    start = weights_of(tmp_path / 'whole/iter_3.pth')
    assert any(not value.equal(whole[name]) for name, value in start.items())


def test_labels_made_anew_last_through_a_resumed_run(place, tmp_path, monkeypatch):
    cfg = small_config()
    cfg.train_dataloader.dataset.pipeline[2].transforms[1].prob = 0.5
    cfg.train_cfg.val_begin = 100
    for phase in ('semantic', 'refinement'):
        cfg.train_cfg.phases[phase] = None
    add_lap(cfg)
    cfg.dump(str(tmp_path / 'lap.py'))
    run_tool('train', tmp_path / 'lap.py', '--work-dir', tmp_path / 'whole')
    whole = torch.load(tmp_path / 'whole/epoch_5.pth', map_location='cpu', weights_only=False)
    labels = whole['labels']
    assert len(labels) == 8
    before = torch.load(tmp_path / 'whole/epoch_3.pth', map_location='cpu', weights_only=False)
    assert 'labels' not in before

    def relabelled_again(*args):
        raise AssertionError('a run that goes on has its labels')

    monkeypatch.setattr('mmlabelpenet.engine.stored_labels.relabelled', relabelled_again)
    (tmp_path / 'cut').mkdir()
    last = tmp_path / 'cut/epoch_4.pth'
    shutil.copy(tmp_path / 'whole/epoch_4.pth', last)
    run_tool('train', tmp_path / 'lap.py', '--work-dir', tmp_path / 'cut', '--resume', last)
    resumed = torch.load(tmp_path / 'cut/epoch_5.pth', map_location='cpu', weights_only=False)
    for name, value in whole['state_dict'].items():
        assert value.equal(resumed['state_dict'][name])
    assert labels.keys() == resumed['labels'].keys()


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='two processes need two GPUs')
def test_two_processes_equal_one_that_accumulates(place, tmp_path):
    (tmp_path / 'rank_hook.py').write_text(RANK_HOOK)
    cfg = backward_config()
    cfg.custom_imports = dict(imports=['rank_hook'])
    cfg.custom_hooks = [dict(type='SaveRank')]
    # Adam divides by the size of a gradient, which enlarges differences of rounding.
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.01, momentum=0.9)
    cfg.optim_wrapper.paramwise_cfg = None
    cfg.default_hooks.feature_statistics.num_images = 0
    for iterations, name in ((16, 'one'), (8, 'two')):
        for phase in ('classification', 'joint'):
            cfg.train_cfg.phases[phase].iterations = (
                iterations if phase == 'joint' else iterations // 4
            )
        cfg.optim_wrapper.accumulative_counts = 2 if name == 'one' else 1
        cfg.work_dir = str(tmp_path / name)
        cfg.dump(str(tmp_path / f'{name}.py'))
    with pytest.MonkeyPatch.context() as patch:
        for folder in (tmp_path, place / 'lib'):
            patch.syspath_prepend(folder)
        result = run_script('dist_train.sh', tmp_path / 'two.py', 2, cwd=place)
        assert result.returncode == 0, result.stderr[-6000:]
        run_tool('train', tmp_path / 'one.py')
    one, other = (torch.load(tmp_path / f'two/rank_{rank}.pth') for rank in (0, 1))
    single = torch.load(tmp_path / 'one/rank_0.pth')
    assert all(value.equal(other[name]) for name, value in one.items())
    before = weights_of(tmp_path / 'two/epoch_1.pth')
    for part in ('backbone', 'classification', 'detection', 'refinement', 'segmentation'):
        moved = [(one[name] - before[name]).abs().max() for name in one if part in name]
        assert max(moved) > 5e-4, part  # well above the tolerance below
    for name, value in single.items():
        torch.testing.assert_close(one[name], value, rtol=0, atol=1e-4, msg=name)
