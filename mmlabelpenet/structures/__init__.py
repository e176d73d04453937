"""Values that travel through the cascade."""

from .evidence import Evidence
from .maps import Maps, grid_size
from .step import Step
