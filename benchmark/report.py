"""Table and plots of a benchmark's results."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mmlabelpenet.evaluation.functional import OUTCOMES
from mmlabelpenet.utils import UserError, atomic_path

# Heading of each column, and the figure in it; masks without void pixels, as the yardsticks.
COLUMNS = {
    'box AP@.25': 'bbox_mAP_25',
    '.5': 'bbox_mAP_50',
    '.75': 'bbox_mAP_75',
    'CorLoc': 'corloc',
    'mask AP@.25': 'no_void/segm_mAP_25',
    '.5 ': 'no_void/segm_mAP_50',
    '.7': 'no_void/segm_mAP_70',
    '.75 ': 'no_void/segm_mAP_75',
    'ABO': 'no_void/segm_ABO',
    'mask AP@.5 (void)': 'segm_mAP_50',
    'image mAP': 'image_mAP',
    'mIoU': 'semseg_mIoU',
}
LADDER = {'box AP@.5': 'bbox_mAP_50', 'mask AP@.5': 'no_void/segm_mAP_50', 'CorLoc': 'corloc'}
# What is told in words: each row over another one, on these figures.
STEPS = (
    ('D', 'A'),
    ('D-fitted', 'D'),
    ('E', 'D'),
    ('E-fitted', 'E'),
    ('F', 'E'),
    ('G', 'F'),
    ('H', 'E'),
    ('H', 'H-no-curriculum'),
    ('Label-PEnet', 'OICR-reg-attention'),
)
COLOURS = ('#2b6cb0', '#c05621', '#2f855a')
# Colours of OUTCOMES, then of duplicates.
ERRORS = ('#2f855a', '#d69e2e', '#ed8936', '#c05621', '#805ad5', '#a0aec0')
NAMES = {
    'found': 'found',
    'part': 'part of the object',
    'large': 'too large',
    'several': 'several objects in one box',
    'wrong_class': 'wrong class',
    'missed': 'missed',
}


def values_of(results: Sequence[dict], row: str, figure: str) -> list[float]:
    """A figure of a row, of every seed that has it."""
    own = [one for one in results if one['row'] == row]
    found = [one.get(figure, one['metrics'].get(figure)) for one in own]
    return [value for value in found if value is not None]


def summary(values: Sequence[float], digits: int = 3) -> str:
    """Median and, of several, the range in brackets."""
    if not values:
        return '-'
    median = f'{statistics.median(values):.{digits}f}'
    if len(values) == 1:
        return median
    return f'{median} ({min(values):.{digits}f}-{max(values):.{digits}f})'


def rows_of(results: Sequence[dict], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The rows that are measured, known ones in the order of the groups."""
    order = [row for rows in groups.values() for row in rows]
    measured = list(dict.fromkeys(one['row'] for one in results))
    return [row for row in order if row in measured] + [
        row for row in measured if row not in order
    ]


def make_table(results: Sequence[dict], groups: Mapping[str, Sequence[str]]) -> str:
    """Markdown table: a line for each row, medians and ranges over seeds."""
    heads = ['row', 'config', 'seeds', *(head.strip() for head in COLUMNS), 'minutes', 'GB']
    lines = ['| ' + ' | '.join(heads) + ' |', '|---' * len(heads) + '|']
    for row in rows_of(results, groups):
        own = [one for one in results if one['row'] == row]
        commits = sorted({one['commit'] for one in own})
        cells = [row, f'`{Path(own[0]["config"]).stem}` ({", ".join(commits)})', str(len(own))]
        cells += [summary(values_of(own, row, figure)) for figure in COLUMNS.values()]
        cells += [summary(values_of(own, row, name), 1) for name in ('minutes', 'peak_gb')]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def make_ratios(results: Sequence[dict]) -> str:
    """A sentence on weak against full supervision, where both are measured."""
    pairs = {'boxes': ('Fast-RCNN', 'bbox_mAP_50'), 'masks': ('Mask-RCNN', LADDER['mask AP@.5'])}
    parts = []
    for what, (bound, figure) in pairs.items():
        weak = values_of(results, 'Label-PEnet', figure)
        full = [values_of(results, row, figure) for row in {bound, 'Mask-RCNN'}]
        medians = [statistics.median(values) for values in full if values]
        if weak and medians:
            # Of two bounds the better one counts.
            parts.append(f'{what} {statistics.median(weak) / max(medians):.2f}')
    return f'Weakly over fully supervised, medians at IoU .5: {", ".join(parts)}.' if parts else ''


def make_steps(results: Sequence[dict]) -> str:
    """Lines on what a row gains over another one, and whether it is beyond the range of seeds."""
    lines = []
    for row, other in STEPS:
        parts = []
        for figure, name in LADDER.items():
            ours, theirs = (values_of(results, one, name) for one in (row, other))
            if ours and theirs:
                gain = statistics.median(ours) - statistics.median(theirs)
                apart = min(ours) > max(theirs) or max(ours) < min(theirs)
                told = f'{len(ours)} and {len(theirs)} seeds'
                if min(len(ours), len(theirs)) > 1:
                    told = f'{"apart" if apart else "within"}, {told}'
                parts.append(f'{figure} {gain:+.3f} ({told})')
        if parts:
            lines.append(f'- {row} over {other}: {", ".join(parts)}')
    head = (
        'Gains of medians; "apart" where no seed of the one reaches into the range of the other:'
    )
    return '\n'.join([head, '', *lines]) if lines else ''


