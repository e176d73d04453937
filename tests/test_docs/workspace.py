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

from .pages import REPOSITORY

SOCKET = 'socket'
# All that a workspace holds before the first command of a page.
LINKED = ('benchmark', 'demo', 'mmlabelpenet', 'tools')
# What `make demo` adds to it.
MADE = ('.venv', 'data', 'work_dirs')
DEMO = 'work_dirs/demo'


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


def write_programs(programs, demo):
    """Write ``python`` (:mod:`python_shim`), ``make`` and the console command for ``PATH``.

    ``make demo`` copies what :func:`make_demo` has made in the folder ``demo``.
    """
    programs.mkdir()
    shim = Path(__file__).with_name('python_shim.py')
    start = f'"{sys.executable}" -S -E "{shim}" "{programs / SOCKET}"'
    made = ' '.join(f'"{demo / name}"' for name in MADE)
    console = programs / 'console.py'
    console.write_text('from mmlabelpenet.cli import main\n\nmain()\n')
    scripts = {
        'python': f'exec {start} "$@"',
        'make': f'[ "$*" = demo ] || exit 2\ncp -a {made} .',
        'mmlabelpenet': f'exec "{programs / "python"}" "{console}" "$@"',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f'#!/bin/sh\n{script}\n')
        (programs / name).chmod(0o755)
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


def make_demo(root, programs):
    """Let the script of `make demo` make what it makes, with the short commands of the shim."""
    root.mkdir()
    link_repository(root)
    (root / '.venv/bin').mkdir(parents=True)
    (root / '.venv/bin/python').symlink_to(programs / 'python')
    (root / '.venv/bin/activate').touch()
    failure = run_script(f'bash {root}/tools/misc/demo.sh\n', root, programs)
    assert failure is None, failure
    # The short training ends with another epoch than the demo's seven. Without the optimiser state
    # the file is a third as large.
    newest = root / (root / DEMO / 'last_checkpoint').read_text()
    trained = torch.load(newest, weights_only=False)
    newest.unlink()
    torch.save({key: trained[key] for key in ('meta', 'state_dict')}, root / DEMO / 'epoch_7.pth')
    (root / DEMO / 'last_checkpoint').write_text(f'{DEMO}/epoch_7.pth')


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


def run_notebook(path, place, programs):
    """Execute the cells of a notebook in a workspace in which `make demo` has been said."""
    import nbformat
    from nbclient import NotebookClient

    failure = run_script('make demo\n', place, programs)
    assert failure is None, failure
    notebook = nbformat.read(path, as_version=4)
    resources = {'metadata': {'path': str(place)}}
    client = NotebookClient(notebook, timeout=300, kernel_name='python3', resources=resources)
    client.execute(env=environment(programs))
    return notebook
