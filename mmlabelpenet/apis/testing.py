"""Testing a checkpoint by a config."""

import pickle
from collections.abc import Sequence
from logging import WARNING
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmlabelpenet.evaluation import (
    ClassTable,
    evaluate_predictions,
    evaluation_sets,
    format_metrics,
    select_evaluation,
    tables_of,
    write_markdown,
    write_metrics,
    write_report,
)
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError, atomic_path, register_all_modules

from .checkpoint import read_checkpoint, require_same_model
from .pipeline import choose_stage
from .training import build_runner


def _dump_predictions(cfg: Config, out: str) -> list[Path]:
    """Let the predictions of each set of images be written beside ``out``; return where."""
    if not out.endswith(('.pkl', '.pickle')):
        raise UserError(f'--out {out} must end with .pkl or .pickle.')
    further = list((cfg.get('test_cfg') or {}).get('further', ()))
    temporaries = [
        Path(out).with_name(f'.{Path(out).stem}.{number}.tmp{Path(out).suffix}')
        for number in range(1 + len(further))
    ]
    dumps = [{'type': 'DumpPredictions', 'out_file_path': str(path)} for path in temporaries]
    tested = cfg.test_evaluator
    tested = [tested] if isinstance(tested, dict) else list(tested)
    cfg.test_evaluator = [*tested, dumps[0]]
    if further:
        cfg.test_cfg.further = [
            {**part, 'evaluator': [*part['evaluator'], dump]}
            for part, dump in zip(further, dumps[1:])
        ]
    return temporaries


def _join_dumps(temporaries: Sequence[Path], out: str) -> None:
    """Make one file of the predictions of all sets of images."""
    samples = [sample for path in temporaries for sample in pickle.loads(path.read_bytes())]
    with atomic_path(out) as temporary:
        temporary.write_bytes(pickle.dumps(samples))
    for path in temporaries:
        path.unlink()


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
    """Let the images that are tested come in all views of the config."""
    if cfg.get('tta_pipeline') is None or cfg.get('tta_model') is None:
        raise UserError(
            '--tta needs tta_model and tta_pipeline in the config, as those of the full VOC in '
            'configs/label_penet have them.'
        )
    for name in ('test_dataloader', 'corloc_dataloader'):
        if cfg.get(name) is not None:
            cfg[name].dataset.pipeline = cfg.tta_pipeline


def _format_only(cfg: Config) -> None:
    """Write the test images' results for VOC's server, and read nothing of their truth."""
    dataset = cfg.test_dataloader.dataset
    if not {'ann_file', 'data_root', 'supervision'} <= set(dataset):
        raise UserError(
            f'--format-only writes results on a VOC devkit, not on a {dataset.get("type")}: '
            'choose such a test_dataloader.'
        )
    dataset.supervision = 'none'
    writer = {
        'type': 'VOCResultFiles',
        'out_dir': cfg.work_dir,
        'split': Path(dataset.ann_file).stem,
        'year': Path(dataset.data_root).name,
    }
    cfg.test_evaluator = [writer]
    cfg.test_cfg = {'type': 'MultiSetTestLoop'}


def _report(
    metrics: dict[str, float],
    tables: Sequence[ClassTable],
    about: dict[str, str | None],
    beside: Path,
    markdown: str | None,
) -> None:
    """Log the figures and write them beside what they are of, and as Markdown when asked."""
    print_log('\n' + format_metrics(metrics), logger='current')
    if markdown is not None:
        write_markdown(metrics, tables, markdown)
    try:
        write_report(metrics, tables, beside, about)
    except OSError as error:
        # a checkpoint may lie in a folder that is not ours
        print_log(f'{beside} can not be written ({error}).', logger='current', level=WARNING)


def _beside(path: str, folder: str, *ways: str | None) -> Path:
    """Where figures of a file go: ``epoch_12.pth`` -> ``epoch_12.detection.metrics.json``.

    Those of a file on another machine go to the folder.
    """
    path = str(Path(folder) / Path(path).name) if '://' in path else path
    parts = [Path(path).stem, *filter(None, ways), 'metrics', 'json']
    return Path(path).with_name('.'.join(parts))


