"""Packaging of mmlabelpenet, with the configs and tools that ``mim`` looks for."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# Where OpenMMLab's package manager finds what lies beside a package in its repository.
MIM_PATH = Path('mmlabelpenet') / '.mim'
MIM_PARTS = ('configs', 'tools', 'model-index.yml')


def read_version() -> str:
    """The version, without importing the package (and with it torch)."""
    scope: dict = {}
    exec((ROOT / 'mmlabelpenet/version.py').read_text(), scope)
    return scope['__version__']


def read_requirements(name: str) -> list[str]:
    """Requirements of ``requirements/{name}.txt``, comments left out."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith('#')]


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


setup(
    name='mmlabelpenet',
    version=read_version(),
    description='Boxes and instance masks from image-level tags: Label-PEnet on MMDetection',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmlabelpenet', 'mmlabelpenet.*']),
    package_data={'mmlabelpenet.inspection': ['templates/*']},
    python_requires='>=3.10,<3.13',
    install_requires=read_requirements('runtime'),
    extras_require={
        'all': read_requirements('runtime') + read_requirements('optional'),
        'mim': read_requirements('mminstall'),
        'optional': read_requirements('optional'),
        'tests': read_requirements('tests'),
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
