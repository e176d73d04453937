"""Results of the benchmark: the file that holds them, tables and plots."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmlabelpenet.evaluation.functional import OUTCOMES
from mmlabelpenet.utils import UserError, atomic_path, markdown_table, write_lines

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
METHOD = 'Label-PEnet'
BOUNDS = ('Fast-RCNN', 'Mask-RCNN')
# Pairs of rows, of which the first is compared with the second in words.
STEPS = (
    ('D', 'A'),
    ('D-refined', 'D'),
    ('E', 'D'),
    ('E-refined', 'E'),
    ('F', 'E'),
    ('G', 'F'),
    ('H', 'E'),
    ('H', 'H-no-curriculum'),
    (METHOD, 'H'),
    (METHOD, 'OICR-reg-attention'),
)
# What is added in a pair of rows; the sentences on the page of the benchmark.
SENTENCES = {
    ('D', 'A'): 'The cascade without calibration',
    ('E', 'D'): 'Joint training',
    ('G', 'F'): 'Forward calibration',
    ('H', 'G'): 'Full instead of forward calibration',
    ('H', 'H-no-curriculum'): 'The curriculum with calibration',
    (METHOD, 'H'): 'A lap on labels made anew',
    (METHOD, 'OICR-reg-attention'): 'The method instead of OICR on the same attention',
}
COLOURS = ('#2b6cb0', '#c05621', '#2f855a')
# Colours of OUTCOMES.
ERRORS = ('#2f855a', '#d69e2e', '#ed8936', '#c05621', '#805ad5', '#a0aec0')
NAMES = {
    'found': 'found',
    'part': 'part of the object',
    'large': 'too large',
    'several': 'several objects in one box',
    'wrong_class': 'wrong class',
    'missed': 'missed',
}
LEGEND = dict(frameon=False, fontsize=8, loc='lower left', bbox_to_anchor=(0, 1))


def read_results(path: Path) -> list[dict]:
    """Read all results of a file, none where there is no file."""
    return json.loads(path.read_text()) if path.is_file() else []


def write_results(results: Sequence[dict], path: Path) -> None:
    """Write all results, one a line."""
    lines = ',\n'.join(json.dumps(one) for one in results)
    write_lines(path, ['[', lines, ']'])


def add_result(result: dict, path: Path) -> list[dict]:
    """Add a result to a file, in the place of one of the same row and seed.

    Returns:
        All results of the file.
    """
    place = result['row'], result.get('seed')
    kept = [one for one in read_results(path) if (one['row'], one.get('seed')) != place]
    write_results([*kept, result], path)
    return [*kept, result]


def values_of(results: Sequence[dict], row: str, figure: str) -> list[float]:
    """Values of a figure of a row, of each seed that has it."""
    own = [{**one, **one.get('metrics', {})} for one in results if one['row'] == row]
    return [one[figure] for one in own if one.get(figure) is not None]


def summary(values: Sequence[float], digits: int = 3) -> str:
    """Median and, of several values, the range in brackets."""
    if not values:
        return '-'
    parts = (statistics.median(values), min(values), max(values))
    median, low, high = (f'{value:.{digits}f}' for value in parts)
    return median if len(values) == 1 else f'{median} ({low}-{high})'


def rows_of(results: Sequence[dict], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The rows that are measured, known ones first, in the order of the groups."""
    known = [row for rows in groups.values() for row in rows]
    measured = dict.fromkeys(one['row'] for one in results)
    return [row for row in dict.fromkeys([*known, *measured]) if row in measured]


def make_table(results: Sequence[dict], groups: Mapping[str, Iterable[str]]) -> str:
    """Markdown table: a line for each row, medians and ranges over seeds."""
    lines = []
    for row in rows_of(results, groups):
        own = [one for one in results if one['row'] == row]
        commits = ', '.join(sorted({one['commit'] for one in own}))
        lines.append(
            [
                row,
                f'`{Path(own[0]["config"]).stem}` ({commits})',
                len(own),
                *(summary(values_of(own, row, figure)) for figure in COLUMNS.values()),
                *(summary(values_of(own, row, name), 1) for name in ('minutes', 'peak_gb')),
            ]
        )
    headings = ['row', 'config', 'seeds', *map(str.strip, COLUMNS), 'minutes', 'GB']
    return markdown_table(headings, lines)


