"""The visualizer of single images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.palette import get_palette
from mmengine.structures import InstanceData

from mmlabelpenet.registry import VISUALIZERS

from .panels import Style, paint_instances


@VISUALIZERS.register_module()
class InstanceVisualizer(DetLocalVisualizer):
    """mmdet's visualizer, with instances painted as in the panels of a test.

    Masks are translucent with a solid outline; all labels of a picture have one size, which
    follows from its shorter side.
    """

    def _draw_instances(
        self,
        image: np.ndarray,
        instances: InstanceData,
        classes: Sequence[str] | None,
        palette: Any,
    ) -> np.ndarray:
        """Paint instances on an image [H, W, 3] uint8 RGB, see :func:`paint_instances`."""
        labels = instances.labels.tolist()
        names = classes or [f'class {label}' for label in range(max(labels, default=0) + 1)]
        style = Style(names, get_palette(palette, len(names)), panel_width=image.shape[1])
        masks = instances.get('masks')
        return np.asarray(paint_instances(image, instances, masks, image.shape[:2], style))
