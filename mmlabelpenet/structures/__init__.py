"""Data structures of the cascade."""

from .evidence import Evidence

__all__ = ['Evidence']
