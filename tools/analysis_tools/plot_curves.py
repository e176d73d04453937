"""Draw the curves of a training from its log.

Example:
    python tools/analysis_tools/plot_curves.py work_dirs/demo --out curves.png
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mmlabelpenet.apis import run_command
from mmlabelpenet.utils import UserError, atomic_path

LOSSES = tuple(f'.loss_{name}' for name in ('image', 'proposals', 'region', 'cls', 'bbox', 'mask'))
# Title of each panel, and what it shows: the ends of the names of scalars.
PANELS = {
    'losses': LOSSES,
    'pseudo instances a photo': ('.pseudo',),
    'their mean weight': ('.pseudo_v',),
    'curriculum: lambda, threshold': ('.lambda', 'threshold'),
    'learning rate': ('lr',),
    'gradient norm': ('grad_norm',),
}
QUALITY = ('corloc', 'pseudo_mask_iou', 'pseudo_mask_share')
LOG_SCALE = ('losses', 'learning rate', 'gradient norm')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the curves of a training from its log')
    parser.add_argument('work_dir', help='folder of the run')
    parser.add_argument('--out', help='picture to write, WORK_DIR/curves.png by default')
    return parser.parse_args(argv)


def read_lines(paths: Iterable[Path]) -> list[dict]:
    """All JSON lines of some files; the last one of a killed run may be torn."""
    lines = []
    for path in paths:
        for text in path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
    return lines


def read_log(work_dir: str | Path) -> list[dict]:
    """The scalars of a training, by iteration; a resumed run's replace those of the cut one.

    Args:
        work_dir: Folder of the run.

    Returns:
        For each iteration that was logged its scalars by name, and ``step``.

    Raises:
        UserError: If the folder holds no log of a training.
    """
    steps: dict[int, dict] = {}
    for line in read_lines(sorted(Path(work_dir).glob('*/vis_data/scalars.json'))):
        if 'lr' not in line:  # of a validation
            continue
        # A run that went back to a checkpoint wipes what the cut one logged beyond it.
        steps = {step: known for step, known in steps.items() if step < line['step']}
        steps[line['step']] = line
    if not steps:
        raise UserError(
            f'There is no log of a training in {work_dir}: name the work folder of one.'
        )
    return [steps[step] for step in sorted(steps)]


def phase_changes(log: Sequence[dict]) -> list[int]:
    """Iterations at which a new phase was first logged."""
    changed = [(a, b) for a, b in pairwise(log) if a.get('phase') != b.get('phase')]
    return [now['step'] for _, now in changed]


def draw_panel(axes: Axes, title: str, log: Sequence[dict], names: Sequence[str]) -> None:
    """Draw the curves of some scalars, with a line wherever a phase begins."""
    steps = [line['step'] for line in log]
    for name in names:
        # A gap where a stage does not learn.
        values = [line.get(name, float('nan')) for line in log]
        axes.plot(steps, values, label=name, linewidth=1, marker='.', markersize=2)
    for step in phase_changes(log):
        axes.axvline(step, color='0.8', linewidth=0.8, zorder=0)
    if title in LOG_SCALE:
        axes.set_yscale('log')
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
    known = {name for line in log for name in line}
    panels = {
        title: sorted(name for name in known if name.endswith(ends))
        for title, ends in PANELS.items()
    }
    panels['learning rate'] = ['lr']
    panels = {title: names for title, names in panels.items() if names}
    looks = read_lines(
        [path for path in [Path(work_dir) / 'pseudo_labels.jsonl'] if path.is_file()]
    )
    count = len(panels) + bool(looks)
    rows = -(-count // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(11, 2.6 * rows), squeeze=False)
    cells = iter(grid.flat)
    for title, names in panels.items():
        draw_panel(next(cells), title, log, names)
    if looks:
        quality = [{**look, 'step': look['iter']} for look in looks]
        names = [name for name in QUALITY if name in quality[0]]
        draw_panel(next(cells), 'pseudo labels of training photos', quality, names)
    for axes in cells:
        axes.axis('off')
    figure.tight_layout()
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=130)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw."""
    args = parse_args(argv)
    out = args.out or str(Path(args.work_dir) / 'curves.png')
    plot_curves(args.work_dir, out)
    print(out)


if __name__ == '__main__':
    run_command(main)
