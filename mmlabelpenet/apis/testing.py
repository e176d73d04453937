"""Testing a checkpoint by a config."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from terminaltables import AsciiTable

from mmlabelpenet.evaluation import select_evaluation
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError, atomic_path

from .checkpoint import read_checkpoint, require_same_model
from .training import build_runner


def write_metrics(metrics: Mapping[str, float], path: str | Path) -> None:
    """Write figures as one flat JSON object; what was not measurable (nan) becomes null.

    Args:
        metrics: Figures by name.
        path: The file, which appears whole or not at all.
    """
    plain = {name: float(value) for name, value in metrics.items()}
    finite = {name: value if math.isfinite(value) else None for name, value in plain.items()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(finite, indent=2) + '\n')


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Make a table of figures, one line each."""
    rows = [['metric', 'value']]
    rows += [[name, f'{float(value):.4f}'] for name, value in metrics.items()]
    table = AsciiTable(rows)
    table.justify_columns[1] = 'right'
    return table.table


def _dump_predictions(cfg: Config, out: str) -> Path:
    """Let predictions be written beside ``out``; return where."""
    if not out.endswith(('.pkl', '.pickle')):
        raise UserError(f'--out {out} must end with .pkl or .pickle.')
    evaluator = cfg.test_evaluator
    evaluator = [evaluator] if isinstance(evaluator, dict) else list(evaluator)
    temporary = Path(out).with_name(f'.{Path(out).stem}.tmp{Path(out).suffix}')
    dump = {'type': 'DumpDetResults', 'out_file_path': str(temporary)}
    cfg.test_evaluator = [*evaluator, dump]
    return temporary


def _paint(cfg: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
    """Switch painting on; a config made for mmdet's hook gets this package's instead."""
    hooks = cfg.setdefault('default_hooks', {})
    own = 'CascadeVisualizationHook'
    configured = hooks.get('visualization') or {}
    kept = configured if configured.get('type', '').endswith(own) else {}
    hooks['visualization'] = {
        **kept,
        'type': own,
        'draw': True,
        'show': show,
        'wait_time': wait_time,
        'out_dir': show_dir,
    }


def _see_all_views(cfg: Config) -> None:
    """Let the photos that are tested come in all views of the config."""
    if cfg.get('tta_pipeline') is None or cfg.get('tta_model') is None:
        raise UserError(
            '--tta needs tta_model and tta_pipeline in the config, as those of the full VOC in '
            'configs/label_penet have them.'
        )
    for name in ('test_dataloader', 'corloc_dataloader'):
        if cfg.get(name) is not None:
            cfg[name].dataset.pipeline = cfg.tta_pipeline


def evaluate_detector(
    cfg: Config,
    checkpoint: str,
    eval_names: Sequence[str] | None = None,
    out: str | None = None,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2.0,
    tta: bool = False,
) -> dict[str, float]:
    """Test a checkpoint, log the figures as a table and write ``{work_dir}/metrics.json``.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights.
        eval_names: What to measure, see :func:`select_evaluation`; None measures what the
            config says.
        out: A ``.pkl`` file for the predictions.
        show: Whether to show each painted photo in a window.
        show_dir: Folder for the painted photos.
        wait_time: Seconds that each window stays.
        tta: Whether to average over the views that the config's ``tta_pipeline`` makes.

    Returns:
        The figures by name.

    Raises:
        UserError: If a name is unknown, the checkpoint does not exist or does not fit, a
            part of the data is missing, or the config has no views to average over.
    """
    if tta:
        _see_all_views(cfg)
    if eval_names is not None:
        select_evaluation(cfg, eval_names)
    temporary = None if out is None else _dump_predictions(cfg, out)
    if show or show_dir is not None:
        _paint(cfg, show, show_dir, wait_time)
    weights = read_checkpoint(checkpoint)
    # the weights are checked and loaded here, or the runner would load what happens to fit
    cfg.load_from, cfg.resume = None, False
    runner = build_runner(cfg)
    require_same_model(runner.model, weights, checkpoint)
    runner.load_checkpoint(checkpoint)
    if tta:
        runner.model = MODELS.build(dict(cfg.tta_model, module=runner.model))
    metrics = runner.test()
    if is_main_process():
        if temporary is not None and out is not None:
            temporary.replace(out)
        print_log('\n' + format_metrics(metrics), logger='current')
        write_metrics(metrics, Path(cfg.work_dir) / 'metrics.json')
    return metrics
