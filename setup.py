"""Adds the configs, tools and demo that ``mim`` looks for to the package; see pyproject.toml."""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# Where OpenMMLab's package manager finds what lies beside a package in its repository.
MIM_PATH = Path('mmlabelpenet') / '.mim'
MIM_PARTS = ('configs', 'demo', 'tools', 'model-index.yml')


def link_mim(target: Path) -> None:
    """Link the parts into a checkout, so that a develop install follows its changes."""
    target.mkdir(parents=True, exist_ok=True)
    for part in MIM_PARTS:
        link = target / part
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(ROOT / part, target))


def copy_mim(target: Path) -> None:
    """Copy the parts into a wheel."""
    target.mkdir(parents=True, exist_ok=True)
    unwanted = shutil.ignore_patterns('__pycache__', '*.pyc')
    for part in MIM_PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, dirs_exist_ok=True, ignore=unwanted)
        else:
            shutil.copyfile(ROOT / part, target / part)


class BuildWithMim(build_py):
    """Adds ``.mim`` to the package: linked for ``pip install -e``, copied for a wheel."""

    def run(self) -> None:
        """Build the package's modules, then ``.mim``."""
        super().run()
        if self.editable_mode:
            link_mim(ROOT / MIM_PATH)
        else:
            copy_mim(Path(self.build_lib) / MIM_PATH)


setup(cmdclass={'build_py': BuildWithMim})
