"""Stands for ``python`` while pages are run: fits commands to the small workspace.

A reader trains on 160 images for minutes. Here the same commands get a few more arguments, and
only here: no tool knows of it.
"""

import os
import re
import sys

PHASES = ('classification', 'detection', 'refinement', 'segmentation', 'joint')
# Where a pattern fits the command line, the arguments are added to its end.
MORE = (
    (r'make_shapes\.py', '--num-train 8 --num-val 3 --image-size 64 96'),
    (
        r'tools/train\.py .*configs/label_penet/\S+',
        '--cfg-options ' + ' '.join(f'train_cfg.phases.{name}.iterations=1' for name in PHASES),
    ),
    (
        r'tools/train\.py .*configs/pseudo_label/\S+',
        '--cfg-options train_cfg.max_epochs=1 train_dataloader.dataset.indices=4',
    ),
    # a model that has hardly learned is sure of nothing
    (r'export_pseudo_labels\.py', '--score-thr 0 --max-per-class 3'),
)


def fitted(arguments):
    """The arguments of a command, with those that it gets here."""
    line = ' '.join(arguments) + ' '
    more = [extra.split() for pattern, extra in MORE if re.search(pattern, line)]
    return [*arguments, *(word for words in more for word in words)]


if __name__ == '__main__':
    os.execv(sys.executable, [sys.executable, *fitted(sys.argv[1:])])
