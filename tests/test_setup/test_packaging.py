"""What is packaged is what the repository holds."""

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import mmlabelpenet

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    '.git', '.venv*', 'data', 'work_dirs', 'build', '*.egg-info', '.mim', '__pycache__', '.*_cache'
)


def requirements(name):
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel built from a copy, so that the checkout keeps its own links."""
    folder = tmp_path_factory.mktemp('wheel')
    shutil.copytree(ROOT, folder / 'source', ignore=LEFT_OUT)
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-q']
    subprocess.run([*command, '-w', str(folder), str(folder / 'source')], check=True)
    return next(folder.glob('*.whl'))


@pytest.mark.slow
def test_the_wheel_holds_every_config_and_tool_where_mim_looks(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [ROOT / 'model-index.yml']
    wanted += [p for part in ('configs', 'tools') for p in (ROOT / part).rglob('*.*')]
    wanted = [p.relative_to(ROOT) for p in wanted if p.suffix in ('.py', '.sh', '.yml')]
    assert len(wanted) > 10
    missing = [str(p) for p in wanted if f'mmlabelpenet/.mim/{p.as_posix()}' not in names]
    assert missing == []


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {p.relative_to(ROOT).as_posix() for p in ROOT.glob('mmlabelpenet/**/*.py')}
    modules = {name for name in modules if '/.mim/' not in name}
    packed = {n for n in names if '/.mim/' not in n and '.dist-info/' not in n}
    assert packed == modules


@pytest.mark.slow
def test_the_wheel_asks_for_the_runtime_requirements(wheel):
    archive = zipfile.ZipFile(wheel)
    name = next(n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata['Version'] == mmlabelpenet.__version__
    asked = [Requirement(r) for r in metadata.get_all('Requires-Dist')]
    assert {str(r) for r in asked if r.marker is None} == {str(r) for r in requirements('runtime')}


def test_a_develop_install_links_configs_and_tools():
    mim = Path(mmlabelpenet.__file__).parent / '.mim'
    if not mim.exists():
        pytest.skip('the package is not installed, see make install')
    for part in ('configs', 'tools', 'model-index.yml'):
        assert (mim / part).resolve() == ROOT / part


def test_pre_commit_judges_with_the_versions_of_make_test():
    pinned = {str(r) for r in requirements('tests') if r.name in ('ruff', 'interrogate')}
    text = (ROOT / '.pre-commit-config.yaml').read_text()
    assert set(re.findall(r'\b(?:ruff|interrogate)==[\d.]+', text)) == pinned


def test_the_citation_carries_the_version():
    text = (ROOT / 'CITATION.cff').read_text()
    assert re.search(r'^version: (.+)$', text, re.M)[1] == mmlabelpenet.__version__
