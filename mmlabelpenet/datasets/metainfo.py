"""Classes that come from a file, and colours for them."""

from collections.abc import Mapping, Sequence

from mmlabelpenet.utils import UserError

from .devkit import voc_palette


def file_metainfo(classes: Sequence[str], metainfo: Mapping | None, source: str) -> dict:
    """Make a data set's meta information of the classes that a file has.

    Args:
        classes: Of the file.
        metainfo: What a config says; its ``classes`` may be some of them, in any order.
        source: The file, for the message.

    Returns:
        ``metainfo`` with ``classes`` and a ``palette``: VOC's colours, from the second one on.

    Raises:
        UserError: If a config names a class that the file lacks.
    """
    metainfo = metainfo or {}
    chosen = tuple(metainfo.get('classes', classes))
    unknown = [name for name in chosen if name not in classes]
    if unknown:
        raise UserError(
            f'{source} has no class {", ".join(map(repr, unknown))}: choose from '
            f'{", ".join(classes)}.'
        )
    colours = voc_palette()
    starts = (3 * (label % 254 + 1) for label in range(len(chosen)))
    palette = [tuple(colours[start : start + 3]) for start in starts]
    return {'palette': palette, **metainfo, 'classes': chosen}
