"""Reading the elements of VOC's XML files."""

import math
import xml.etree.ElementTree as ET

from mmlabelpenet.utils import UserError

BOX = ('bndbox/xmin', 'bndbox/ymin', 'bndbox/xmax', 'bndbox/ymax')


def other_format(root: ET.Element) -> str:
    """Name the format of an XML file that is known to be another one than VOC's.

    Args:
        root: Of the file.

    Returns:
        Half a sentence; empty for VOC's format.
    """
    tags = {root.tag, *(one.tag for one in root)}
    kinds = {
        'annotations': 'it is of the format CVAT for images',
        'imagesize': 'it is of the format LabelMe',
        'Object': 'it writes <Object> for <object>',
        'OBJECT': 'it writes <OBJECT> for <object>',
    }
    named = f'its elements have the namespace {root.tag[1:].split("}")[0]}'
    return named if root.tag[0] == '{' else next((kinds[one] for one in kinds if one in tags), '')


def marks_of(element: ET.Element) -> dict[str | None, str | None]:
    """List the texts of an object's children, and the values of its attributes, as CVAT has them.

    Args:
        element: The object.
    """
    attributes = element.iterfind('attributes/attribute')
    texts: dict[str | None, str | None] = {one.tag: one.text for one in element}
    return texts | {one.findtext('name'): one.findtext('value') for one in attributes}


def child_text(element: ET.Element, key: str, path: str) -> str | None:
    """Read the text of a child, or of several that agree.

    Args:
        element: The parent.
        key: The child's path.
        path: The file, for the message.

    Returns:
        The text; None without the child.

    Raises:
        UserError: If there are several texts.
    """
    texts = [one.text or '' for one in element.findall(key)]
    found = {text.strip() for text in texts}
    if len(found) > 1:
        raise UserError(
            f'{path} has {len(texts)} <{key}> in an element, {" and ".join(sorted(found))}: keep '
            'one, or make each an object of its own.'
        )
    return texts[0] if texts else None


def child_number(element: ET.Element, key: str, path: str) -> float:
    """Read a finite number from a child of an element, see :func:`child_text`.

    Raises:
        UserError: If it is missing, or no number.
    """
    text = child_text(element, key, path)
    try:
        # Python also reads 1_2.
        value = float((text or 'nan').replace('_', '?'))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        found = 'nothing' if text is None else repr(text)
        remedy = 'write a number'
        if text is None and key in BOX:
            remedy = f'write the corners of an upright box, {", ".join(BOX)}'
        raise UserError(
            f'{path} cannot be read as a VOC annotation ({found} in <{key}>): {remedy}.'
        )
    return value
