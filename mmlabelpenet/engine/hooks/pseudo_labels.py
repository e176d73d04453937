"""Evaluation of the pseudo labels of training images during training."""

import copy
import json
from pathlib import Path

from mmengine.dist import is_main_process, master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import UniqueNames, image_name, in_evaluation, read_image, unwrap_model
from mmlabelpenet.visualization import Style, compose_panels, ground_truth_of, save_picture

from .observing import random_state_kept


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Evaluates the pseudo boxes and masks of training images, and paints some.

    After every ``interval`` epochs it evaluates the pseudo instances of the first images of
    ``corloc_dataloader``, the training images with ground truth: CorLoc, and the mean
    IoU of masks (:class:`PseudoMaskMetric`). The figures go to the log and, a line each time, to
    ``{work_dir}/pseudo_labels.jsonl``. Training is not influenced: weights, modes and random
    numbers stay as they are. Without ``corloc_dataloader`` the hook does nothing.

    Args:
        interval: Epochs between evaluations.
        max_images: Number of images; None takes all.
        num_pictures: Images of the first process that are painted, into
            ``{work_dir}/pseudo_labels/epoch_{n}``.
        stage: Which pseudo instances, ``'attention'`` or ``'calibration'``, see
            :class:`LabelPEnet`.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1,
        max_images: int | None = 100,
        num_pictures: int = 0,
        stage: str = 'attention',
    ) -> None:
        self.interval = interval
        self.max_images = max_images
        self.num_pictures = num_pictures
        self.stage = stage
        self.loader: DataLoader | None = None
        self.names = UniqueNames()

    def before_train(self, runner: Runner) -> None:
        """Make the loader of the images."""
        cfg = copy.deepcopy(runner.cfg.get('corloc_dataloader'))
        if cfg is None:
            runner.logger.info('PseudoLabelHook does nothing: the config has no corloc_dataloader')
            return
        # Its own workers would live on beside those that train.
        cfg.update(num_workers=0, persistent_workers=False)
        if self.max_images is not None:
            cfg.dataset.indices = self.max_images
        with random_state_kept():
            self.loader = runner.build_dataloader(cfg, seed=runner.seed)

    def after_train_epoch(self, runner: Runner) -> None:
        """Evaluate the pseudo labels after every ``interval`` epochs."""
        if self.loader is None or not self.every_n_epochs(runner, self.interval):
            return
        model = unwrap_model(runner.model)
        evaluator = Evaluator([dict(type='CorLocMetric'), dict(type='PseudoMaskMetric')])
        evaluator.dataset_meta = self.loader.dataset.metainfo
        with random_state_kept(), in_evaluation(model):
            for index, batch in enumerate(self.loader):
                outputs = model.read(batch, self.stage)
                evaluator.process(data_samples=outputs, data_batch=batch)
                if index * len(outputs) < self.num_pictures and is_main_process():
                    self._paint(runner, model, batch, outputs)
            figures = evaluator.evaluate(len(self.loader.dataset))
        self._write(runner, figures)

    @master_only
    def _write(self, runner: Runner, figures: dict) -> None:
        line = {
            'epoch': runner.epoch + 1,
            'iter': runner.iter,
            'stage': self.stage,
            'phase': runner.message_hub.runtime_info.get('phase'),
            **{name: round(float(value), 4) for name, value in figures.items()},
        }
        runner.logger.info(f'Pseudo labels of training photos: {line}')
        with (Path(runner.work_dir) / 'pseudo_labels.jsonl').open('a') as file:
            file.write(json.dumps(line) + '\n')

    def _paint(self, runner: Runner, model: LabelPEnet, batch: dict, outputs: list) -> None:
        meta = self.loader.dataset.metainfo if self.loader is not None else {}
        style = Style(meta['classes'], meta.get('palette'))
        folder = Path(runner.work_dir) / 'pseudo_labels' / f'epoch_{runner.epoch + 1}'
        for sample, evidence in zip(outputs, model.explain(batch)):
            image = read_image(sample.img_path)[..., ::-1]
            picture = compose_panels(
                image, sample.pred_instances, style, evidence, ground_truth_of(sample)
            )
            name = self.names(image_name(sample), sample.img_path, sample.get('dataset_name'))
            save_picture(picture, folder / f'{name}.png')
