"""Wheels of the checkout, built as a user builds them."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(
    '.git', '.venv*', 'data', 'work_dirs', 'build', '*.egg-info', '.mim', '__pycache__', '.*_cache'
)


def build_wheel(folder, added=()):
    """Build a wheel from a copy, so that the checkout keeps its own links.

    Args:
        folder: Empty folder for the copy and the wheel.
        added: Pairs of a file and the folder of the repository that gets a copy of it.
    """
    shutil.copytree(ROOT, folder / 'source', ignore=LEFT_OUT)
    for path, place in added:
        (folder / 'source' / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / 'source' / place)
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-q']
    subprocess.run([*command, '-w', str(folder), str(folder / 'source')], check=True)
    return next(folder.glob('*.whl'))
