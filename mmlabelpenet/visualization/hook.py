"""Painting while a model is tested."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmlabelpenet.registry import HOOKS
from mmlabelpenet.structures import Evidence
from mmlabelpenet.utils import UniqueNames, image_name, read_image, require_writable, unwrap_model

from .panels import Style, compose_panels, save_picture
from .window import require_display


def ground_truth_of(data_sample: DetDataSample) -> InstanceData | None:
    """Choose the ground-truth instances to paint: those with masks if there are any."""
    candidates = (data_sample.get(name) for name in ('gt_mask_instances', 'gt_instances'))
    return next((one for one in candidates if one is not None and 'bboxes' in one), None)


@HOOKS.register_module()
@dataclass(eq=False)
class CascadeVisualizationHook(Hook):
    """Paints for each test image one picture of its results in the cascade.

    A model with a method ``explain(data_batch) -> list[Evidence]`` gets all panels, any other
    one image, result and ground truth. If a test covers several data sets, the images of the
    first one are painted.

    Args:
        draw: Whether to paint at all.
        out_dir: Folder for the pictures ``{image}.png``, in subfolders as the images are; None
            writes none.
        show: Whether to show each picture in a window.
        wait_time: Seconds for which a window is shown.
        max_images: Maximum number of images to paint (per process); None for all.
        score_thr: Predictions below are not painted.
        test_out_dir: As of mmdet's hook, whose test tool sets it: a folder within that of the run,
            ``{work_dir}/{timestamp}/{test_out_dir}``, if there is no ``out_dir``.
    """

    draw: bool = False
    out_dir: str | None = None
    show: bool = False
    wait_time: float = 0.0
    max_images: int | None = None
    score_thr: float = 0.3
    test_out_dir: str | None = None
    num_painted: int = field(init=False, default=0)
    first_set_done: bool = field(init=False, default=False)
    names: UniqueNames = field(init=False, default_factory=UniqueNames)

    def before_run(self, runner: Runner) -> None:
        """Reset the counters; make sure that windows can be shown."""
        if self.draw and self.show:
            require_display()
        if self.out_dir is None and self.test_out_dir is not None:
            self.out_dir = str(Path(runner.work_dir, runner.timestamp, self.test_out_dir))
        if self.draw and self.out_dir is not None:
            require_writable(self.out_dir, folder=True)
        self.num_painted, self.first_set_done, self.names = 0, False, UniqueNames()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Do not paint further data sets."""
        self.first_set_done = True

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Paint the images of a batch.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: The batch from the data loader.
            outputs: The model's predictions.
        """
        left = len(outputs) if self.max_images is None else self.max_images - self.num_painted
        if not self.draw or self.first_set_done or left <= 0:
            return
        explained = self._explain(runner, data_batch, len(outputs))
        for data_sample, evidence in list(zip(outputs, explained))[:left]:
            self._paint(runner, data_sample, evidence)

    @torch.no_grad()
    def _explain(self, runner: Runner, data_batch: dict, count: int) -> list[Evidence | None]:
        model = unwrap_model(runner.model)
        return model.explain(data_batch) if hasattr(model, 'explain') else [None] * count

    def _paint(
        self, runner: Runner, data_sample: DetDataSample, evidence: Evidence | None
    ) -> None:
        image = read_image(data_sample.img_path)[..., ::-1]
        meta = runner.test_dataloader.dataset.metainfo
        style = Style(meta['classes'], meta.get('palette'), score_thr=self.score_thr)
        prediction, ground_truth = data_sample.pred_instances, ground_truth_of(data_sample)
        picture = compose_panels(image, prediction, style, evidence, ground_truth)
        group = data_sample.get('dataset_name')
        name = self.names(image_name(data_sample), data_sample.img_path, group)
        if self.out_dir is not None:
            save_picture(picture, Path(self.out_dir) / f'{name}.png')
        if self.show:
            runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)
        self.num_painted += 1
