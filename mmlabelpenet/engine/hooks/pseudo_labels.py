"""Watching the pseudo labels of the training images."""

import copy
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import is_main_process, master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import read_image
from mmlabelpenet.visualization import Style, compose_panels, ground_truth_of, save_picture


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Writes how good the pseudo boxes and masks of training images are, and paints some.

    After every ``interval`` epochs the pseudo instances of the first images of
    ``corloc_dataloader``, the training images with their truth, are measured: CorLoc, and the mean
    IoU of masks (:class:`PseudoMaskMetric`). The figures go to the log and, a line each time, to
    ``{work_dir}/pseudo_labels.jsonl``. Training is not influenced: weights, modes and random
    numbers are left as they were. Without ``corloc_dataloader`` the hook does nothing.

    Args:
        interval: Epochs between looks.
        max_images: Images that are looked at; None takes all.
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

    def before_train(self, runner: Runner) -> None:
        """Make the loader of the images."""
        cfg = copy.deepcopy(runner.cfg.get('corloc_dataloader'))
        if cfg is None:
            runner.logger.info('PseudoLabelHook rests: the config has no corloc_dataloader')
            return
        # Its own workers would live on beside those that train.
        cfg.update(num_workers=0, persistent_workers=False)
        if self.max_images is not None:
            cfg.dataset.indices = self.max_images
        with _undisturbed():
            self.loader = runner.build_dataloader(cfg, seed=runner.seed)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at the pseudo labels when it is time."""
        if self.loader is None or not self.every_n_epochs(runner, self.interval):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        metrics = ['CorLocMetric', 'PseudoMaskMetric']
        evaluator = Evaluator([dict(type=name) for name in metrics])
        evaluator.dataset_meta = self.loader.dataset.metainfo
        training, tested = model.training, model.tested
        with _undisturbed():
            model.eval()
            model.tested = self.stage
            try:
                for index, batch in enumerate(self.loader):
                    outputs = model.test_step(batch)
                    evaluator.process(data_samples=outputs, data_batch=batch)
                    if index * len(outputs) < self.num_pictures and is_main_process():
                        self._paint(runner, model, batch, outputs)
            finally:
                model.tested = tested
                model.train(training)
            figures = evaluator.evaluate(len(self.loader.dataset))
        self._write(runner, figures)

    @master_only
    def _write(self, runner: Runner, figures: dict) -> None:
        line = {'epoch': runner.epoch + 1, 'iter': runner.iter, 'stage': self.stage}
        line |= {'phase': runner.message_hub.runtime_info.get('phase')}
        line |= {name: round(float(value), 4) for name, value in figures.items()}
        runner.logger.info(f'Pseudo labels of training photos: {line}')
        with (Path(runner.work_dir) / 'pseudo_labels.jsonl').open('a') as file:
            file.write(json.dumps(line) + '\n')

    def _paint(self, runner: Runner, model: LabelPEnet, batch: dict, outputs: list) -> None:
        meta = self.loader.dataset.metainfo if self.loader is not None else {}
        style = Style(meta['classes'], meta['palette'])
        folder = Path(runner.work_dir) / 'pseudo_labels' / f'epoch_{runner.epoch + 1}'
        for sample, evidence in zip(outputs, model.explain(batch)):
            image = read_image(sample.img_path)[..., ::-1]
            picture = compose_panels(
                image, sample.pred_instances, style, evidence, ground_truth_of(sample)
            )
            save_picture(picture, folder / f'{Path(sample.img_path).stem}.png')


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave all random numbers as they were."""
    states = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])