def summary_table(
    results: Sequence[dict],
    columns: Mapping[str, str],
    groups: Mapping[str, Iterable[str]] | None = None,
) -> str:
    """Markdown table: a line for each row, medians and ranges over seeds.

    Args:
        results: With ``row``.
        columns: For each heading the figure below it.
        groups: For each group its rows, in the order of the table.
    """
    lines = []
    for row in rows_of(results, groups or {}):
        seeds = sum(one['row'] == row for one in results)
        cells = (
            summary(values_of(results, row, figure), 0 if figure == 'minutes' else 3)
            for figure in columns.values()
        )
        lines.append([row, seeds, *cells])
    return markdown_table(['row', 'seeds', *columns], lines)


def bound_of(results: Sequence[dict], figure: str) -> float | None:
    """Median of the better one of the fully supervised bounds."""
    values = [values_of(results, row, figure) for row in BOUNDS]
    return max((statistics.median(one) for one in values if one), default=None)


def make_ratios(results: Sequence[dict]) -> str:
    """Sentence on weak over full supervision, where both are measured."""
    parts = []
    for name, figure in (('boxes', LADDER['box AP@.5']), ('masks', LADDER['mask AP@.5'])):
        weak, full = values_of(results, METHOD, figure), bound_of(results, figure)
        if weak and full:
            parts.append(f'{name} {statistics.median(weak) / full:.2f}')
    return f'Weakly over fully supervised, medians at IoU .5: {", ".join(parts)}.' if parts else ''


def make_steps(results: Sequence[dict]) -> str:
    """Lines on what a row gains over another one, and whether it is beyond the range of seeds."""
    lines = []
    for row, other in STEPS:
        gains = [_gain(results, row, other, name) for name in LADDER]
        if any(gains):
            lines.append(f'- {row} over {other}: {", ".join(filter(None, gains))}')
    head = 'Gains of medians; "apart" where the ranges of the seeds do not overlap:\n\n'
    return head + '\n'.join(lines) if lines else ''


def make_sentences(results: Sequence[dict]) -> str:
    """List of sentences: the ratio to full supervision, and what each part gains."""
    sentences = [make_ratios(results)]
    for (row, other), part in SENTENCES.items():
        gains = list(filter(None, (_gain(results, row, other, name) for name in LADDER)))
        if gains:
            sentences.append(f'{part} moves the medians ({row} over {other}): {", ".join(gains)}.')
    return '\n'.join(f'- {one}' for one in filter(None, sentences))


def make_headline(results: Sequence[dict], groups: Mapping[str, Iterable[str]]) -> str:
    """Markdown table of the method, the best baseline, the better bound and the ratio.

    Baselines and bounds are compared by the median of box AP@.5. Empty unless all are measured.
    """
    columns = {name: LADDER[name] for name in ('box AP@.5', 'mask AP@.5')}
    best = [_best(results, rows) for rows in (groups.get('baselines', ()), BOUNDS)]
    if None in best or not values_of(results, METHOD, 'bbox_mAP_50'):
        return ''
    names = {METHOD: METHOD, best[0]: f'{best[0]} (best baseline)', best[1]: f'{best[1]} (bound)'}
    lines = []
    for row, name in names.items():
        seeds = sum(one['row'] == row for one in results)
        cells = [summary(values_of(results, row, figure)) for figure in columns.values()]
        lines.append([name, *cells, seeds, summary(values_of(results, row, 'minutes'), 0)])
    ratios = []
    for figure in columns.values():
        weak, full = values_of(results, METHOD, figure), values_of(results, best[1], figure)
        ratios.append(f'{statistics.median(weak) / statistics.median(full):.2f}' if full else '-')
    lines.append([f'{METHOD} / bound', *ratios, '', ''])
    return markdown_table(['', *columns, 'seeds', 'minutes'], lines)


def _best(results: Sequence[dict], rows: Iterable[str]) -> str | None:
    values = {row: values_of(results, row, 'bbox_mAP_50') for row in rows}
    return max(
        (row for row in values if values[row]),
        key=lambda row: statistics.median(values[row]),
        default=None,
    )


def _gain(results: Sequence[dict], row: str, other: str, name: str) -> str:
    ours, theirs = (values_of(results, one, LADDER[name]) for one in (row, other))
    if not (ours and theirs):
        return ''
    gain = statistics.median(ours) - statistics.median(theirs)
    ranges = ''
    if min(len(ours), len(theirs)) > 1:
        apart = min(ours) > max(theirs) or max(ours) < min(theirs)
        ranges = 'apart, ' if apart else 'within, '
    return f'{name} {gain:+.3f} ({ranges}{len(ours)} and {len(theirs)} seeds)'


