"""mmlabelpenet: boxes and instance masks from image-level tags, on MMDetection."""

import warnings

from .version import __version__

__all__ = ['__version__']

# mmdet says so at every start of a tool; nothing here asks for that package.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')
