"""Draw the curves of a training from its log.

Example:
    python tools/analysis_tools/plot_curves.py work_dirs/demo --out curves.png
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mmlabelpenet.apis import run_command
from mmlabelpenet.utils import Parser, UserError, atomic_path

LOSSES = tuple(f'.loss_{name}' for name in ('image', 'proposals', 'region', 'cls', 'bbox', 'mask'))
# Title of each panel, and the suffixes of the names of its scalars, with a dot before each name.
PANELS = {
    'losses': LOSSES,
    'pseudo instances per photo': ('.pseudo',),
    'their mean weight': ('.pseudo_v',),
    'curriculum: lambda, threshold': ('.lambda', 'threshold'),
    'learning rate': ('.lr',),
    'gradient norm': ('grad_norm',),
}
QUALITY = ('corloc', 'pseudo_mask_iou', 'pseudo_mask_share')
LOG_SCALE = ('losses', 'learning rate', 'gradient norm')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description='Draw the curves of a training from its log')
    parser.add_argument('work_dir', help='folder of the run')
    parser.add_argument('--out', help='picture to write, WORK_DIR/curves.png by default')
    return parser.parse_args(argv)


def read_lines(paths: Iterable[Path]) -> list[dict]:
    """Read the JSON lines of files; the last line of a killed run may be incomplete."""
    lines = []
    for text in [text for path in paths for text in path.read_text().splitlines()]:
        with suppress(json.JSONDecodeError):
            lines.append(json.loads(text))
    return lines


def read_log(work_dir: str | Path) -> list[dict]:
    """Read the scalars of a training, by iteration; a resumed run replaces the killed one.

    Args:
        work_dir: Folder of the run.

    Returns:
        For each logged iteration its scalars by name, and ``step``.

    Raises:
        UserError: If the folder contains no log of a training.
    """
    steps: dict[int, dict] = {}
    for line in read_lines(sorted(Path(work_dir).glob('*/vis_data/scalars.json'))):
        # Validations have no learning rate.
        if 'lr' in line:
            # A resumed run replaces what the killed one logged after the checkpoint.
            steps = {step: known for step, known in steps.items() if step < line['step']}
            steps[line['step']] = line
    if not steps:
        raise UserError(f'There is no log of a training in {work_dir}: choose its work folder.')
    return [steps[step] for step in sorted(steps)]


def phase_changes(log: Sequence[dict]) -> list[int]:
    """Find the first logged iteration of each phase but the first."""
    return [b['step'] for a, b in pairwise(log) if a.get('phase') != b.get('phase')]


def draw_panel(axes: Axes, title: str, log: Sequence[dict], names: Sequence[str]) -> None:
    """Draw the curves of some scalars, with a vertical line at the start of each phase."""
    steps = [line['step'] for line in log]
    for name in names:
        # A gap where a stage is not trained.
        values = [line.get(name, float('nan')) for line in log]
        axes.plot(steps, values, label=name, linewidth=1, marker='.', markersize=2)
    for step in phase_changes(log):
        axes.axvline(step, color='0.8', linewidth=0.8, zorder=0)
    axes.set_yscale('log' if title in LOG_SCALE else 'linear')
    axes.set_title(title, fontsize=9)
    axes.set_xlabel('iteration', fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6, frameon=False)


def plot_curves(work_dir: str | Path, out: str | Path) -> None:
    """Draw the log of a run.

    Args:
        work_dir: Folder of the run.
        out: The picture, which appears whole or not at all.
    """
    log = read_log(work_dir)
    known = sorted({name for line in log for name in line})
    panels = [
        (title, log, [name for name in known if f'.{name}'.endswith(ends)])
        for title, ends in PANELS.items()
    ]
    quality = [
        {**line, 'step': line['iter']}
        for line in read_lines(Path(work_dir).glob('pseudo_labels.jsonl'))
    ]
    names = [name for name in QUALITY if any(name in line for line in quality)]
    panels.append(('pseudo labels of training photos', quality, names))
    panels = [panel for panel in panels if panel[2]]
    rows = -(-len(panels) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(11, 2.6 * rows), squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.axis('off')
    for axes, panel in zip(grid.flat, panels):
        draw_panel(axes, *panel)
    figure.tight_layout()
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=130)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the curves."""
    args = parse_args(argv)
    out = args.out or str(Path(args.work_dir) / 'curves.png')
    plot_curves(args.work_dir, out)
    print(out)


if __name__ == '__main__':
    run_command(main)
