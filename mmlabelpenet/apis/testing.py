"""Testing a checkpoint, and measuring predictions from a file."""

from collections.abc import Sequence
from logging import WARNING
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmlabelpenet.evaluation import (
    ClassTable,
    DumpPredictions,
    evaluate_predictions,
    evaluation_sets,
    evaluators_of,
    format_metrics,
    select_evaluation,
    tables_of,
    write_markdown,
    write_metrics,
    write_report,
)
from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import (
    UserError,
    atomic_path,
    dump_arrays,
    load_arrays,
    register_all_modules,
    require_writable,
    say,
)

from .building import explain_build_errors
from .checkpoint import load_weights, read_checkpoint
from .classes import unify_tested_classes
from .configs import require_num_classes
from .pipeline import choose_proposals, choose_stage
from .training import build_runner


def load_runner(cfg: Config, checkpoint: str) -> Runner:
    """Build a runner with the weights of a checkpoint, which must be of the config's model.

    Args:
        cfg: The whole config; changed in place.
        checkpoint: File of the weights.

    Raises:
        UserError: If the checkpoint does not exist or does not fit, or the tested data has other
            classes.
    """
    # read before the runner is built, so that a wrong path is reported at once
    content = read_checkpoint(checkpoint)
    classes = unify_tested_classes(cfg, content, checkpoint)
    require_num_classes(cfg, 'test_dataloader', classes)
    cfg.load_from, cfg.resume = None, False
    runner = build_runner(cfg)
    load_weights(runner.model, checkpoint, content)
    return runner


def evaluate_detector(
    cfg: Config,
    checkpoint: str,
    eval_names: Sequence[str] | None = None,
    out: str | None = None,
    tta: bool = False,
    stage: str | None = None,
    split: str | None = None,
    markdown: str | None = None,
    format_only: bool = False,
    proposals: str | None = None,
) -> dict[str, float]:
    """Test a checkpoint, log the figures as a table and write them as JSON.

    The figures are written to ``{work_dir}/metrics.json``, and with those of every class to a file
    beside the checkpoint: ``epoch_12.metrics.json``, or with stage and split in its name.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights.
        eval_names: What to measure, see :func:`select_evaluation`; None measures what the
            config says.
        out: A ``.pkl`` file for the predictions.
        tta: Whether to average over the scales and flips of the config's ``tta_pipeline``.
        stage: Stage whose result is measured, see :func:`choose_stage`; None keeps that of the
            config.
        split: ``'train'`` or ``'test'`` images, see :func:`select_evaluation`.
        markdown: A file for tables in Markdown.
        format_only: Whether to write ``{work_dir}/results`` for VOC's server and measure nothing.
        proposals: Where proposals come from, see :func:`choose_proposals`.

    Returns:
        The figures by name.

    Raises:
        UserError: If a name is unknown, the checkpoint does not exist or does not fit, a
            part of the data is missing, or the config has no ``tta_pipeline``.
    """
    if out is not None and not out.endswith(('.pkl', '.pickle')):
        raise UserError(f'--out {out} must end with .pkl or .pickle.')
    for path in filter(None, (out, markdown)):
        require_writable(path)
    choose_stage(cfg, stage)
    choose_proposals(cfg, proposals)
    _set_up_test(cfg, eval_names, split, tta, format_only)
    runner = load_runner(cfg, checkpoint)
    with explain_build_errors(cfg.filename):
        evaluators = evaluators_of(runner.test_loop)
    if tta:
        runner.model = MODELS.build(dict(cfg.tta_model, module=runner.model))
    parts = [] if out is None else _add_dumps(evaluators, out)
    metrics = runner.test()
    if is_main_process():
        if out is not None:
            _join_dumps(parts, out)
        if not format_only:
            write_metrics(metrics, Path(cfg.work_dir) / 'metrics.json')
            variant = {'stage': stage, 'split': split, 'views': 'tta' if tta else None}
            source = {'checkpoint': checkpoint, 'config': cfg.filename}
            _report(metrics, tables_of(evaluators), source, variant, cfg.work_dir, markdown)
    return metrics


def _set_up_test(
    cfg: Config,
    eval_names: Sequence[str] | None,
    split: str | None,
    tta: bool,
    format_only: bool,
) -> None:
    """Set up what is tested; see :func:`evaluate_detector`."""
    if tta:
        _set_up_tta(cfg)
    if eval_names is not None or split is not None:
        select_evaluation(cfg, eval_names, split)
    if format_only:
        _set_up_format_only(cfg)


