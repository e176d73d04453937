from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmlabelpenet.engine import CurriculumTrainLoop
from mmlabelpenet.engine.loops import Phase, build_phases
from mmlabelpenet.utils import UserError

PHASES = dict(
    first=dict(epochs=2, stages=['a'], warmup=0),
    dropped=None,
    empty=dict(epochs=0, stages=['a']),
    second=dict(epochs=1, stages=['b'], lr_factor=0.5, warmup=0),
    joint=dict(epochs=1, stages=['a', 'b'], backbone=True, warmup=0),
)
IMAGES = 3


class TwoStages(BaseModel):
    """A model that only records its steps and a random number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.backbone = nn.Identity()
        self.cascade = nn.Module()
        self.cascade.steps = dict(a=nn.Linear(1, 1), b=nn.Linear(1, 1))
        self.cascade.learnable = ('a', 'b')
        self.cascade.labels_cacheable = lambda step: False
        self.step = None
        self.record = []

    def forward(self, inputs, data_samples=None, mode='loss'):
        self.record.append((self.step.learning, self.step.backbone, torch.rand(1).item()))
        return dict(loss=(self.weight - 1).square().sum())


def run_training(work_dir, phases=PHASES, model=None, **changes):
    """Train; return the recording model and the rate of every iteration."""
    rates = []

    class Rates(Runner):
        def call_hook(self, name, **kwargs):
            if name == 'after_train_iter':
                rates.append(self.optim_wrapper.get_lr()['lr'][0])
            super().call_hook(name, **kwargs)

    model = model or TwoStages()
    Rates(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            dataset=[dict(inputs=torch.zeros(1))] * IMAGES,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(type='CurriculumTrainLoop', phases=phases),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        default_scope='mmlabelpenet',
        randomness=dict(seed=5),
        experiment_name=f'{work_dir.name}_{len(rates)}',
        log_level='ERROR',
        **changes,
    ).train()
    return model, rates


def test_phases_of_no_epoch_and_none_are_dropped():
    assert list(build_phases(PHASES)) == ['first', 'second', 'joint']
    with pytest.raises(ValueError, match='no phase'):
        build_phases(dict(first=None, second=dict(epochs=0, stages=['a'])))


def test_phases_that_are_shorter_than_half_an_iteration_are_refused(tmp_path):
    # Of three images, a tenth of a pass is no iteration.
    phases = dict(first=dict(epochs=0.1, stages=['a']), second=dict(epochs=0.1, stages=['b']))
    with pytest.raises(UserError, match=r"\['first', 'second'\] are shorter than half an iter"):
        run_training(tmp_path, phases)
    phases['second'] = dict(epochs=1, stages=['b'])
    with pytest.raises(UserError, match=r"\['first'\] are shorter than half an iteration"):
        run_training(tmp_path, phases)


def test_order_decides_when_phases_run_however_they_are_written():
    written = dict(sorted(PHASES.items()))
    order = list(PHASES)
    assert list(build_phases(written, order)) == ['first', 'second', 'joint']
    with pytest.raises(ValueError, match=r"\['joint'\] are not in train_cfg.order"):
        build_phases(PHASES, [name for name in order if name != 'joint'])


def test_a_phase_without_stages_is_refused():
    with pytest.raises(ValueError, match="'idle' has no stages"):
        build_phases(dict(idle=dict(epochs=1, stages=[])))


def test_the_log_of_a_phase_has_no_loss_of_the_phase_before(tmp_path):
    seen = []

    class Parts(TwoStages):
        def forward(self, inputs, data_samples=None, mode='loss'):
            loss = super().forward(inputs)['loss']
            return {f'loss_{name}': loss for name in self.step.learning}

        def train_step(self, data, optim_wrapper):
            from mmengine.logging import MessageHub

            seen.append({k for k in MessageHub.get_current_instance().log_scalars if 'loss' in k})
            return super().train_step(data, optim_wrapper)

    run_training(tmp_path, model=Parts())
    assert seen[2 * IMAGES - 1] == {'train/loss', 'train/loss_a'}
    assert seen[2 * IMAGES] == set()
    assert seen[2 * IMAGES + 1] == {'train/loss', 'train/loss_b'}


def test_phases_follow_from_the_iteration():
    loop = SimpleNamespace(
        phases=build_phases(PHASES), ends=dict(first=6, second=9, joint=12), max_iters=12
    )
    found = [CurriculumTrainLoop.phase_at(loop, iteration) for iteration in (0, 5, 6, 11)]
    assert [name for name, *_ in found] == ['first', 'first', 'second', 'joint']
    assert [begin for *_, begin, _ in found] == [0, 0, 6, 9]
    assert [length for *_, length in found] == [6, 6, 3, 3]
    with pytest.raises(IndexError, match='iteration 12'):
        CurriculumTrainLoop.phase_at(loop, 12)


def test_a_phase_is_as_long_as_its_epochs_or_iterations_in_whole_updates():
    assert Phase(2, ('a',)).length(5) == 10
    assert Phase(0.5, ('a',)).length(5) == 2
    assert Phase(2, ('a',), iterations=7).length(5) == 7
    assert Phase(1, ('a',)).length(5, accumulation=2) == 4
    assert Phase(1, ('a',)).length(1, accumulation=2) == 2
    assert Phase(0, ('a',)).length(5) == 0


def test_a_phase_of_epochs_over_few_images_has_its_least_number_of_updates():
    assert Phase(2, ('a',), min_updates=8).length(3) == 8
    assert Phase(2, ('a',), min_updates=8).length(3, accumulation=2) == 16
    assert Phase(2, ('a',), min_updates=8).length(5) == 10
    assert Phase(2, ('a',), min_updates=8, iterations=7).length(3) == 7
    assert Phase(0, ('a',), min_updates=8).length(3) == 0


def test_stages_fade_in_in_the_order_of_the_phase():
    phase = Phase(1, ('a', 'b', 'c'), ramp=0.5, weights=dict(c=2.0))
    weights = [phase.step(update, 8).weights for update in range(8)]
    assert [w['a'] for w in weights] == [1] * 8
    assert [w['b'] for w in weights] == [0, 0.5, 1, 1, 1, 1, 1, 1]
    assert [w['c'] for w in weights] == [0, 0, 0, 1, 2, 2, 2, 2]
    assert Phase(1, ('a', 'b')).step(0, 8).weights == dict(a=1, b=1)


def test_the_threshold_moves_and_directions_alternate():
    phase = Phase(1, ('a',), threshold=(0.7, 0.3), alternate=2)
    steps = [phase.step(update, 8) for update in range(8)]
    assert [step.threshold for step in steps[::2]] == pytest.approx([0.7, 0.6, 0.5, 0.4])
    assert [step.direction[0] for step in steps] == list('ffbbffbb')
    assert {Phase(1, ('a',)).step(i, 8).direction for i in range(8)} == {'forward'}
    assert Phase(1, ('a',), threshold=0.2).step(3, 8).threshold == 0.2


@pytest.mark.parametrize(
    ('phase', 'words'),
    [(dict(stages=['a'], epoch=1), 'unknown'), (dict(stages=['a'], weights=dict(b=1)), "'b'")],
)
def test_a_setting_without_effect_is_refused(phase, words):
    with pytest.raises(ValueError, match=words):
        build_phases(dict(first=dict(epochs=1, **phase)))


def test_the_rate_rises_then_falls():
    phase = Phase(2, ('a',), lr_factor=2.0, warmup=10, final_factor=0.05)
    assert phase.rate(0, 100) == pytest.approx(2 * 0.1)
    assert phase.rate(9, 100) == pytest.approx(2 * (0.05 + 0.95 * 0.9801), rel=1e-3)
    assert phase.rate(50, 100) == pytest.approx(2 * 0.525)
    assert phase.rate(100, 100) == pytest.approx(2 * 0.05)
    warm = [phase.rate(i, 100) for i in range(10)]
    assert warm == sorted(warm)
    falling = [phase.rate(i, 100) for i in range(10, 101)]
    assert falling == sorted(falling, reverse=True)


def test_the_rate_falls_in_steps_where_they_are_named():
    phase = Phase(warmup=0, steps=(0.7, 0.9))
    rates = [phase.rate(update, 10) for update in range(10)]
    assert rates[:7] == [1.0] * 7
    assert rates[7:] == pytest.approx([0.1, 0.1, 0.01])
    assert Phase(warmup=0, steps=()).rate(9, 10) == 1.0


def test_stages_learn_by_phase_at_the_phase_s_rate(tmp_path):
    model, rates = run_training(tmp_path)
    assert [entry[:2] for entry in model.record] == [
        *[(('a',), False)] * 2 * IMAGES,
        *[(('b',), False)] * IMAGES,
        *[(('a', 'b'), True)] * IMAGES,
    ]
    firsts = [rates[0], rates[2 * IMAGES], rates[3 * IMAGES]]
    assert firsts == pytest.approx([0.1, 0.05, 0.1])
    # One step before the end of each cosine.
    assert rates[2 * IMAGES - 1] == pytest.approx(0.1 * Phase(2, (), warmup=0).rate(5, 6))
    assert rates[2 * IMAGES - 1] < rates[0]
    assert rates[-1] < rates[3 * IMAGES]


def test_a_resumed_run_equals_one_that_was_not_interrupted(tmp_path):
    hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
    whole, rates = run_training(tmp_path / 'whole', default_hooks=hooks)
    resumed, later_rates = run_training(
        tmp_path / 'resumed',
        load_from=str(tmp_path / 'whole' / 'epoch_2.pth'),
        resume=True,
    )
    assert later_rates == rates[2 * IMAGES :]
    assert resumed.record == whole.record[2 * IMAGES :]
    assert resumed.weight.equal(whole.weight)
    assert len({entry[2] for entry in whole.record}) == len(whole.record)


class Copying(TwoStages):
    """Its second stage starts as a copy of the first and learns to be 1."""

    def __init__(self):
        super().__init__()
        self.cascade.a, self.cascade.b = self.cascade.steps['a'], self.cascade.steps['b']

    def forward(self, inputs, data_samples=None, mode='loss'):
        super().forward(inputs)
        learns = self.cascade.steps[self.step.learning[-1]]
        return dict(loss=(learns.bias - 1).square().sum())


def test_parts_are_copied_when_a_phase_begins_and_not_again_when_it_is_resumed(tmp_path):
    copied = {'b': 'a'}
    phases = dict(
        first=dict(epochs=1, stages=['a'], warmup=0),
        second=dict(epochs=2, stages=['b'], warmup=0, start_from=copied),
    )
    hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
    whole, _ = run_training(tmp_path / 'whole', phases, Copying(), default_hooks=hooks)
    assert whole.cascade.b.weight.equal(whole.cascade.a.weight)  # copied, without a gradient
    assert not whole.cascade.b.bias.equal(whole.cascade.a.bias)
    middle = dict(load_from=str(tmp_path / 'whole' / 'epoch_2.pth'), resume=True)
    resumed, _ = run_training(tmp_path / 'resumed', phases, Copying(), **middle)
    assert len(resumed.record) == IMAGES
    assert resumed.cascade.b.bias.equal(whole.cascade.b.bias)
