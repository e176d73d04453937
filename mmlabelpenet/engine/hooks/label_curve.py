"""The curve of labels: their quality after each step of the cascade, phase by phase."""

import copy
import json
import math
from collections.abc import Collection, Iterable
from pathlib import Path

from mmengine.config import ConfigDict
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from mmlabelpenet.evaluation import PseudoLabelMetric
from mmlabelpenet.models import LabelPEnet, labels_on_their_way
from mmlabelpenet.registry import DATASETS, HOOKS
from mmlabelpenet.utils import UserError, unwrap_model
from mmlabelpenet.visualization import write_label_curve

from .observing import as_tested, random_state_kept


@HOOKS.register_module()
class LabelCurveHook(Hook):
    """Measures the labels of training images after each step of the cascade, and after each phase.

    At the end of each phase the labels of some training images are measured as they come out of
    attention, calibration and each module that has learned (:func:`labels_on_their_way`): CorLoc,
    mask IoU, right and wrong instances (:class:`PseudoLabelMetric`). Table and plot are
    ``label_curve.json``, ``.md`` and ``.png`` in the work folder. The ground truth of
    ``corloc_dataloader`` is only read to measure, and training is not influenced: weights, modes
    and random numbers stay as they are. In a distributed run each process measures its share.

    Args:
        num_images: Number of training images, evenly spread over the list; 0 switches the
            hook off, None takes all.

    Raises:
        UserError: If the number is negative.
    """

    priority = 'LOW'

    def __init__(self, num_images: int | None = 0) -> None:
        if num_images is not None and num_images < 0:
            raise UserError(
                f'LabelCurveHook has num_images={num_images}: give a number of training photos, 0 '
                'to switch it off, or None for all.'
            )
        self.num_images = num_images
        self.loader: DataLoader | None = None

    def before_train(self, runner: Runner) -> None:
        """Make the loader of the images."""
        if self.num_images == 0:
            return
        cfg = runner.cfg.get('corloc_dataloader')
        if cfg is None or not runner.cfg.train_cfg.get('phases'):
            runner.logger.info(
                'LabelCurveHook does nothing: it needs a corloc_dataloader and phases'
            )
            return
        with random_state_kept():
            self.loader = spread_loader(cfg, self.num_images, runner.seed)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: object = None,
    ) -> None:
        """Measure the labels at the end of a phase."""
        loop = runner.train_loop
        if self.loader is None or runner.iter + 1 not in loop.ends.values():
            return
        names = list(loop.phases)
        phase = loop.phase_at(runner.iter)[0]
        past = names[: names.index(phase) + 1]
        learned = {stage for name in past for stage in loop.phases[name].stages}
        model = unwrap_model(runner.model)
        with as_tested(model):
            figures = measure_labels(model, self.loader, learned)
        place = dict(phase=phase, iter=runner.iter + 1, images=len(self.loader.dataset))
        self._write(runner, [{**place, **one} for one in figures])

    @master_only
    def _write(self, runner: Runner, rows: list[dict]) -> None:
        path, names = Path(runner.work_dir) / 'label_curve.json', list(runner.train_loop.phases)
        known = json.loads(path.read_text()) if path.is_file() else []
        before = names[: names.index(rows[0]['phase'])]
        entries = [one for one in known if one['phase'] in before] + rows
        write_label_curve(entries, path.parent)
        runner.logger.info(f'Labels of training photos after this phase: {rows}')


def spread_loader(cfg: ConfigDict, num_images: int | None, seed: int | None = None) -> DataLoader:
    """Loader of some images of a data set, evenly spread over its list.

    Args:
        cfg: Of the loader of all.
        num_images: Number of images; None takes all.
        seed: Of its workers.
    """
    cfg = copy.deepcopy(cfg)
    # Its own workers would live on beside those that train.
    cfg.update(num_workers=0, persistent_workers=False)
    dataset = DATASETS.build(cfg.pop('dataset'))
    count = min(num_images or len(dataset), len(dataset))
    chosen = Subset(dataset, [index * len(dataset) // count for index in range(count)])
    return Runner.build_dataloader(dict(cfg, dataset=chosen), seed=seed)


def measure_labels(
    model: LabelPEnet, loader: DataLoader, stages: Collection[str]
) -> list[dict[str, str | float | None]]:
    """Figures of the labels after each step of the cascade.

    Args:
        model: In evaluation mode; in a distributed run each process has its own.
        loader: Of a :class:`Subset` of tagged images with ground truth, which is only measured.
        stages: Names of the stages that have learned.

    Returns:
        For each kind of labels ``labels`` (its name) and the figures of
        :class:`PseudoLabelMetric`; None where one does not exist.
    """
    metrics: dict[str, PseudoLabelMetric] = {}
    for data in loader:
        batch = model.data_preprocessor(data, False)
        samples = batch['data_samples']
        evidence = model.evidence(batch['inputs'], samples)
        for name, found in labels_on_their_way(model.cascade, evidence, stages):
            if name not in metrics:
                metrics[name] = PseudoLabelMetric()
                metrics[name].dataset_meta = loader.dataset.dataset.metainfo
            for sample, instances in zip(samples, found):
                sample.set_metainfo(dict(boxes_end='outside'))
                sample.pred_instances = instances
            metrics[name].process(data, [sample.to_dict() for sample in samples])
    size = len(loader.dataset)
    return [
        {'labels': name, **_plain(one.evaluate(size).items())} for name, one in metrics.items()
    ]


def _plain(figures: Iterable[tuple[str, float]]) -> dict[str, float | None]:
    rounded = {name: value if type(value) is int else round(value, 4) for name, value in figures}
    return {name: None if math.isnan(value) else value for name, value in rounded.items()}
