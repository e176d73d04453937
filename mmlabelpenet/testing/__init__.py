"""Generated images for the demo and the tests."""

from .shape_scene import Scene, draw_scene
from .shapes import make_scene, make_shapes
