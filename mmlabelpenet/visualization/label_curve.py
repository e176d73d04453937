"""The curve of labels: their quality after each step of the cascade, as a table and a plot."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmlabelpenet.utils import atomic_path, markdown_table, write_lines

COLUMNS = {
    'CorLoc': 'corloc',
    'mask IoU': 'pseudo_mask_iou',
    'right': 'right',
    'wrong': 'wrong',
    'part': 'part',
    'too large': 'large',
    'several in one': 'several',
    'missed': 'missed',
}
PASSED_ON = 'passed on by '
# They come last, in this order.
WAY_BACK = ('validation', 'labelled anew')


def write_label_curve(entries: Sequence[dict], folder: str | Path) -> None:
    """Write ``label_curve.json``, ``.md`` and ``.png``, each whole or not at all.

    Args:
        entries: One for each kind of labels after each phase, in their order: ``phase``,
            ``labels`` (the name) and figures of :class:`PseudoLabelMetric`, None where one does
            not exist.
        folder: Where the files go.
    """
    path = Path(folder) / 'label_curve.json'
    write_lines(path, ['[', ',\n'.join(json.dumps(one) for one in entries), ']'])
    write_lines(path.with_suffix('.md'), [label_table(entries)])
    draw_label_curve(entries, path.with_suffix('.png'))


def label_table(entries: Sequence[dict]) -> str:
    """Markdown table with a line for each entry, see :func:`write_label_curve`."""
    rows = [
        [one['phase'], one['labels'], *(_cell(one[name]) for name in COLUMNS.values())]
        for one in entries
    ]
    return markdown_table(['after phase', 'labels', *COLUMNS], rows)


def _cell(value: float | int | None) -> str:
    return '-' if value is None else f'{value:.3f}' if isinstance(value, float) else str(value)


def draw_label_curve(entries: Sequence[dict], path: Path) -> None:
    """Draw CorLoc, mask IoU and right and wrong instances over the steps, a line for each phase.

    Labels that one module passes on to the next, where they are others than those that it finds,
    are crosses.

    Args:
        entries: See :func:`write_label_curve`.
        path: The picture.
    """
    # not at the top: slow to import, and only needed here
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    names = dict.fromkeys(one['labels'] for one in entries)
    places = [one for one in names if not one.startswith(PASSED_ON)]
    places.sort(key=lambda one: one in WAY_BACK and 1 + WAY_BACK.index(one))
    phases = list(dict.fromkeys(one['phase'] for one in entries))
    figure = Figure(figsize=(13, 3.6), layout='constrained')
    panels = figure.subplots(1, 4)
    for axes, title in zip(panels, list(COLUMNS)[:4]):
        name = COLUMNS[title]
        for number, phase in enumerate(phases):
            own = {one['labels']: one[name] for one in entries if one['phase'] == phase}
            own = {label: value for label, value in own.items() if value is not None}
            style = dict(color=colormaps['viridis'](number / max(len(phases), 2)), markersize=4)
            line = [place for place in places if place in own]
            axes.plot(line, [own[one] for one in line], marker='o', label=phase, **style)
            passed = [place for place in places if PASSED_ON + place in own]
            axes.plot(passed, [own[PASSED_ON + one] for one in passed], 'x', **style)
        axes.set_title(title, fontsize=9)
        axes.tick_params('x', rotation=40, labelsize=7)
        axes.tick_params('y', labelsize=7)
    panels[0].legend(title='after phase', fontsize=6, title_fontsize=6, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
