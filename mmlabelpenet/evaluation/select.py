"""Choosing what to measure by short names, as ``tools/test.py --eval`` does."""

from collections.abc import Sequence

from mmengine.config import Config

from mmlabelpenet.utils import UserError

METRICS_BY_NAME = {
    'bbox': 'VOCDetectionMetric',
    'segm': 'VOCInstanceMetric',
    'corloc': 'CorLocMetric',
    'semseg': 'SemSegMetric',
    'proposal': 'ProposalMetric',
    'image': 'ImageClassificationMetric',
    'pseudo': 'PseudoMaskMetric',
    'errors': 'ErrorTaxonomyMetric',
    'coco': 'COCOStyleMetric',
}
# Measured on the training images.
ON_TRAINING = ('corloc', 'pseudo')


def _as_list(evaluator: dict | Sequence[dict] | None) -> list[dict]:
    if evaluator is None:
        return []
    return [evaluator] if isinstance(evaluator, dict) else list(evaluator)


def _pick(configured: list[dict], name: str) -> list[dict]:
    """Take all that the config says of a kind of metric, else its defaults."""
    type_name = METRICS_BY_NAME[name]
    types = (type_name, f'mmlabelpenet.{type_name}')
    found = [metric for metric in configured if metric['type'] in types]
    return found or [{'type': type_name}]


def evaluation_sets(
    cfg: Config, names: Sequence[str] | None = None, split: str | None = None
) -> list[dict]:
    """Tell what is measured on which images.

    ``corloc`` and ``pseudo`` are measured on the images of ``cfg.corloc_dataloader`` (the training
    images) where the config has one, the rest on those of ``cfg.test_dataloader``.

    Args:
        cfg: The whole config.
        names: Keys of ``METRICS_BY_NAME``; None measures what ``cfg.test_evaluator`` says.
        split: ``'train'`` or ``'test'``: all is measured on these images; None as said above.

    Returns:
        One or two dicts with keys ``dataloader`` and ``evaluator`` (a list).

    Raises:
        UserError: If a name is unknown, or there is no loader of training images.
    """
    unknown = [name for name in names or () if name not in METRICS_BY_NAME]
    if unknown:
        raise UserError(
            f"--eval does not know '{unknown[0]}'; it knows {', '.join(METRICS_BY_NAME)}."
        )
    if split == 'train' and cfg.get('corloc_dataloader') is None:
        raise UserError(
            '--split train needs a corloc_dataloader in the config: the training photos.'
        )
    tested = _as_list(cfg.get('test_evaluator'))
    if names is None:
        name = 'corloc_dataloader' if split == 'train' else 'test_dataloader'
        return [{'dataloader': cfg[name], 'evaluator': tested}]
    configured = tested + _as_list(cfg.get('corloc_evaluator'))
    groups: dict[str, list[dict]] = {}
    for name in dict.fromkeys(names):
        loader = _loader_name(cfg, name, split)
        groups.setdefault(loader, []).extend(_pick(configured, name))
    # the test images first
    return [
        {'dataloader': cfg[loader], 'evaluator': groups[loader]}
        for loader in sorted(groups, reverse=True)
    ]


def _loader_name(cfg: Config, name: str, split: str | None) -> str:
    on_training = name in ON_TRAINING and cfg.get('corloc_dataloader') is not None
    if split == 'train' or (split is None and on_training):
        return 'corloc_dataloader'
    return 'test_dataloader'


def select_evaluation(
    cfg: Config, names: Sequence[str] | None = None, split: str | None = None
) -> None:
    """Set a config's test so that it measures the named things and nothing else.

    Args:
        cfg: Changed in place: its ``test_dataloader``, ``test_evaluator`` and ``test_cfg``.
        names: See :func:`evaluation_sets`.
        split: See :func:`evaluation_sets`.

    Raises:
        UserError: See :func:`evaluation_sets`.
    """
    sets = evaluation_sets(cfg, names, split)
    cfg.test_dataloader = sets[0]['dataloader']
    cfg.test_evaluator = sets[0]['evaluator']
    fp16 = (cfg.get('test_cfg') or {}).get('fp16', False)
    cfg.test_cfg = {'type': 'MultiSetTestLoop', 'further': sets[1:], 'fp16': fp16}
