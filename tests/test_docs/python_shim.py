"""Replaces ``python`` while pages are run: adds arguments that make commands short.

A reader trains on 160 images for minutes. Here the same commands get a few more arguments; the
tools themselves have no special case for tests. The files run in :mod:`python_server`.
"""

import os
import re
import sys

PHASES = ('classification', 'detection', 'refinement', 'segmentation', 'joint')
SHORT = ' '.join(f'train_cfg.phases.{name}.iterations=1' for name in PHASES)
# The demo's classifier is trained for two passes, so that there is attention.
DEMO = SHORT.replace('classification.iterations=1', 'classification.iterations=8')
DEMO += ' train_cfg.val_begin=100 train_cfg.feature_cache=None'
# If a pattern matches the command line, the arguments are added to its end.
EXTRA_ARGUMENTS = (
    (r'make_shapes\.py', '--num-train 8 --num-val 3 --image-size 64 96'),
    (r'make_proposals\.py', '--workers 1'),
    (r'tools/train\.py .*configs/label_penet/.* work_dirs/demo ', f'--cfg-options {DEMO}'),
    (r'tools/train\.py .*configs/label_penet/(?!.* work_dirs/demo )', f'--cfg-options {SHORT}'),
    (
        r'tools/train\.py .*configs/pseudo_label/\S+',
        '--cfg-options train_cfg.max_epochs=1 train_dataloader.dataset.indices=4',
    ),
    # scores of a model that is hardly trained are low
    (r'export_pseudo_labels\.py', '--score-thr 0 --max-per-class 3'),
)


def with_extra_arguments(arguments):
    """The arguments of a command, and those that are added to it."""
    line = ' '.join(arguments) + ' '
    extra = ' '.join(added for pattern, added in EXTRA_ARGUMENTS if re.search(pattern, line))
    kept = list(arguments)
    for option in extra.split()[::2]:
        # an option of the page makes way for that of the test, but --cfg-options add up
        if option in kept and option != '--cfg-options':
            place = kept.index(option)
            kept = kept[:place] + kept[place + 2 :]
    return [*kept, *extra.split()]


if __name__ == '__main__':
    sys.path.insert(0, os.path.dirname(__file__))
    from python_server import run_on_server

    command = with_extra_arguments(sys.argv[2:])
    is_file = bool(command) and not command[0].startswith('-')
    code = run_on_server(sys.argv[1], command) if is_file else None
    if code is None:
        os.execv(sys.executable, [sys.executable, *command])
    sys.exit(code)
