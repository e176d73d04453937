"""The report: a page without a server, with one picture for each panel."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mmlabelpenet.evaluation.functional import KINDS
from mmlabelpenet.utils import atomic_path, write_bytes
from mmlabelpenet.visualization import Panel, Style

from .judging import PLACES, ImageLabels

PAGE, PICTURES = 'index.html', 'pictures'
# WebP's, of 0 to 100; a higher one makes files larger without a difference that one sees.
_QUALITY = 75
# Its effort, of 0 to 6; the default of 4 takes twice the time.
_EFFORT = 2


@dataclass
class InspectionReport:
    """Writes ``index.html`` and the folder ``pictures`` beside it.

    All texts, such as names of classes and of files, are escaped.

    Args:
        out: Folder to write to.
        style: Names and colours of the classes.
    """

    out: str | Path
    style: Style
    images: list[dict[str, Any]] = field(init=False, default_factory=list)

    def add(self, name: str, panels: Sequence[Panel], labels: ImageLabels) -> None:
        """Write the pictures of an image, and take note of its labels.

        Args:
            name: Of the image.
            panels: See :func:`paint_panels`; the result's is the thumbnail.
            labels: See :func:`judge_labels`.
        """
        pictures = []
        for index, panel in enumerate(panels):
            path = f'{PICTURES}/{len(self.images):05d}_{index}.webp'
            with atomic_path(Path(self.out, path)) as temporary:
                panel.image.save(temporary, quality=_QUALITY, method=_EFFORT)
            texts = dict(title=panel.title, caption=panel.caption)
            pictures.append(dict(texts, path=path, size=panel.image.size))
        self.images.append(dict(name=name, pictures=pictures, labels=labels))

    def write(self, title: str, source: dict[str, str]) -> Path:
        """Write the page, the image of the greatest doubt first.

        Args:
            title: Of the page.
            source: What the labels are from, to be shown in the page.

        Returns:
            The page's file.
        """
        templates = Environment(
            loader=PackageLoader('mmlabelpenet.inspection'),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        labels = [image['labels'] for image in self.images]
        text = templates.get_template('report.html').render(
            title=title,
            source=source,
            images=sorted(self.images, key=lambda image: image['labels'].rank),
            style=self.style,
            places=PLACES,
            kinds=KINDS,
            classes=Counter(label for one in labels for label in one.classes),
            errors=Counter(error for one in labels for error in one.error_keys),
            agreeing=sum(one.agrees for one in labels),
        )
        path = Path(self.out, PAGE)
        write_bytes(path, text.encode())
        return path
