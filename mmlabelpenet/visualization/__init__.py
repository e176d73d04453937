"""Pictures of the cascade."""

from .canvas import Canvas
from .hook import CascadeVisualizationHook, truth_of
from .panels import Look, compose_panels, save_picture

__all__ = [
    'Canvas',
    'CascadeVisualizationHook',
    'Look',
    'compose_panels',
    'save_picture',
    'truth_of',
]
