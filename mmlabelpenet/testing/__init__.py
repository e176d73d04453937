"""Generated images for the demo and the tests, and waits for the device, counted."""

from .shape_hard import draw_hard_scene
from .shape_scene import Scene, draw_scene
from .shapes import make_scene, make_shapes
from .waits import DeviceWaits
