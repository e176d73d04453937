"""mmlabelpenet: boxes and instance masks from image-level tags, on MMDetection."""

from .version import __version__

__all__ = ['__version__']
