"""Reports of figures: tables in the terminal and in Markdown, and JSON files."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

from mmlabelpenet.utils import atomic_path, markdown_table

from .functional import mean_over_valid


@dataclass(frozen=True)
class ClassTable:
    """Figures of every class.

    Attributes:
        title: What is measured, e.g. ``masks``.
        classes: C names.
        columns: C values under each heading; integers are counts, floats are fractions, nan
            for a class that does not occur.
    """

    title: str
    classes: tuple[str, ...]
    columns: Mapping[str, np.ndarray]

    def summary(self, heading: str) -> float:
        """Sum of a column of counts, mean of a column of fractions over classes that occur."""
        values = self.columns[heading]
        if np.issubdtype(values.dtype, np.integer):
            return values.sum()
        return mean_over_valid(values)

    def to_text(self) -> str:
        """Table for the terminal: one line per class, the summary below."""
        rows = [
            [name, *(_cell(values[index]) for values in self.columns.values())]
            for index, name in enumerate(self.classes)
        ]
        summary = ['all', *(_cell(self.summary(heading)) for heading in self.columns)]
        table = AsciiTable([['class', *self.columns], *rows, summary], self.title)
        table.inner_footing_row_border = True
        return table.table

    def to_markdown(self) -> str:
        """Table as papers print it: one line per figure, a column per class, in percent."""
        rows = [
            [heading, *(_cell(value, percent=True) for value in (*values, self.summary(heading)))]
            for heading, values in self.columns.items()
        ]
        return markdown_table([self.title, *self.classes, 'all'], rows) + '\n'

    def to_dict(self) -> dict[str, dict[str, float | int | None]]:
        """Value by class by heading; None for a class that does not occur."""
        return {
            heading: dict(zip(self.classes, map(_plain, values)))
            for heading, values in self.columns.items()
        }


def _is_count(value: float) -> bool:
    return isinstance(value, (int, np.integer))


def _cell(value: float, percent: bool = False) -> str:
    if _is_count(value):
        return str(value)
    if np.isnan(value):
        return '-'
    return f'{100 * value:.1f}' if percent else f'{value:.3f}'


def _plain(value: float) -> float | int | None:
    if _is_count(value):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _rows(metrics: Mapping[str, float]) -> list[list[str]]:
    return [[name, f'{float(value):.4f}'] for name, value in metrics.items()]


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Make a table of figures for the terminal, one line each."""
    table = AsciiTable([['metric', 'value'], *_rows(metrics)])
    table.justify_columns[1] = 'right'
    return table.table


def write_metrics(metrics: Mapping[str, float], path: str | Path) -> None:
    """Write figures as one flat JSON object; a figure that is not measurable (nan) becomes null.

    Args:
        metrics: Figures by name.
        path: The file, which is written atomically.
    """
    _write_json(_figures(metrics), path)


def write_report(
    metrics: Mapping[str, float],
    tables: Sequence[ClassTable],
    path: str | Path,
    about: Mapping[str, str | None],
) -> None:
    """Write figures, and those of every class, as JSON.

    Args:
        metrics: Figures by name, written under ``figures``.
        tables: Written under ``classes``: title -> heading -> class -> value.
        path: The file, which is written atomically.
        about: Origin of the figures, e.g. checkpoint and config; written first.
    """
    classes = {table.title: table.to_dict() for table in tables}
    _write_json({**about, 'figures': _figures(metrics), 'classes': classes}, path)


def write_markdown(
    metrics: Mapping[str, float], tables: Sequence[ClassTable], path: str | Path
) -> None:
    """Write Markdown tables: one of each kind of figure by class, then all figures.

    Args:
        metrics: Figures by name.
        tables: Of classes; fractions are printed in percent.
        path: The file, which is written atomically.
    """
    figures = markdown_table(['figure', 'value'], _rows(metrics)) + '\n'
    parts = [*(table.to_markdown() for table in tables), figures]
    with atomic_path(path) as temporary:
        temporary.write_text('\n'.join(parts), encoding='utf-8')


def _figures(metrics: Mapping[str, float]) -> dict[str, float | int | None]:
    return {name: _plain(float(value)) for name, value in metrics.items()}


def _write_json(content: Mapping, path: str | Path) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False) + '\n'
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
