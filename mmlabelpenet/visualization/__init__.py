"""Pictures of the cascade's results."""

from .canvas import Canvas
from .fonts import find_font, let_matplotlib_write
from .hook import CascadeVisualizationHook, ground_truth_of
from .label_curve import draw_label_curve, label_table, write_label_curve
from .large import paint_run_lengths, without_masks
from .panels import (
    Panel,
    Style,
    arrange_panels,
    compose_panels,
    paint_instances,
    paint_panels,
    save_picture,
)
from .visualizer import InstanceVisualizer
from .window import require_display
