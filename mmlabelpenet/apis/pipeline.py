"""What the commands that use a model take from its config."""

import copy
from collections.abc import Sequence

from mmengine.config import Config

from mmlabelpenet.models import LABELS, STAGES
from mmlabelpenet.utils import UserError

from .settings import plain_datasets

# Loading transforms that need no truth.
_PLAIN = ('LoadRegionProposals',)


def choose_stage(cfg: Config, stage: str | None) -> str | None:
    """Let a stage give the results.

    Args:
        cfg: Its ``model.test_cfg`` is changed in place.
        stage: A stage of the cascade, ``'attention'`` or ``'calibration'``; None leaves what
            the config says.

    Returns:
        The stage that gives results; None where the model is no cascade.

    Raises:
        UserError: If the model has no such stage.
    """
    cascade = cfg.model.get('cascade') or {}
    names = [name for name in cfg.model.get('order', STAGES) if cascade.get(name) is not None]
    if stage is None:
        chosen = (cfg.model.get('test_cfg') or {}).get('stage')
        return chosen or (names[-1] if names else None)
    known = [*names, *(LABELS if names else ())]
    if stage not in known:
        has = f'it has {", ".join(known)}' if known else 'a model without a cascade has none'
        raise UserError(f"The model of this config has no stage '{stage}'; {has}.")
    cfg.model.test_cfg = {**(cfg.model.get('test_cfg') or {}), 'stage': stage}
    return stage


def test_pipeline_of(cfg: Config) -> list[dict]:
    """The pipeline by which a config tests, without what loads the truth.

    Args:
        cfg: With ``test_dataloader``.

    Raises:
        UserError: If the config has no test pipeline.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if not loader:
        raise UserError(
            'The config has neither a test_dataloader nor a val_dataloader, whose pipeline says '
            'how photos are read and resized: add one.'
        )
    pipeline = plain_datasets(loader['dataset'])[0].get('pipeline') or []
    return without_truth(pipeline)


def without_truth(pipeline: Sequence[dict]) -> list[dict]:
    """A copy of a pipeline without the transforms that load annotations."""
    kept = []
    for transform in copy.deepcopy(list(pipeline)):
        name = str(transform['type']).rpartition('.')[2]
        if not name.startswith('Load') or name.startswith('LoadImage') or name in _PLAIN:
            kept.append(transform)
    return kept
