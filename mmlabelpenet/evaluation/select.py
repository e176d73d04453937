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
}
# Measured on the training photos.
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


def select_evaluation(cfg: Config, names: Sequence[str]) -> None:
    """Set a config's test so that it measures the named things and nothing else.

    ``corloc`` and ``pseudo`` are measured on the photos of ``cfg.corloc_dataloader`` (the training
    photos) where the config has one, the rest on those of ``cfg.test_dataloader``.

    Args:
        cfg: Changed in place: its ``test_dataloader``, ``test_evaluator`` and ``test_cfg``.
        names: Keys of ``METRICS_BY_NAME``.

    Raises:
        UserError: If a name is unknown.
    """
    unknown = [name for name in names if name not in METRICS_BY_NAME]
    if unknown:
        raise UserError(
            f"--eval does not know '{unknown[0]}'; it knows {', '.join(METRICS_BY_NAME)}."
        )
    configured = _as_list(cfg.get('test_evaluator')) + _as_list(cfg.get('corloc_evaluator'))
    names = list(dict.fromkeys(names))
    apart = ON_TRAINING if cfg.get('corloc_dataloader') is not None else ()
    here = [name for name in names if name not in apart]
    elsewhere = [name for name in names if name in apart]
    sets = []
    if here:
        evaluator = [metric for name in here for metric in _pick(configured, name)]
        sets.append({'dataloader': cfg.test_dataloader, 'evaluator': evaluator})
    if elsewhere:
        evaluator = [metric for name in elsewhere for metric in _pick(configured, name)]
        sets.append({'dataloader': cfg.corloc_dataloader, 'evaluator': evaluator})
    cfg.test_dataloader = sets[0]['dataloader']
    cfg.test_evaluator = sets[0]['evaluator']
    fp16 = (cfg.get('test_cfg') or {}).get('fp16', False)
    cfg.test_cfg = {'type': 'MultiSetTestLoop', 'further': sets[1:], 'fp16': fp16}
