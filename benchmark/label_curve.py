"""The curve of labels of a checkpoint: their quality after each step of the cascade.

Measures the labels of training images, whose ground truth only the metrics read. A training writes
the same after each phase if default_hooks.label_curve.num_images is set.

Example:
    python benchmark/label_curve.py CONFIG CHECKPOINT --images 200 --out work_dirs/curve
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from pseudo_labels import build_row

from mmlabelpenet.apis import run_command
from mmlabelpenet.engine.hooks.label_curve import measure_labels, spread_loader
from mmlabelpenet.utils import register_all_modules
from mmlabelpenet.visualization import label_table, write_label_curve


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--images', type=int, help='number of training images; default: all')
    parser.add_argument('--name', default='', help='of the run, in table and plot')
    parser.add_argument('--out', type=Path, help='folder of table and plot')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    args = parse_args(argv)
    register_all_modules()
    model, cfg = build_row(args.config, args.checkpoint, {}, {})
    with torch.no_grad():
        loader = spread_loader(cfg.corloc_dataloader, args.images)
        found = measure_labels(model, loader, list(model.cascade.steps))
    entries = [{'phase': args.name, 'images': len(loader.dataset), **one} for one in found]
    if args.out:
        write_label_curve(entries, args.out)
    print(label_table(entries))


if __name__ == '__main__':
    run_command(main)
