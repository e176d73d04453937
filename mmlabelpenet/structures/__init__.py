"""Values that travel through the cascade."""

from .evidence import Evidence
from .maps import Maps, grid_size
from .step import Step

__all__ = ['Evidence', 'Maps', 'Step', 'grid_size']