def _set_up_tta(cfg: Config) -> None:
    """Load the tested images at all scales and flips of the config."""
    if cfg.get('tta_pipeline') is None or cfg.get('tta_model') is None:
        raise UserError(
            '--tta needs tta_model and tta_pipeline in the config, as those of the full VOC in '
            'configs/label_penet have them.'
        )
    for name in ('test_dataloader', 'corloc_dataloader'):
        if cfg.get(name) is not None:
            cfg[name].dataset.pipeline = cfg.tta_pipeline


def _set_up_format_only(cfg: Config) -> None:
    """Write the results of the test images for VOC's server; read no ground truth."""
    dataset = cfg.test_dataloader.dataset
    if not {'ann_file', 'data_root', 'supervision'} <= set(dataset):
        raise UserError(
            f'--format-only writes results on a VOC devkit, not on a {dataset.get("type")}: '
            'choose such a test_dataloader.'
        )
    dataset.supervision = 'none'
    cfg.test_evaluator = dict(
        type='VOCResultFiles',
        out_dir=cfg.work_dir,
        split=Path(dataset.ann_file).stem,
        year=Path(dataset.data_root).name,
    )
    cfg.test_cfg = dict(type='TestLoop')


def enable_painting(
    cfg: Config, show: bool = False, show_dir: str | None = None, wait_time: float = 2.0
) -> None:
    """Set a config to paint the results of a test, if they are to be shown or written.

    They are painted by this package's hook, whose settings in the config are kept; those of
    mmdet's hook are not.

    Args:
        cfg: The whole config; changed in place.
        show: Whether to show each painted image in a window.
        show_dir: Folder for the painted images.
        wait_time: Seconds for which each window is shown.
    """
    if not show and show_dir is None:
        return
    hooks, name = cfg.setdefault('default_hooks', {}), 'CascadeVisualizationHook'
    settings = dict(type=name, draw=True, show=show, wait_time=wait_time, out_dir=show_dir)
    configured = hooks.get('visualization') or {}
    own = configured.get('type', '').endswith(name)
    hooks['visualization'] = {**(configured if own else {}), **settings}


def _add_dumps(evaluators: Sequence[Evaluator], out: str) -> list[Path]:
    """Let each set of images write its predictions to a file beside ``out``; return the files."""
    path, parts = Path(out), []
    for number, evaluator in enumerate(evaluators):
        parts.append(path.with_name(f'.{path.stem}.{number}.tmp{path.suffix}'))
        evaluator.metrics.append(DumpPredictions(str(parts[-1])))
        evaluator.metrics[-1].dataset_meta = evaluator.dataset_meta
    return parts


def _join_dumps(parts: Sequence[Path], out: str) -> None:
    """Make one file of the predictions of all sets of images."""
    samples = [sample for part in parts for sample in load_arrays(part)]
    with atomic_path(out) as temporary:
        dump_arrays(samples, temporary)
    for part in parts:
        part.unlink()


def _report(
    metrics: dict[str, float],
    tables: Sequence[ClassTable],
    source: dict[str, str],
    variant: dict[str, str | None],
    work_dir: str,
    markdown: str | None,
) -> None:
    """Log the figures, and write them as Markdown if a file is given and as JSON.

    The JSON file lies beside the source, in the work folder if that is on another machine, and
    is named after source and variant: ``epoch_12.pth`` -> ``epoch_12.train.metrics.json``.
    """
    say('\n' + format_metrics(metrics))
    if markdown is not None:
        write_markdown(metrics, tables, markdown)
    measured = next(iter(source.values()))
    path = Path(work_dir, Path(measured).name) if '://' in measured else Path(measured)
    path = path.with_name('.'.join([path.stem, *filter(None, variant.values()), 'metrics.json']))
    try:
        write_report(metrics, tables, path, source | variant)
        say(f'The figures of each class are in {path}')
    except OSError as error:
        # the folder of a checkpoint may be read-only
        print_log(f'{path} cannot be written ({error}).', logger='current', level=WARNING)


def evaluate_file(
    cfg: Config,
    path: str,
    eval_names: Sequence[str] | None = None,
    split: str | None = None,
    markdown: str | None = None,
) -> dict[str, float]:
    """Measure the predictions of a file, without a model.

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
    if markdown is not None:
        require_writable(markdown)
    metrics, tables = evaluate_predictions(evaluation_sets(cfg, eval_names, split), path)
    source = {'predictions': path, 'config': cfg.filename}
    _report(metrics, tables, source, {'split': split}, cfg.work_dir, markdown)
    return metrics
