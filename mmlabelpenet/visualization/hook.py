"""Painting while a model is tested."""

from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmlabelpenet.registry import HOOKS
from mmlabelpenet.structures import Evidence
from mmlabelpenet.utils import read_image

from .panels import Look, compose_panels, save_picture


def truth_of(data_sample: DetDataSample) -> InstanceData | None:
    """Choose the true instances to paint: those with masks where there are any."""
    for name in ('gt_mask_instances', 'gt_instances'):
        instances = data_sample.get(name)
        if instances is not None and 'bboxes' in instances:
            return instances
    return None


@HOOKS.register_module()
class CascadeVisualizationHook(Hook):
    """Paints for each test image one picture of its way through the cascade.

    A model with a method ``explain(data_batch) -> list[Evidence]`` gets all panels, any other
    one image, result and ground truth. Where a test covers several sets of images, the first
    set is painted.

    Args:
        draw: Whether to paint at all.
        out_dir: Folder for the pictures ``{image}.png``; None writes none.
        show: Whether to show each picture in a window.
        wait_time: Seconds that a window stays.
        max_images: Paint that many images (per process); None paints all.
        score_thr: Predictions below are not painted.
        panel_width: Width of each panel in pixels.
        columns: Panels in a row; None puts all side by side.
    """

    def __init__(
        self,
        draw: bool = False,
        out_dir: str | None = None,
        show: bool = False,
        wait_time: float = 0.0,
        max_images: int | None = None,
        score_thr: float = 0.3,
        panel_width: int = 320,
        columns: int | None = None,
    ) -> None:
        self.draw = draw
        self.out_dir = out_dir
        self.show = show
        self.wait_time = wait_time
        self.max_images = max_images
        self.score_thr = score_thr
        self.panel_width = panel_width
        self.columns = columns
        self.num_painted = 0
        self.set_done = False

    def before_run(self, runner: Runner) -> None:
        """Start anew."""
        self.num_painted = 0
        self.set_done = False

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Leave further sets of images unpainted."""
        self.set_done = True

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
            batch_idx: Number of the batch.
            data_batch: The batch as the data loader gave it.
            outputs: The model's answers.
        """
        left = len(outputs) if self.max_images is None else self.max_images - self.num_painted
        if not self.draw or self.set_done or left <= 0:
            return
        explained = self._explain(runner, data_batch, len(outputs))
        for data_sample, evidence in list(zip(outputs, explained))[:left]:
            self._paint(runner, data_sample, evidence)

    @torch.no_grad()
    def _explain(self, runner: Runner, data_batch: dict, count: int) -> list[Evidence | None]:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        return model.explain(data_batch) if hasattr(model, 'explain') else [None] * count

    def _paint(
        self, runner: Runner, data_sample: DetDataSample, evidence: Evidence | None
    ) -> None:
        image = read_image(data_sample.img_path)[..., ::-1]
        meta = runner.test_dataloader.dataset.metainfo
        look = Look(
            meta['classes'],
            meta['palette'],
            panel_width=self.panel_width,
            score_thr=self.score_thr,
            columns=self.columns,
        )
        prediction = data_sample.pred_instances
        picture = compose_panels(image, prediction, look, evidence, truth_of(data_sample))
        name = Path(data_sample.img_path).stem
        if self.out_dir is not None:
            save_picture(picture, Path(self.out_dir) / f'{name}.png')
        if self.show:
            runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)
        self.num_painted += 1
