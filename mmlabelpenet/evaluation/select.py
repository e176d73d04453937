"""Selecting metrics by short names, as ``tools/test.py --eval`` does."""

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
# measured on the training images
ON_TRAINING = ('corloc', 'pseudo')


def evaluation_sets(
    cfg: Config, names: Sequence[str] | None = None, split: str | None = None
) -> list[dict]:
    """List what is measured on which images.

    ``corloc`` and ``pseudo`` are measured on the images of ``cfg.corloc_dataloader`` (the training
    images) if the config has one, the rest on those of ``cfg.test_dataloader``.

    Args:
        cfg: The whole config.
        names: Keys of ``METRICS_BY_NAME``; None measures what ``cfg.test_evaluator`` says.
        split: ``'train'`` or ``'test'``: everything is measured on these images; None as
            described above.

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
    configured = _as_list(cfg.get('test_evaluator'))
    if names is None:
        loader = 'corloc_dataloader' if split == 'train' else 'test_dataloader'
        return [{'dataloader': cfg[loader], 'evaluator': configured}]
    configured += _as_list(cfg.get('corloc_evaluator'))
    on_training = ON_TRAINING if cfg.get('corloc_dataloader') is not None else ()
    groups: dict[str, list[dict]] = {}
    for name in dict.fromkeys(names):
        train = split == 'train' or (split is None and name in on_training)
        loader = 'corloc_dataloader' if train else 'test_dataloader'
        groups.setdefault(loader, []).extend(_metrics_of(configured, name))
    # the test images first
    return [
        {'dataloader': cfg[loader], 'evaluator': groups[loader]}
        for loader in sorted(groups, reverse=True)
    ]


def _as_list(evaluator: dict | Sequence[dict] | None) -> list[dict]:
    return [evaluator] if isinstance(evaluator, dict) else list(evaluator or ())


def _metrics_of(configured: list[dict], name: str) -> list[dict]:
    """Get the configured metrics of a kind, or the kind's default."""
    type_name = METRICS_BY_NAME[name]
    types = (type_name, f'mmlabelpenet.{type_name}')
    return [one for one in configured if one['type'] in types] or [{'type': type_name}]


def select_evaluation(
    cfg: Config, names: Sequence[str] | None = None, split: str | None = None
) -> None:
    """Set up the test of a config to measure the named metrics and nothing else.

    Args:
        cfg: Changed in place: its ``test_dataloader``, ``test_evaluator`` and ``test_cfg``.
        names: See :func:`evaluation_sets`.
        split: See :func:`evaluation_sets`.

    Raises:
        UserError: See :func:`evaluation_sets`.
    """
    first, *further = evaluation_sets(cfg, names, split)
    cfg.test_dataloader = first['dataloader']
    cfg.test_evaluator = first['evaluator']
    before = cfg.get('test_cfg') or {}
    cfg.test_cfg = dict(type='MultiSetTestLoop', further=further, fp16=before.get('fp16', False))
