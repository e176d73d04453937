"""Training by a config."""

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint

from mmlabelpenet.utils import UserError, register_all_modules

from .checkpoint import read_checkpoint, require_same_model
from .distributed import prepare_distributed
from .mixed_precision import enable_amp


def build_runner(cfg: Config) -> Runner:
    """Build the config's own kind of runner, or else mmengine's.

    Args:
        cfg: The whole config.
    """
    register_all_modules(init_default_scope=False)
    prepare_distributed(cfg)
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def _scale_learning_rate(cfg: Config) -> None:
    settings = cfg.get('auto_scale_lr') or {}
    if 'base_batch_size' not in settings:
        raise UserError(
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config: '
            'the batch size that its learning rate is meant for.'
        )
    cfg.auto_scale_lr.enable = True


def _resume(cfg: Config, resume: str) -> str | None:
    """Set the config to resume; return the checkpoint, None where there is none yet."""
    cfg.resume = True
    cfg.load_from = None if resume == 'auto' else resume
    return cfg.load_from or find_latest_checkpoint(cfg.work_dir)


def train_detector(
    cfg: Config,
    amp: bool = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
    seed: int | None = None,
) -> Runner:
    """Train the model of a config.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        amp: Whether to train in mixed precision, see :func:`enable_amp`.
        auto_scale_lr: Whether to scale the learning rate with the batch size.
        resume: A checkpoint to go on from; ``'auto'`` for the latest in the work folder, or
            the beginning where there is none.
        seed: Of the random numbers; None leaves what the config says.

    Returns:
        The runner after training.

    Raises:
        UserError: If the checkpoint to resume from does not exist or does not fit, or a part
            of the data is missing.
    """
    if amp:
        enable_amp(cfg)
    if auto_scale_lr:
        _scale_learning_rate(cfg)
    if seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}
    latest = _resume(cfg, resume) if resume is not None else None
    # read before the runner is built: a wrong path is told at once
    checkpoint = read_checkpoint(latest) if latest is not None else {}
    runner = build_runner(cfg)
    if latest is not None:
        require_same_model(runner.model, checkpoint, latest)
    runner.train()
    return runner
