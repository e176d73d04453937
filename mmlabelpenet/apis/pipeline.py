"""The stage and the test pipeline of a config."""

import copy
from collections.abc import Sequence

from mmengine.config import Config

from mmlabelpenet.evaluation.offline import loads_annotations
from mmlabelpenet.models import LABELS, STAGES
from mmlabelpenet.utils import UserError

from .configs import plain_datasets, require_model


def choose_stage(cfg: Config, stage: str | None) -> str | None:
    """Choose the stage whose instances are the result of the model.

    Args:
        cfg: Its ``model.test_cfg`` is changed in place.
        stage: A stage of the cascade, ``'attention'`` or ``'calibration'``; None keeps that of
            the config.

    Returns:
        The chosen stage; None if the model has no cascade.

    Raises:
        UserError: If there is no model, or it has no such stage.
    """
    require_model(cfg)
    cascade = cfg.model.get('cascade') or {}
    names = [name for name in cfg.model.get('order', STAGES) if cascade.get(name) is not None]
    test_cfg = cfg.model.get('test_cfg') or {}
    if stage is None:
        return test_cfg.get('stage') or (names[-1] if names else None)
    known = [*names, *(LABELS if names else ())]
    if stage not in known:
        has = f'it has {", ".join(known)}' if known else 'a model without a cascade has none'
        raise UserError(f"The model of this config has no stage '{stage}'; {has}.")
    cfg.model.test_cfg = {**test_cfg, 'stage': stage}
    return stage


def test_pipeline_of(cfg: Config) -> list[dict]:
    """Get the test pipeline of a config, without the transforms that load annotations.

    Args:
        cfg: With ``test_dataloader`` or ``val_dataloader``.

    Raises:
        UserError: If the config has neither.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if not loader:
        raise UserError(
            'The config has neither a test_dataloader nor a val_dataloader, whose pipeline says '
            'how photos are read and resized: add one.'
        )
    return without_annotations(plain_datasets(loader['dataset'])[0].get('pipeline') or [])


def without_annotations(pipeline: Sequence[dict]) -> list[dict]:
    """Copy a pipeline without the transforms that load annotations."""
    return copy.deepcopy([one for one in pipeline if not loads_annotations(one)])