def insert(text: str, path: Path, name: str) -> None:
    """Put a text between the markers of a document.

    Args:
        text: Markdown.
        path: The document.
        name: Of the markers: the script's name.

    Raises:
        UserError: If the document does not have both markers once.
    """
    begin, end = f'<!-- {name} begin -->', f'<!-- {name} end -->'
    page = path.read_text() if path.is_file() else ''
    if page.count(begin) != 1 or page.count(end) != 1:
        raise UserError(f'{path} needs the lines {begin} and {end}, once each, around the table.')
    before, after = page.split(begin)[0], page.split(end)[1]
    with atomic_path(path) as temporary:
        temporary.write_text(f'{before}{begin}\n\n{text}\n\n{end}{after}')


def plot_ladder(results: Sequence[dict], groups: Mapping[str, Iterable[str]], path: Path) -> None:
    """Draw the ablations A to H, median and range over seeds, and the bound as a dashed line."""
    rows = [row for row in rows_of(results, groups) if row in groups.get('ladder', ())]
    if not rows:
        return
    figure = Figure(figsize=(8, 4.2))
    axes = figure.subplots()
    for colour, (label, name) in zip(COLOURS, LADDER.items()):
        values = {x: values_of(results, row, name) for x, row in enumerate(rows)}
        points = [
            (x, statistics.median(own), min(own), max(own)) for x, own in values.items() if own
        ]
        places, medians, low, high = np.array(points).reshape(-1, 4).T
        ranges = [medians - low, high - medians]
        axes.errorbar(places, medians, ranges, marker='o', capsize=4, color=colour, label=label)
        if bound := bound_of(results, name):
            axes.axhline(bound, color=colour, linestyle='--', linewidth=1)
            place = dict(transform=axes.get_yaxis_transform(), ha='right', va='bottom')
            axes.text(0.99, bound, f'bound, {label}', fontsize=7, **place)
    axes.set(xticks=range(len(rows)), xticklabels=rows, ylim=(0, 1))
    axes.set_xlabel('ablations, each with one part more; dashed: fully supervised')
    axes.grid(axis='y', color='0.92')
    axes.legend(ncols=3, **LEGEND)
    save_figure(figure, path)


def plot_errors(results: Sequence[dict], groups: Mapping[str, Iterable[str]], path: Path) -> None:
    """Draw the shares of outcomes of the objects, a stacked bar a row, duplicates beside it."""
    rows = [row for row in rows_of(results, groups) if values_of(results, row, 'error_found')]
    if not rows:
        return
    figure = Figure(figsize=(9, 1.3 + 0.32 * len(rows)))
    axes = figure.subplots()
    left = np.zeros(len(rows))
    for name, colour in [*zip(OUTCOMES, ERRORS), ('duplicate', '#1a202c')]:
        # Means over seeds, unlike medians, still sum to all objects.
        shares = [statistics.fmean(values_of(results, row, f'error_{name}')) for row in rows]
        begin = left + (0.02 if name == 'duplicate' else 0)
        axes.barh(range(len(rows)), shares, left=begin, color=colour, label=NAMES.get(name, name))
        left = begin + shares
    axes.set(yticks=range(len(rows)), yticklabels=rows)
    axes.set_xlabel('share of the ground-truth objects; duplicates for each object')
    axes.invert_yaxis()
    axes.legend(ncols=4, **LEGEND)
    axes.spines[['top', 'right']].set_visible(False)
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Lay a figure out and write it."""
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)


def write_report(
    results: Sequence[dict],
    groups: Mapping[str, Iterable[str]],
    docs: Path,
    images: Path,
    readme: Path,
) -> None:
    """Write tables and plots of what is measured.

    Args:
        results: Of the benchmark.
        groups: For each group its rows, in order.
        docs: The page of the benchmark; ``provenance.md`` beside it gets all figures.
        images: Folder of the plots.
        readme: The first page, which gets the headline.

    Raises:
        UserError: If there are no results, or a page has no markers.
    """
    if not results:
        raise UserError('Nothing is measured yet: run the benchmark without --report.')
    plot_ladder(results, groups, images / 'voc12_mini_ladder.png')
    plot_errors(results, groups, images / 'voc12_mini_errors.png')
    short = summary_table(results, {**LADDER, 'minutes': 'minutes'}, groups)
    pages = {
        docs: [short, make_sentences(results)],
        docs.with_name('provenance.md'): [
            make_table(results, groups),
            make_ratios(results),
            make_steps(results),
        ],
        readme: [make_headline(results, groups)],
    }
    for page, parts in pages.items():
        insert('\n\n'.join(filter(None, parts)), page, 'voc12_mini.py')
