"""Training the model of a config."""

from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmlabelpenet.engine.distributed import prepare_distributed, require_place
from mmlabelpenet.engine.optimisation import enable_amp
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.utils import (
    UserError,
    latest_checkpoint,
    quieten,
    register_all_modules,
    require_writable,
    say,
    stop_advice,
    unwrap_model,
)

from .building import explain_build_errors, require_levels
from .checkpoint import read_checkpoint, require_common_weights, require_same_model
from .classes import unify_trained_classes
from .configs import require_model, require_num_classes
from .corrections import use_corrections
from .forecast import ForecastHook


class QuietRunner(Runner):
    """mmengine's runner, which logs environment and config to the file alone.

    A config without :class:`ScreenHook`, or with a verbose one, has mmengine's screen.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger of the run."""
        logger = super().build_logger(*args, **kwargs)
        screen = (self.cfg.get('default_hooks') or {}).get('screen')
        if screen and not screen.get('verbose'):
            quieten(logger)
        return logger


def build_runner(cfg: Config) -> Runner:
    """Build the runner type that the config names, by default :class:`QuietRunner`.

    Args:
        cfg: The whole config.

    Raises:
        UserError: If the config has no model, or a part of it cannot be built.
    """
    require_model(cfg)
    register_all_modules(init_default_scope=False)
    require_place(cfg.launcher)
    prepare_distributed(cfg)
    require_writable(cfg.work_dir, folder=True)
    for parts in _GROUPS:
        _require_together(cfg, *parts)
    with explain_build_errors(cfg.filename):
        return RUNNERS.build(cfg) if 'runner_type' in cfg else QuietRunner.from_cfg(cfg)


def _require_together(cfg: Config, loader: str, *others: str) -> None:
    given = [name for name in (loader, *others) if cfg.get(name) is not None]
    lacking = [name for name in (loader, *others) if name not in given]
    if given and lacking:
        raise UserError(
            f'{cfg.filename} has {given[0]} but no {lacking[0]}: set both, or both to None.'
        )
    if given and cfg[loader].get('sampler') is None:
        raise UserError(
            f'{cfg.filename}: {loader} lacks sampler: set {loader}.sampler, such as '
            "dict(type='DefaultSampler', shuffle=True)."
        )


# mmengine takes all settings of a group or none.
_GROUPS = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)


def _scale_learning_rate(cfg: Config) -> None:
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise UserError(
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config: '
            'the batch size that its learning rate belongs to.'
        )
    cfg.auto_scale_lr.enable = True


def train_detector(
    cfg: Config,
    amp: bool = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
    seed: int | None = None,
    corrections: str | None = None,
) -> Runner:
    """Train the model of a config.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        amp: Whether to train in mixed precision, see :func:`enable_amp`.
        auto_scale_lr: Whether to scale the learning rate with the batch size.
        resume: A checkpoint to resume from; ``'auto'`` for the latest in the work folder, or
            the beginning if there is none.
        seed: Of the random numbers; None keeps that of the config.
        corrections: A file of corrected labels, see :func:`use_corrections`.

    Returns:
        The runner after training.

    Raises:
        UserError: If the checkpoint to start from does not exist or does not fit, a part of the
            data is missing, or its parts differ in their classes.
    """
    if amp:
        enable_amp(cfg)
    if auto_scale_lr:
        _scale_learning_rate(cfg)
    if seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}
    if resume is not None:
        cfg.load_from = latest_checkpoint(cfg.work_dir) if resume == 'auto' else resume
        cfg.resume = cfg.load_from is not None
    # read before the runner is built, so that a wrong path is reported at once
    checkpoint = read_checkpoint(cfg.load_from) if cfg.get('load_from') else None
    if cfg.get('train_dataloader') is None:
        raise UserError(f'{cfg.filename} has no train_dataloader: name a config that has one.')
    classes = unify_trained_classes(cfg, checkpoint)
    require_num_classes(cfg, 'train_dataloader', classes)
    corrected = corrections and use_corrections(cfg, corrections, classes)
    runner = build_runner(cfg)
    if corrected:
        say(corrected)
    if checkpoint is not None:
        require = require_same_model if cfg.get('resume') else require_common_weights
        require(runner.model, checkpoint, cfg.load_from)
    model = unwrap_model(runner.model)
    if isinstance(model, LabelPEnet):
        require_levels(cfg, model)
    with explain_build_errors(cfg.filename):
        # as runner.train() does first
        runner._train_loop = runner.train_loop
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner._val_loop = runner.val_loop
    runner.register_hook(ForecastHook())
    build = runner.build_param_scheduler

    def build_schedulers(schedulers: Any) -> Any:
        with explain_build_errors(cfg.filename):
            return build(schedulers)

    # at the start of runner.train(), after it has scaled the learning rate
    vars(runner)['build_param_scheduler'] = build_schedulers
    with stop_advice(lambda: _how_to_go_on(cfg.work_dir)):
        runner.train()
    return runner


def _how_to_go_on(work_dir: str) -> str:
    last = latest_checkpoint(work_dir)
    if last is None:
        return f'{work_dir} has no checkpoint yet; run the command again.'
    return f'run the same command with --resume to go on from {last}.'
