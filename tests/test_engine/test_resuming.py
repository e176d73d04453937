import errno
import os

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from test_tools.test_scripts import free_port
from torch import distributed
from torch.multiprocessing import spawn

from mmlabelpenet.engine.resuming import Schedule, same_place
from mmlabelpenet.registry import SCOPE
from mmlabelpenet.utils import AtomicBackend, UserError

from .toy_training import PHASES, SAVE, Toy, resumed, runner_of


def schedule(images=100, batch=1, processes=1, accumulation=1, order=None, **epochs):
    """A schedule of phases of some epochs, or of tuples of (epochs, iterations)."""
    epochs = epochs or dict(a=1, b=2, c=0.5)
    length = -(-images // (batch * processes))
    phases = {}
    for name in order or epochs:
        wanted, iterations = (epochs[name], None) if name in epochs else (1, None)
        if isinstance(wanted, tuple):
            wanted, iterations = wanted
        count = iterations or round(wanted * length)
        phases[name] = (count // accumulation * accumulation, wanted, iterations)
    return Schedule(images, batch, processes, accumulation, length, phases)


@pytest.mark.parametrize(
    ('iteration', 'new', 'expected'),
    [
        (0, schedule(batch=2), 0),
        (50, schedule(batch=2), 25),
        (100, schedule(batch=2), 50),
        (200, schedule(batch=2), 100),
        (300, schedule(batch=2), 150),
        (350, schedule(batch=2), 175),
        (150, schedule(processes=2), 75),
        (150, schedule(batch=2, processes=2, accumulation=5), 25 + 13 // 5 * 5),
        (200, schedule(images=50), 100),
        (200, schedule(images=300), 600),
        # at least one update, or parts would be copied again
        (101, schedule(batch=50), 2 + 1),
        (1, schedule(batch=50), 1),
        # the same passes of a longer or shorter phase; a later phase does not matter
        (100, schedule(a=3, b=2, c=0.5), 100),
        (50, schedule(a=3, b=2, c=0.5), 50),
        (150, schedule(a=3, b=2, c=0.5), 350),
        (350, schedule(a=1, b=2, c=3), 350),
        (250, schedule(a=1, b=1, c=0.5), 200),
        (250, schedule(a=1, b=2, c=5), 250),
        (250, schedule(a=1, b=2, d=5), 250),
        (150, schedule(b=2, c=0.5), 50),
        # passes or iterations
        (150, schedule(a=1, b=(0, 100), c=1), 150),
        (150, schedule(a=1, b=(0, 400), c=1, batch=2), 50 + 25),
    ],
)
def test_a_place_is_the_same_share_of_the_same_phase(iteration, new, expected):
    assert same_place(iteration, schedule(), new) == expected


def test_phases_in_iterations_keep_their_share_in_another_batch():
    old, new = schedule(a=(0, 40), b=(0, 80)), schedule(batch=4, a=(0, 40), b=(0, 80))
    assert [same_place(one, old, new) for one in (10, 40, 60, 120)] == [10, 40, 60, 120]
    # those of a protocol that follows the number of processes
    old = schedule(a=(0, 400), b=(0, 800), accumulation=4)
    new = schedule(a=(0, 133), b=(0, 267), processes=3)
    assert [same_place(one, old, new) for one in (200, 404, 400, 800, 1200)] == [
        67,
        134,
        133,
        133 + 133,
        400,
    ]
    assert same_place(133, new, old) == 400


def test_a_cut_update_is_lost():
    old = schedule(accumulation=10)
    assert same_place(57, old, schedule()) == 50
    assert same_place(7, old, schedule()) == 0


@pytest.mark.parametrize(
    'new',
    [
        schedule(a=1, d=1, b=2, c=0.5),
        schedule(b=2, a=1, c=0.5),
        schedule(a=1, c=0.5),
        schedule(c=0.5, a=1, b=2),
    ],
)
def test_phases_that_would_be_skipped_or_repeated_are_refused(new):
    with pytest.raises(UserError, match=r"was saved in phase 'b' of .*would skip or repeat"):
        same_place(150, schedule(), new)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Folder of a whole training: an epoch of a, then two of b."""
    folder = tmp_path_factory.mktemp('whole')
    runner_of(folder).train()
    return folder


def phases_after(checkpoint, work_dir, **changes):
    """What a resumed run trains, and its rates relative to the phase."""
    runner = resumed(checkpoint, work_dir, **changes)
    runner.train()
    return runner.model.record, runner


@pytest.mark.parametrize(
    ('epoch', 'changes', 'expected'),
    [
        (1, dict(batch=2), 'b' * 4),
        (2, dict(batch=2), 'b' * 2),
        (1, dict(batch=4), 'b' * 2),
        (1, dict(images=12), 'b' * 24),
        (2, dict(images=2), 'b' * 2),
        (3, dict(batch=2), ''),
        (1, dict(batch=2, accumulation=2), 'b' * 4),
        (2, dict(phases=PHASES | dict(second=dict(epochs=5, stages=['b']))), 'b' * 16),
        (3, dict(phases=PHASES | dict(third=dict(epochs=1, stages=['a']))), 'a' * 4),
        (3, dict(phases=PHASES | dict(second=dict(epochs=1, stages=['b']))), ''),
    ],
)
def test_a_run_with_other_settings_goes_on_in_the_same_place(
    whole, tmp_path, epoch, changes, expected
):
    record, runner = phases_after(whole / f'epoch_{epoch}.pth', tmp_path, **changes)
    assert ''.join(learning for [learning] in record) == expected
    assert runner.iter == runner.max_iters
    assert runner.epoch == runner.max_epochs


def test_rates_and_data_are_those_of_the_place(whole, tmp_path):
    """An uncut run of the new settings has the same rates and images after that place."""
    seen = {}

    class Note(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            rate = runner.optim_wrapper.get_lr()['lr'][0]
            images = [int(one) for one in data_batch['inputs']]
            seen.setdefault(runner.work_dir, []).append((runner.iter, runner.epoch, rate, images))

    hooks = [Note()]
    phases_after(whole / 'epoch_2.pth', tmp_path / 'cut', batch=2, lr=0.2, custom_hooks=hooks)
    runner_of(tmp_path / 'uncut', batch=2, lr=0.2, custom_hooks=hooks).train()
    cut, uncut = seen.values()
    assert cut == uncut[4:]


def test_a_run_with_the_same_settings_is_bit_equal(whole, tmp_path):
    expected = torch.load(whole / 'epoch_3.pth', weights_only=False)
    phases_after(whole / 'epoch_1.pth', tmp_path)
    found = torch.load(tmp_path / 'epoch_3.pth', weights_only=False)
    for name, value in expected['state_dict'].items():
        assert found['state_dict'][name].equal(value)
    assert str(found['optimizer']) == str(expected['optimizer'])
    assert found['meta']['schedule'] == expected['meta']['schedule']


def test_a_cut_epoch_goes_on_within_it(tmp_path):
    hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False))
    runner_of(tmp_path, hooks=hooks).train()
    record, _ = phases_after(tmp_path / 'iter_6.pth', tmp_path, batch=2)
    assert record == [('b',)] * 3  # 2 of 8 iterations are done: 1 of 4


def with_changes(path, new_path, change):
    checkpoint = torch.load(path, weights_only=False)
    change(checkpoint)
    torch.save(checkpoint, new_path)
    return new_path


def test_a_checkpoint_without_the_record_is_accepted_where_its_epochs_fit(whole, tmp_path):
    old = with_changes(
        whole / 'epoch_1.pth', tmp_path / 'old.pth', lambda one: one['meta'].pop('schedule')
    )
    record, _ = phases_after(old, tmp_path / 'same')
    assert record == [('b',)] * 8
    with pytest.raises(UserError, match='4 iterations in 1 epochs do not fit'):
        phases_after(old, tmp_path / 'other', batch=2)


@pytest.mark.parametrize('part', ['meta', 'optimizer', 'message_hub'])
def test_weights_alone_cannot_be_resumed(whole, tmp_path, part):
    bare = with_changes(whole / 'epoch_1.pth', tmp_path / 'bare.pth', lambda one: one.pop(part))
    with pytest.raises(UserError, match=r'bare.pth holds weights but not .* load_from='):
        phases_after(bare, tmp_path)


@pytest.mark.parametrize(
    'optimizer',
    [dict(type='AdamW', lr=0.1), dict(type='Adadelta', lr=0.1)],
)
def test_the_state_of_another_optimizer_is_refused(whole, tmp_path, optimizer):
    with pytest.raises(UserError, match='another optimizer'):
        phases_after(whole / 'epoch_1.pth', tmp_path, optimizer=optimizer)


def test_the_settings_of_the_optimizer_are_those_of_the_config(whole, tmp_path):
    optimizer = dict(type='SGD', lr=0.3, momentum=0.5, weight_decay=0.1)
    runner = phases_after(whole / 'epoch_1.pth', tmp_path, optimizer=optimizer)[1]
    [group] = runner.optim_wrapper.param_groups
    assert (group['initial_lr'], group['momentum'], group['weight_decay']) == (0.3, 0.5, 0.1)


def test_a_scheduler_s_state_is_not_converted(whole, tmp_path):
    scheduler = [dict(type='ConstantMomentum', factor=0.5, by_epoch=False, end=5)]
    with pytest.raises(UserError, match=r'batch size 1 -> 2.*param_scheduler'):
        phases_after(whole / 'epoch_1.pth', tmp_path, batch=2, param_scheduler=scheduler)


def test_weights_of_another_schedule_are_loaded_as_they_are(whole, tmp_path):
    runner = runner_of(tmp_path, batch=2, load_from=str(whole / 'epoch_1.pth'))
    runner.train()
    assert len(runner.model.record) == 6


def train_in_process(rank, port, work_dir, checkpoint):
    os.environ.update(RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    from mmengine.registry import init_default_scope

    from mmlabelpenet.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    init_default_scope(SCOPE)
    distributed.init_process_group('gloo', rank=rank, world_size=2)
    changes = dict(load_from=checkpoint, resume=True) if checkpoint else {}
    model = Toy()
    runner = runner_of(work_dir, model=model, **changes)
    runner.train()
    (work_dir / f'record_{get_rank()}').write_text(''.join(one for [one] in model.record))
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_go_on_where_one_was_cut_and_back(whole, tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')  # there may be one GPU only
    pair = tmp_path / 'pair'
    pair.mkdir()
    spawn(train_in_process, (free_port(), pair, str(whole / 'epoch_1.pth')), nprocs=2)
    assert [(pair / f'record_{rank}').read_text() for rank in (0, 1)] == ['b' * 4] * 2
    saved = torch.load(pair / 'epoch_2.pth', weights_only=False)['meta']
    assert (saved['iter'], saved['schedule']['processes']) == (4, 2)
    record, runner = phases_after(pair / 'epoch_2.pth', tmp_path / 'single')
    assert record == [('b',)] * 4
    assert runner.iter == 12


@pytest.mark.parametrize('saved', [False, True])
def test_a_full_disk_ends_the_training_in_a_sentence(tmp_path, monkeypatch, saved):
    put, full = AtomicBackend.put, SAVE['checkpoint'] | dict(backend_args=dict(backend='atomic'))

    def put_or_fail(self, obj, filepath):
        if not saved or 'epoch_2' in str(filepath):
            monkeypatch.setattr('pathlib.Path.write_bytes', no_space)
        put(self, obj, filepath)

    def no_space(path, content):
        raise OSError(errno.ENOSPC, 'No space left on device')

    runner = runner_of(tmp_path, hooks=dict(checkpoint=full))
    monkeypatch.setattr(AtomicBackend, 'put', put_or_fail)
    words = rf'epoch_{2 if saved else 1}.pth.*' + (
        r'go on from .*epoch_1.pth with --resume' if saved else 'start again'
    )
    with pytest.raises(UserError, match=rf'No space left on device: .*{words}'):
        runner.train()
    assert {path.name for path in tmp_path.glob('*.pth')} == ({'epoch_1.pth'} if saved else set())
    monkeypatch.undo()
    if saved:
        record, _ = phases_after(tmp_path / 'epoch_1.pth', tmp_path)
        assert record == [('b',)] * 8
