"""Bad inputs of resumed runs and of the caches of features and labels."""

import errno
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from .table import BadInput

FIRST, SECOND = dict(epochs=1, stages=['a']), dict(epochs=2, stages=['b'])
DISTORTED = [dict(type='Resize', scale=(64, 48)), dict(type='PhotoMetricDistortion')]


def toy() -> Any:
    """Import the toy training, which the page of the documentation does not need."""
    from test_engine import toy_training

    from mmlabelpenet.utils import register_all_modules

    register_all_modules()
    return toy_training


@cache
def saved() -> dict:
    """The checkpoint after an epoch of phase `first` and one of two of phase `second`."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        toy().runner_of(folder).train()
        return torch.load(f'{folder}/epoch_2.pth', weights_only=False)


def resumes(change: Callable[[dict], Any] = dict, **changes: Any) -> Callable[[Path], None]:
    """Resume a training in other settings, from a changed checkpoint."""

    def run(root: Path) -> None:
        import torch

        checkpoint = saved()
        checkpoint = {**checkpoint, 'meta': dict(checkpoint['meta'])}
        change(checkpoint)
        torch.save(checkpoint, root / 'epoch_2.pth')
        toy().resumed(root / 'epoch_2.pth', root / 'run', **changes).train()

    return run


def phases(**changes: Any) -> dict:
    """The phases that the checkpoint was trained with, with changes."""
    return dict(phases=dict(first=FIRST, second=SECOND) | changes)


def without_record(checkpoint: dict) -> None:
    """Make it a checkpoint of an earlier version."""
    del checkpoint['meta']['schedule']


def missing(root: Path) -> None:
    """Resume from a checkpoint that is not there."""
    from mmengine.config import Config

    from mmlabelpenet.apis import train_detector

    cfg = Config(dict(work_dir=str(root / 'work'), launcher='none'))
    train_detector(cfg, resume=f'{root}/epoch_1.pth')


def too_short(root: Path) -> None:
    """Train phases of a tenth of an epoch on four photos."""
    short = dict(epochs=0.1, stages=['a'])
    toy().runner_of(root / 'run', phases=dict(first=short, second=short)).train()


def on_a_full_disk(root: Path, epoch: int) -> None:
    """Train until the checkpoint of an epoch finds no space."""
    from mmlabelpenet.utils import AtomicBackend

    put = AtomicBackend.put

    def put_until(backend: Any, content: bytes, path: str) -> None:
        error = OSError(errno.ENOSPC, 'No space left on device')
        full = mock.patch.object(Path, 'write_bytes', side_effect=error)
        with full if f'epoch_{epoch}.' in str(path) else mock.MagicMock():
            put(backend, content, path)

    hook = dict(type='CheckpointHook', interval=1, backend_args=dict(backend='atomic'))
    with mock.patch.object(AtomicBackend, 'put', put_until):
        toy().runner_of(root / 'run', hooks=dict(checkpoint=hook)).train()


def cached_distortion(root: Path) -> None:
    """Cache the features of photos whose colours change at random."""
    from mmcv.transforms import Compose

    from mmlabelpenet.datasets import require_cacheable_transforms
    from mmlabelpenet.registry import TRANSFORMS

    toy()
    pipeline = Compose([TRANSFORMS.build(config) for config in DISTORTED])
    require_cacheable_transforms(SimpleNamespace(pipeline=pipeline))


def loss_of_no_number(root: Path) -> None:
    """Train on a photo that gives no number as loss."""
    import torch
    from mmengine.structures import BaseDataElement

    from mmlabelpenet.engine import FiniteLossHook

    (root / 'epoch_3.pth').touch()
    sample = BaseDataElement(metainfo=dict(img_path=f'{root}/a.jpg'))
    losses = {'detection.loss_cls': torch.tensor(float('nan'))}
    runner = SimpleNamespace(work_dir=str(root), iter=6)
    FiniteLossHook().after_train_iter(runner, 0, dict(data_samples=[sample]), losses)


def of(**changes: Any) -> Callable[[dict], Any]:
    """Change parts of a checkpoint."""
    return lambda checkpoint: checkpoint.update(changes)


def of_meta(**changes: Any) -> Callable[[dict], Any]:
    """Change what a checkpoint says of its training."""
    return lambda checkpoint: checkpoint['meta'].update(changes)


NO_STATE = (
    'holds weights but not the state of a training: resume from a checkpoint that a training saved'
)
NOT_SAVED = (
    'cannot be resumed, since its {} is not what a training saves: resume from another checkpoint'
)
DAMAGED = [
    ('no optimizer', of(optimizer=None), NO_STATE),
    ('an empty optimizer', of(optimizer={}), NO_STATE),
    ('an empty meta', of(meta=None), NO_STATE),
    (
        'an optimizer without parameters',
        of(optimizer=dict(state={}, param_groups=[])),
        NOT_SAVED.format('optimizer'),
    ),
    ('an array as optimizer', of(optimizer=np.ones(3)), NOT_SAVED.format('optimizer')),
    ('a number as message_hub', of(message_hub=3), NOT_SAVED.format('message_hub')),
    ('an iteration as text', of_meta(iter='4'), NOT_SAVED.format('iter')),
    ('a negative iteration', of_meta(iter=-3), NOT_SAVED.format('iter')),
    ('an epoch as text', of_meta(epoch='2'), NOT_SAVED.format('epoch')),
    ('a seed as text', of_meta(seed='x'), NOT_SAVED.format('seed')),
    ('no schedule', of_meta(schedule=None), NOT_SAVED.format('schedule')),
    ('an empty schedule', of_meta(schedule={}), NOT_SAVED.format('schedule')),
    (
        'an iteration past its end',
        of_meta(iter=10**9),
        'says that iteration 1000000000 was reached, which is past the end of its own training, '
        'so its state is damaged: resume from another checkpoint',
    ),
]
ROWS = [
    BadInput(
        'a new phase before the one that the checkpoint is in',
        resumes(**phases(middle=FIRST), order=['first', 'middle', 'second']),
        "{root}/epoch_2.pth was saved in phase 'second' of ['first', 'second'], and "
        "the phases of this config, ['first', 'middle', 'second'], would skip or "
        'repeat some of them: resume with the phases that it was trained with, or '
        'begin a new run with its weights (without --resume, with --cfg-options '
        'load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'phases in another order',
        resumes(**phases(), order=['second', 'first']),
        "{root}/epoch_2.pth was saved in phase 'second' of ['first', 'second'], and "
        "the phases of this config, ['second', 'first'], would skip or repeat some of "
        'them: resume with the phases that it was trained with, or begin a new run '
        'with its weights (without --resume, with --cfg-options '
        'load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'the phase that the checkpoint is in is dropped',
        resumes(**phases(second=None)),
        "{root}/epoch_2.pth was saved in phase 'second' of ['first', 'second'], and "
        "the phases of this config, ['first'], would skip or repeat some of them: "
        'resume with the phases that it was trained with, or begin a new run with its '
        'weights (without --resume, with --cfg-options load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'the phase that the checkpoint is in has another name',
        resumes(phases=dict(first=FIRST, detection=SECOND)),
        "{root}/epoch_2.pth was saved in phase 'second' of ['first', 'second'], and "
        "the phases of this config, ['first', 'detection'], would skip or repeat some "
        'of them: resume with the phases that it was trained with, or begin a new run '
        'with its weights (without --resume, with --cfg-options '
        'load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'a trained phase is moved behind the one that the checkpoint is in',
        resumes(**phases(third=FIRST), order=['third', 'second', 'first']),
        "{root}/epoch_2.pth was saved in phase 'second' of ['first', 'second'], and "
        "the phases of this config, ['third', 'second', 'first'], would skip or repeat "
        'some of them: resume with the phases that it was trained with, or begin a new '
        'run with its weights (without --resume, with --cfg-options '
        'load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'a checkpoint of an earlier version, another batch size',
        resumes(without_record, batch=2),
        '{root}/epoch_2.pth does not say what an iteration means, and 8 iterations in '
        '2 epochs do not fit this config, whose epochs have 2: resume with the batch '
        'size, the number of processes and the photos that it was trained with, or '
        'begin a new run with its weights (without --resume, with --cfg-options '
        'load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'a checkpoint of an earlier version, other photos',
        resumes(without_record, images=7),
        '{root}/epoch_2.pth does not say what an iteration means, and 8 iterations in '
        '2 epochs do not fit this config, whose epochs have 7: resume with the batch '
        'size, the number of processes and the photos that it was trained with, or '
        'begin a new run with its weights (without --resume, with --cfg-options '
        'load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'weights without the state of a training',
        resumes(lambda one: one.pop('optimizer')),
        '{root}/epoch_2.pth holds weights but not the state of a training: resume from '
        'a checkpoint that a training saved, or begin a new run with its weights '
        '(without --resume, with --cfg-options load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'weights without a number of iterations',
        resumes(lambda one: one['meta'].pop('iter')),
        '{root}/epoch_2.pth holds weights but not the state of a training: resume from '
        'a checkpoint that a training saved, or begin a new run with its weights '
        '(without --resume, with --cfg-options load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'another optimizer',
        resumes(optimizer=dict(type='AdamW', lr=0.1)),
        '{root}/epoch_2.pth was trained with another optimizer (1 and here 1 groups of '
        "parameters, not in common ['amsgrad', 'betas', 'capturable', 'dampening', "
        "'decoupled_weight_decay', 'eps', 'momentum', 'nesterov']): resume with the "
        'optim_wrapper that it was trained with, or begin a new run with its weights '
        '(without --resume, with --cfg-options load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'a scheduler, another batch size and other photos',
        resumes(
            batch=2, images=6, param_scheduler=[dict(type='LinearMomentum', start_factor=0.5)]
        ),
        '{root}/epoch_2.pth was trained with other settings (images 4 -> 6, batch size '
        '1 -> 2, epoch length 4 -> 3, phases), and the config has a param_scheduler, '
        'whose state cannot be converted: resume with the settings that it was trained '
        'with, or begin a new run with its weights (without --resume, with '
        '--cfg-options load_from={root}/epoch_2.pth).',
    ),
    BadInput(
        'a checkpoint that is not there',
        missing,
        'There is no checkpoint {root}/epoch_1.pth; train first, or fix the path.',
    ),
    BadInput(
        'a full disk at the first checkpoint',
        partial(on_a_full_disk, epoch=1),
        'The training stopped at iteration 4 of 12 ([Errno 28] No space left on '
        "device: '{root}/run/epoch_1.pth'), and what was saved before is whole: free "
        'space or repair that, then start again.',
    ),
    BadInput(
        'a full disk at a later checkpoint',
        partial(on_a_full_disk, epoch=2),
        'The training stopped at iteration 8 of 12 ([Errno 28] No space left on '
        "device: '{root}/run/epoch_2.pth'), and what was saved before is whole: free "
        'space or repair that, then go on from {root}/run/epoch_1.pth with --resume.',
    ),
    BadInput(
        'phases of less than an iteration',
        too_short,
        "train_cfg.phases ['first', 'second'] are shorter than half an iteration of 4 a "
        'pass: raise their epochs, give iterations, or set them to None.',
    ),
    BadInput(
        'a loss that is no number',
        loss_of_no_number,
        'detection.loss_cls is nan at iteration 7, on {root}/a.jpg; the last good '
        'checkpoint is {root}/epoch_3.pth: look at that photo and its proposals, or '
        'lower the learning rate.',
    ),
    BadInput(
        'a feature cache of photos with random colours',
        cached_distortion,
        'The feature cache can not tell apart what PhotoMetricDistortion makes of a '
        'photo: take it out of the training pipeline, or say '
        'train_cfg.feature_cache=None.',
    ),
    *(
        BadInput(
            f'a state of a training with {name}',
            resumes(change),
            f'{{root}}/epoch_2.pth {fault}, or begin a new run with its weights (without '
            '--resume, with --cfg-options load_from={root}/epoch_2.pth).',
        )
        for name, change, fault in DAMAGED
    ),
]
