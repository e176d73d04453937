"""A training of a toy model, for tests of resumed runs."""

from pathlib import Path

import torch
from mmengine.runner import Runner

from .test_curriculum_train_loop import TwoStages

PHASES = dict(
    first=dict(epochs=1, stages=['a'], warmup=0),
    second=dict(epochs=2, stages=['b'], lr_factor=0.5, warmup=0),
)
SAVE = dict(checkpoint=dict(type='CheckpointHook', interval=1))


class Toy(TwoStages):
    """Its stages learn, each towards 1; it records which one does."""

    def forward(self, inputs, data_samples=None, mode='loss'):
        self.record.append(self.step.learning)
        parts = [self.cascade.steps[name] for name in self.step.learning]
        noise = torch.rand(1) * inputs[0].mean().cpu()  # where the stages stay
        return dict(loss=sum((part.weight - noise).square().sum() for part in parts))


def runner_of(
    work_dir,
    batch=1,
    images=4,
    phases=PHASES,
    model=None,
    lr=0.1,
    optimizer=None,
    accumulation=1,
    order=None,
    hooks=SAVE,
    **changes,
):
    """A runner of the toy model that saves after every epoch."""
    dataset = [dict(inputs=torch.full((1,), float(index))) for index in range(images)]
    return Runner(
        model=model or Toy(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=batch,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(type='CurriculumTrainLoop', phases=phases, order=order),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=optimizer or dict(type='SGD', lr=lr, momentum=0.9),
            accumulative_counts=accumulation,
        ),
        default_hooks=hooks,
        default_scope='mmlabelpenet',
        randomness=dict(seed=5),
        experiment_name=f'{Path(work_dir).name}_{batch}_{images}_{id(changes)}',
        log_level='ERROR',
        **changes,
    )


def resumed(checkpoint, work_dir, **changes):
    """A runner that resumes from a checkpoint."""
    return runner_of(work_dir, load_from=str(checkpoint), resume=True, **changes)