def insert(text: str, path: Path, name: str) -> None:
    """Put a text between the markers of a document.

    Args:
        text: Markdown.
        path: The document.
        name: Of the markers, the script's.

    Raises:
        UserError: If the document has no markers.
    """
    begin, end = f'<!-- {name} begin -->', f'<!-- {name} end -->'
    page = path.read_text() if path.is_file() else ''
    if page.count(begin) != 1 or page.count(end) != 1:
        raise UserError(f'{path} needs the lines {begin} and {end}, once each, around the table.')
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    with atomic_path(path) as temporary:
        temporary.write_text(f'{before}{begin}\n\n{text}\n\n{end}{after}')


def plot_ladder(results: Sequence[dict], groups: Mapping[str, Sequence[str]], path: Path) -> None:
    """Draw the rungs A to H, median and range over seeds, the bound on top."""
    rungs = [row for row in groups.get('ladder', ()) if any(one['row'] == row for one in results)]
    if not rungs:
        return
    figure, axes = plt.subplots(figsize=(8, 4.2))
    for colour, (label, name) in zip(COLOURS, LADDER.items()):
        points = [(x, values_of(results, row, name)) for x, row in enumerate(rungs)]
        points = [(x, values) for x, values in points if values]
        medians = [statistics.median(values) for _, values in points]
        spread = [
            [median - min(values) for median, (_, values) in zip(medians, points)],
            [max(values) - median for median, (_, values) in zip(medians, points)],
        ]
        places = [x for x, _ in points]
        axes.errorbar(places, medians, spread, marker='o', capsize=4, color=colour, label=label)
        _draw_bound(axes, results, label, name, colour)
    axes.set_xticks(range(len(rungs)), rungs)
    axes.set_ylim(0, 1)
    axes.grid(axis='y', color='0.92')
    axes.set_xlabel('what is added, rung by rung; dashed: fully supervised')
    axes.legend(frameon=False, ncols=3, fontsize=8, loc='lower left', bbox_to_anchor=(0, 1))
    _save(figure, path)


def _draw_bound(axes: Axes, results: Sequence[dict], label: str, name: str, colour: str) -> None:
    full = [
        statistics.median(values)
        for row in ('Fast-RCNN', 'Mask-RCNN')
        if (values := values_of(results, row, name))
    ]
    if full:
        axes.axhline(max(full), color=colour, linestyle='--', linewidth=1)
        place = dict(transform=axes.get_yaxis_transform(), ha='right', va='bottom')
        axes.text(0.99, max(full), f'bound, {label}', fontsize=7, **place)


def plot_errors(results: Sequence[dict], groups: Mapping[str, Sequence[str]], path: Path) -> None:
    """Draw what became of the objects, a stacked bar a row; duplicates stand beside."""
    rows = [r for r in rows_of(results, groups) if values_of(results, r, 'error_found')]
    if not rows:
        return
    figure, axes = plt.subplots(figsize=(9, 1.3 + 0.32 * len(rows)))
    places = range(len(rows))
    left = [0.0] * len(rows)
    for colour, outcome in zip(ERRORS, OUTCOMES):
        shares = [_mean_error(results, row, outcome) for row in rows]
        axes.barh(places, shares, left=left, color=colour, label=NAMES[outcome])
        left = [a + b for a, b in zip(left, shares)]
    twice = [_mean_error(results, row, 'duplicate') for row in rows]
    axes.barh(places, twice, left=[x + 0.02 for x in left], color='#1a202c', label='duplicate')
    axes.set_yticks(places, rows)
    axes.invert_yaxis()
    axes.set_xlabel('share of the true objects; duplicates for each object')
    axes.legend(frameon=False, ncols=4, fontsize=8, loc='lower left', bbox_to_anchor=(0, 1))
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    _save(figure, path)


def _mean_error(results: Sequence[dict], row: str, name: str) -> float:
    # Means over seeds, unlike medians, still sum to all objects.
    return statistics.fmean(values_of(results, row, f'error_{name}'))


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
    plt.close(figure)


def write_report(
    results: Sequence[dict], groups: Mapping[str, Sequence[str]], docs: Path, images: Path
) -> None:
    """Write table and plots of what is measured.

    Args:
        results: Of the benchmark.
        groups: For each group its rows, in order.
        docs: The document that holds the markers.
        images: Folder of the plots.
    """
    if not results:
        raise UserError('Nothing is measured yet: run the benchmark without --report.')
    plot_ladder(results, groups, images / 'voc12_mini_ladder.png')
    plot_errors(results, groups, images / 'voc12_mini_errors.png')
    parts = [make_table(results, groups), make_ratios(results), make_steps(results)]
    insert('\n\n'.join(filter(None, parts)), docs, 'voc12_mini.py')
