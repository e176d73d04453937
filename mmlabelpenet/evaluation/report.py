"""Figures as a reader sees them: tables in the terminal, in Markdown and in JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

from mmlabelpenet.utils import atomic_path

from .functional import mean_over_valid


@dataclass(frozen=True)
class ClassTable:
    """Figures of every class.

    Attributes:
        title: What is measured, e.g. ``masks``.
        classes: C names.
        columns: C values under each heading; integers are counts, floats are fractions, nan
            where a class does not occur.
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
        """One line per class, the summary below: for the terminal."""
        rows = [['class', *self.columns]]
        for row, name in enumerate(self.classes):
            rows.append([name, *(_text(values[row]) for values in self.columns.values())])
        rows.append(['all', *(_text(self.summary(heading)) for heading in self.columns)])
        table = AsciiTable(rows, self.title)
        table.inner_footing_row_border = True
        return table.table

    def to_markdown(self) -> str:
        """One line per figure, a column per class, in percent: as papers print it."""
        lines = [_markdown_row([self.title, *self.classes, 'all'])]
        lines.append('|---' * (len(self.classes) + 2) + '|')
        for heading, values in self.columns.items():
            cells = [_percent(value) for value in (*values, self.summary(heading))]
            lines.append(_markdown_row([heading, *cells]))
        return '\n'.join(lines) + '\n'

    def to_dict(self) -> dict[str, dict[str, float | int | None]]:
        """Value by class by heading; None where a class does not occur."""
        return {
            heading: dict(zip(self.classes, map(_plain, values)))
            for heading, values in self.columns.items()
        }


def _is_count(value: float) -> bool:
    return isinstance(value, (int, np.integer))


def _text(value: float) -> str:
    if _is_count(value):
        return str(value)
    return '-' if np.isnan(value) else f'{value:.3f}'


def _percent(value: float) -> str:
    if _is_count(value):
        return str(value)
    return '-' if np.isnan(value) else f'{100 * value:.1f}'


def _plain(value: float) -> float | int | None:
    if _is_count(value):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _markdown_row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Make a table of figures for the terminal, one line each."""
    rows = [['metric', 'value']]
    rows += [[name, f'{float(value):.4f}'] for name, value in metrics.items()]
    table = AsciiTable(rows)
    table.justify_columns[1] = 'right'
    return table.table


def write_metrics(metrics: Mapping[str, float], path: str | Path) -> None:
    """Write figures as one flat JSON object; what was not measurable (nan) becomes null.

    Args:
        metrics: Figures by name.
        path: The file, which appears whole or not at all.
    """
    _write_json({name: _plain(float(value)) for name, value in metrics.items()}, path)


def write_report(
    metrics: Mapping[str, float],
    tables: Sequence[ClassTable],
    path: str | Path,
    about: Mapping[str, str | None],
) -> None:
    """Write figures, and those of every class, as JSON.

    Args:
        metrics: Figures by name, which go to ``figures``.
        tables: Which go to ``classes``: title -> heading -> class -> value.
        path: The file, which appears whole or not at all.
        about: Where the figures come from, e.g. checkpoint and config; goes before them.
    """
    figures = {name: _plain(float(value)) for name, value in metrics.items()}
    classes = {table.title: table.to_dict() for table in tables}
    _write_json({**about, 'figures': figures, 'classes': classes}, path)


def write_markdown(
    metrics: Mapping[str, float], tables: Sequence[ClassTable], path: str | Path
) -> None:
    """Write Markdown tables: one of each kind of figure by class, then all figures.

    Args:
        metrics: Figures by name.
        tables: Of classes; fractions are printed in percent.
        path: The file, which appears whole or not at all.
    """
    parts = [table.to_markdown() for table in tables]
    rows = [_markdown_row([name, f'{float(value):.4f}']) for name, value in metrics.items()]
    parts.append('\n'.join(['| figure | value |', '|---|---|', *rows]) + '\n')
    with atomic_path(path) as temporary:
        temporary.write_text('\n'.join(parts), encoding='utf-8')


def _write_json(content: Mapping, path: str | Path) -> None:
    with atomic_path(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        temporary.write_text(text + '\n', encoding='utf-8')
