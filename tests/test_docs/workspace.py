"""The temporary workspace in which the commands of a page run."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from plain_configs import write_plain_yapf

from mmlabelpenet.testing import make_shapes

from .pages import REPOSITORY

SOCKET = 'socket'
LINKED = ('benchmark', 'demo', 'tools')
CONFIG = 'configs/label_penet/label-penet_effnet-lite0_shapes.py'
CHECKPOINTS = ('work_dirs/demo', 'work_dirs/label-penet_effnet-lite0_shapes')
# Content of a workspace before the first command of a page:
#   data/shapes/Shapes    8 + 3 generated images of 64 to 96 pixels, and data/proposals of them
#   work_dirs/demo, work_dirs/label-penet_effnet-lite0_shapes
#                         epoch_7.pth and last_checkpoint, trained on them for a few steps, as
#                         `make demo` and README's training leave it
#   photos/               four images, as a user's own photos
IMAGES = ('train_00000', 'train_00001', 'val_00000', 'val_00001')
# The classifier is trained for two passes, so that there is attention; other stages for a step.
ITERATIONS = dict(classification=8, detection=1, refinement=1, segmentation=1, joint=1)


@dataclass
class Failure:
    """The block in which a page's commands failed, and the end of the output."""

    line: int
    code: int
    output: str


def environment(programs):
    """Environment variables of a terminal in which this stack is active."""
    inherited = {key: value for key, value in os.environ.items() if key != 'LOCAL_RANK'}
    path = [programs, Path(sys.executable).parent, inherited['PATH']]
    libraries = [programs / 'lib', REPOSITORY, inherited.get('PYTHONPATH', '')]
    return inherited | {
        'PATH': os.pathsep.join(map(str, path)),
        'PYTHONPATH': os.pathsep.join(filter(None, map(str, libraries))),
        'OMP_NUM_THREADS': '1',
    }


def write_python(programs):
    """Write ``python`` (:mod:`python_shim`) and the console command into a folder for ``PATH``."""
    programs.mkdir()
    shim = Path(__file__).with_name('python_shim.py')
    python = programs / 'python'
    start = f'"{sys.executable}" -S -E "{shim}" "{programs / SOCKET}"'
    python.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    python.chmod(0o755)
    (programs / 'console.py').write_text('from mmlabelpenet.cli import main\n\nmain()\n')
    command = programs / 'mmlabelpenet'
    command.write_text(f'#!/bin/sh\nexec "{python}" "{programs / "console.py"}" "$@"\n')
    command.chmod(0o755)
    write_plain_yapf(programs / 'lib')


@contextmanager
def python_server(programs):
    """Start the server that the ``python`` of a folder uses."""
    script = Path(__file__).with_name('python_server.py')
    command = [sys.executable, script, programs / SOCKET]
    with subprocess.Popen(command, env=environment(programs)) as server:
        try:
            while server.poll() is None and not (programs / SOCKET).exists():
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def link_repository(place):
    """Link the folders of the repository that commands name into a workspace."""
    for name in LINKED:
        if (REPOSITORY / name).is_dir():
            (place / name).symlink_to(REPOSITORY / name)
    # phases of few images are as long as their passes
    shutil.copytree(REPOSITORY / 'configs', place / 'configs')
    for path in (place / 'configs').rglob('*_tags.py'):
        path.write_text(re.sub(r'min_updates=\d+', 'min_updates=1', path.read_text()))


def make_seed(root, programs):
    """Make the initial content of every workspace with the commands of the repository."""
    root.mkdir()
    link_repository(root)
    shapes = root / 'data/shapes/Shapes'
    make_shapes(shapes, num_train=8, num_val=3, image_size=(64, 96))
    (root / 'photos').mkdir()
    for name in IMAGES:
        shutil.copy(shapes / f'JPEGImages/{name}.jpg', root / 'photos')
    length = ' '.join(f'train_cfg.phases.{k}.iterations={n}' for k, n in ITERATIONS.items())
    failure = run_script(
        f'python tools/proposals/make_proposals.py {CONFIG} --workers 1\n'
        f'{sys.executable} tools/train.py {CONFIG} --work-dir trained --cfg-options {length} '
        'train_cfg.val_begin=100 train_cfg.feature_cache=None\n',
        root,
        programs,
    )
    assert failure is None, failure
    trained = torch.load((root / 'trained/last_checkpoint').read_text(), weights_only=False)
    # without the optimiser state, which is twice as large
    weights = {key: trained[key] for key in ('meta', 'state_dict')}
    for folder in CHECKPOINTS:
        (root / folder).mkdir(parents=True)
        torch.save(weights, root / folder / 'epoch_7.pth')
        (root / folder / 'last_checkpoint').write_text(f'{folder}/epoch_7.pth')
    shutil.rmtree(root / 'trained')


def make_workspace(seed, place):
    """Copy the seed to the workspace of a page."""
    shutil.copytree(seed, place, symlinks=True, copy_function=_link_or_copy)


def _link_or_copy(source, target):
    """Link checkpoints, which commands replace but never modify; copy all else."""
    (os.link if source.endswith('.pth') else shutil.copy2)(source, target)


def run_script(script, place, programs):
    """Run commands in one bash; stop at the first failure.

    ``BLOCK=n`` before a block gives the line that a failure is reported with.
    """
    notes = place / '.block'
    prelude = f"set -euo pipefail; BLOCK=0; trap 'echo $BLOCK > {notes}' EXIT\n"
    result = subprocess.run(
        ['bash', '-c', prelude + script],
        cwd=place,
        env=environment(programs),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    if result.returncode == 0:
        return None
    return Failure(int(notes.read_text()), result.returncode, result.stdout[-4000:])


def run_blocks(blocks, place, programs):
    """Run the blocks of a page that are not marked; return the failure, or None."""
    parts = [f'BLOCK={block.line}\n{block.text}' for block in blocks if block.reason is None]
    return run_script('\n'.join(parts), place, programs)