def _tables(runner: Runner) -> list[ClassTable]:
    loop = runner.test_loop
    sets = getattr(loop, 'sets', [(loop.dataloader, loop.evaluator)])
    return [table for _, evaluator in sets for table in tables_of(evaluator)]


def evaluate_detector(
    cfg: Config,
    checkpoint: str,
    eval_names: Sequence[str] | None = None,
    out: str | None = None,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2.0,
    tta: bool = False,
    stage: str | None = None,
    split: str | None = None,
    markdown: str | None = None,
    format_only: bool = False,
) -> dict[str, float]:
    """Test a checkpoint, log the figures as a table and write them as JSON.

    The figures go to ``{work_dir}/metrics.json``, and with those of every class to a file beside
    the checkpoint: ``epoch_12.metrics.json``, or with stage and split in its name.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights.
        eval_names: What to measure, see :func:`select_evaluation`; None measures what the
            config says.
        out: A ``.pkl`` file for the predictions.
        show: Whether to show each painted image in a window.
        show_dir: Folder for the painted images.
        wait_time: Seconds that each window stays.
        tta: Whether to average over the views that the config's ``tta_pipeline`` makes.
        stage: Whose result is measured, see :func:`choose_stage`; None leaves it to the config.
        split: ``'train'`` or ``'test'`` images, see :func:`select_evaluation`.
        markdown: A file for tables in Markdown.
        format_only: Whether to write ``{work_dir}/results`` for VOC's server and measure nothing.

    Returns:
        The figures by name.

    Raises:
        UserError: If a name is unknown, the checkpoint does not exist or does not fit, a
            part of the data is missing, or the config has no views to average over.
    """
    if tta:
        _see_all_views(cfg)
    if eval_names is not None or split is not None:
        select_evaluation(cfg, eval_names, split)
    choose_stage(cfg, stage)
    if format_only:
        _format_only(cfg)
    temporaries = [] if out is None else _dump_predictions(cfg, out)
    if show or show_dir is not None:
        _paint(cfg, show, show_dir, wait_time)
    runner = _load_runner(cfg, checkpoint, tta)
    metrics = runner.test()
    if is_main_process():
        if out is not None:
            _join_dumps(temporaries, out)
        if not format_only:
            write_metrics(metrics, Path(cfg.work_dir) / 'metrics.json')
            ways = {'stage': stage, 'split': split, 'views': 'tta' if tta else None}
            about = {'checkpoint': checkpoint, 'config': cfg.filename, **ways}
            beside = _beside(checkpoint, cfg.work_dir, *ways.values())
            _report(metrics, _tables(runner), about, beside, markdown)
    return metrics


def _load_runner(cfg: Config, checkpoint: str, tta: bool) -> Runner:
    """Build a runner with the weights of a checkpoint, which must be of this very model."""
    weights = read_checkpoint(checkpoint)
    # the weights are checked and loaded here, or the runner would load what happens to fit
    cfg.load_from, cfg.resume = None, False
    runner = build_runner(cfg)
    require_same_model(runner.model, weights, checkpoint)
    runner.load_checkpoint(checkpoint)
    if tta:
        runner.model = MODELS.build(dict(cfg.tta_model, module=runner.model))
    return runner


def evaluate_file(
    cfg: Config,
    path: str,
    eval_names: Sequence[str] | None = None,
    split: str | None = None,
    markdown: str | None = None,
) -> dict[str, float]:
    """Measure predictions that a file holds, without a model.

    Logs tables and writes the figures beside the file, as :func:`evaluate_detector` does.

    Args:
        cfg: The config with the data sets.
        path: Of the predictions, see :func:`read_predictions`.
        eval_names: See :func:`select_evaluation`; None measures what the config says.
        split: See :func:`select_evaluation`.
        markdown: A file for tables in Markdown.

    Returns:
        The figures by name.

    Raises:
        UserError: If a name is unknown, or predictions or a part of the data are missing.
    """
    register_all_modules()
    metrics, tables = evaluate_predictions(evaluation_sets(cfg, eval_names, split), path)
    about = {'predictions': path, 'config': cfg.filename, 'split': split}
    _report(metrics, tables, about, _beside(path, cfg.work_dir, split), markdown)
    return metrics
