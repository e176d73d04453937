"""Classes and colours of a data set."""

from collections.abc import Mapping, Sequence

from mmlabelpenet.utils import UserError, nearest_name

from .devkit import voc_palette


def class_metainfo(
    classes: Sequence[str],
    metainfo: Mapping | None,
    source: str,
    palette: Sequence[tuple] | None = None,
) -> dict:
    """Complete the meta information that a config gives by all classes of a data set.

    Args:
        classes: All classes.
        metainfo: From a config; its ``classes`` may be a subset, in any order. Those among its
            ``absent_classes`` need not be among all classes.
        source: Where the classes come from, for the message.
        palette: A colour for each of ``classes``. By default the chosen classes get VOC's
            colours, from the second one on.

    Returns:
        ``metainfo`` with ``classes`` and ``palette``.

    Raises:
        UserError: If the config names an unknown class, or one twice.
    """
    metainfo = {} if metainfo is None else metainfo
    if not isinstance(metainfo, Mapping):
        raise UserError(f'metainfo of {source} is {metainfo!r}: write dict(classes=[...]).')
    for key in metainfo.keys() - {'classes', 'palette'}:
        meant = nearest_name(key, ('classes', 'palette'), cutoff=0.8)
        if meant:
            raise UserError(
                f'metainfo of {source} has {key!r}, which nothing reads: write {meant!r} instead.'
            )
    chosen = metainfo.get('classes', classes)
    named = isinstance(chosen, list | tuple) and {*map(type, chosen)} == {str}
    if not named or len(set(chosen)) < len(chosen):
        raise UserError(
            f'metainfo.classes of {source} is {chosen!r}: write a list that names each class once.'
        )
    chosen = tuple(chosen)
    known = {*classes, *metainfo.get('absent_classes', ())}
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UserError(
            f'{source} has no class {", ".join(map(repr, unknown))}: choose from '
            f'{", ".join(classes)}.'
        )
    if palette is None:
        colours = [tuple(voc_palette()[1 + i % 254].tolist()) for i in range(len(chosen))]
    else:
        colours = [palette[classes.index(name)] for name in chosen]
    return {'palette': colours, **metainfo, 'classes': chosen}
