"""Values that travel through the cascade."""

from .curriculum import Curriculum
from .evidence import Evidence

__all__ = ['Curriculum', 'Evidence']
