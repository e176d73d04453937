"""The stage, the proposals and the test pipeline of a config."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from mmengine.config import Config

from mmlabelpenet.datasets import LoadRegionProposals, ProposalSource
from mmlabelpenet.evaluation.offline import loads_annotations
from mmlabelpenet.models import LABELS, STAGES
from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError

from .configs import plain_datasets, require_model
from .configs.parts import LOADERS, find_type

PROPOSALS = get_args(ProposalSource)
STORED = dict(type='LoadRegionProposals')
PROPOSALS_HELP = 'where proposals come from (default: as in the config)'


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


def choose_proposals(cfg: Config, source: str | None) -> None:
    """Choose where the proposals of tested images come from.

    Args:
        cfg: The pipelines of its loaders, but for that of the training, are changed in place.
        source: ``'learned'``, ``'stored'`` or ``'search'``; None keeps what the config says.

    Raises:
        UserError: If it is unknown, the model has not learned any, or a pipeline has no step that
            loads proposals.
    """
    if source is None:
        return
    require_source(cfg, source)
    tested = [cfg.get(f'{name}_dataloader') for name in LOADERS if name != 'train']
    datasets = [one for loader in tested if loader for one in plain_datasets(loader['dataset'])]
    step = dict(type='ProvideRegionProposals', source=source) if source != 'stored' else STORED
    for pipeline in (*(one.get('pipeline') for one in datasets), cfg.get('tta_pipeline')):
        set_proposals(pipeline or [], **step)


def source_of(cfg: Config, source: str | None, proposal_root: str | None) -> str:
    """Choose where the proposals of single photos come from.

    Args:
        cfg: With a model.
        source: One of ``PROPOSALS``; None takes ``'stored'`` if there is a folder, else
            ``'learned'`` if the model has learned any, else ``'search'``.
        proposal_root: Folder of stored proposals, which no other source has.

    Raises:
        UserError: See :func:`require_source`; or if the folder is missing, or is not used.
    """
    own = 'search' if cfg.model.get('proposals') is None else 'learned'
    source = source or ('stored' if proposal_root is not None else own)
    require_source(cfg, source)
    if (source == 'stored') != (proposal_root is not None):
        raise UserError(
            f'The proposals are {source}, and proposal_root is {proposal_root}: stored ones need '
            'their folder, and others have none.'
        )
    return source


def require_source(cfg: Config, source: str) -> None:
    """Make sure that proposals can come from a source.

    Args:
        cfg: With a model.
        source: One of ``PROPOSALS``.

    Raises:
        UserError: If it is unknown, or the model has not learned any.
    """
    if source not in PROPOSALS:
        raise UserError(f"There are no '{source}' proposals: choose {', '.join(PROPOSALS)}.")
    if source == 'learned' and cfg.model.get('proposals') is None:
        raise UserError(
            'This model has learned no proposals: choose stored or search, or train a model that '
            'learns them, such as configs/label_penet/label-penet-rpn_effnet-lite0_voc12-mini.py.'
        )


def set_proposals(pipeline: Sequence[dict], **step: Any) -> None:
    """Replace the step of a pipeline that loads proposals.

    Args:
        pipeline: Changed in place.
        **step: Config of the new step, which keeps folder and number of the old one if it does
            not set them.

    Raises:
        UserError: If there is no such step, or none names the folder of stored proposals.
    """
    loading = [one for one in pipeline if _loads_proposals(one)]
    if pipeline and not loading:
        raise UserError(
            'A test pipeline has no step that loads proposals: add '
            "dict(type='LoadRegionProposals', proposal_root=...)."
        )
    for one in loading:
        kept = {'proposal_root': one.get('proposal_root'), 'max_num': one.get('max_num')}
        one.clear()
        one.update(kept | step)
        if one['type'] == STORED['type'] and one['proposal_root'] is None:
            raise UserError(
                'A test pipeline names no folder of stored proposals: set proposal_root of its '
                'step that loads proposals.'
            )


def _loads_proposals(transform: Mapping[str, Any]) -> bool:
    found = find_type(transform['type'], TRANSFORMS)
    return isinstance(found, type) and issubclass(found, LoadRegionProposals)


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
