"""mmlabelpenet: boxes and instance masks from image-level tags, on MMDetection."""

from .known_messages import drop_known_messages
from .version import __version__

__all__ = ['__version__']

drop_known_messages()
