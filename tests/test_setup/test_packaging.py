"""What is packaged is what the repository holds."""

import re
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from wheels import ROOT, build_wheel

import mmlabelpenet

STACKS = {'onedl': 'mminstall', 'upstream': 'mminstall-upstream'}


def requirements(name):
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    name = next(n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
    return Parser().parsestr(archive.read(name).decode())


@pytest.mark.slow
def test_the_wheel_holds_every_config_and_tool_where_mim_looks(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [ROOT / 'model-index.yml']
    wanted += [p for part in ('configs', 'demo', 'tools') for p in (ROOT / part).rglob('*.*')]
    wanted = [p.relative_to(ROOT) for p in wanted if p.suffix in ('.py', '.sh', '.yml', '.md')]
    assert len(wanted) > 10
    missing = [str(p) for p in wanted if f'mmlabelpenet/.mim/{p.as_posix()}' not in names]
    assert missing == []


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {p.relative_to(ROOT).as_posix() for p in ROOT.glob('mmlabelpenet/**/*.py')}
    modules = {name for name in modules if '/.mim/' not in name}
    packed = {n for n in names if '/.mim/' not in n and '.dist-info/' not in n}
    templates = ROOT.glob('mmlabelpenet/inspection/templates/*')
    others = {p.relative_to(ROOT).as_posix() for p in templates}
    assert packed == modules | others | {'mmlabelpenet/py.typed'}


@pytest.mark.slow
def test_the_wheel_asks_for_the_runtime_requirements(metadata):
    assert metadata['Version'] == mmlabelpenet.__version__
    asked = [Requirement(r) for r in metadata.get_all('Requires-Dist')]
    assert {str(r) for r in asked if r.marker is None} == {str(r) for r in requirements('runtime')}


@pytest.mark.slow
@pytest.mark.parametrize('extra', STACKS)
def test_an_extra_brings_torch_and_one_stack(metadata, extra):
    asked = [Requirement(r) for r in metadata.get_all('Requires-Dist')]
    names = {r.name for r in asked if r.marker and r.marker.evaluate({'extra': extra})}
    assert names == {'torch', *(r.name for r in requirements(STACKS[extra]))}


@pytest.mark.slow
def test_the_wheel_brings_the_console_command(wheel):
    archive = zipfile.ZipFile(wheel)
    name = next(n for n in archive.namelist() if n.endswith('.dist-info/entry_points.txt'))
    assert 'mmlabelpenet = mmlabelpenet.cli:main' in archive.read(name).decode()


def test_a_develop_install_links_configs_and_tools():
    mim = Path(mmlabelpenet.__file__).parent / '.mim'
    if not mim.exists():
        pytest.skip('the package is not installed, see make install')
    for part in mim.iterdir():
        assert part.resolve() == ROOT / part.name
    assert {'configs', 'tools', 'model-index.yml'} <= {part.name for part in mim.iterdir()}


def test_pre_commit_judges_with_the_versions_of_make_test():
    pinned = {str(r) for r in requirements('tests') if r.name in ('ruff', 'interrogate')}
    text = (ROOT / '.pre-commit-config.yaml').read_text()
    assert set(re.findall(r'\b(?:ruff|interrogate)==[\d.]+', text)) == pinned


def test_the_citation_carries_the_version():
    text = (ROOT / 'CITATION.cff').read_text()
    assert re.search(r'^version: (.+)$', text, re.M)[1] == mmlabelpenet.__version__


def test_the_workflow_tests_every_python_and_both_stacks():
    project = (ROOT / 'pyproject.toml').read_text()
    workflow = yaml.safe_load((ROOT / '.github/workflows/ci.yml').read_text())
    jobs = workflow['jobs']['test']['strategy']['matrix']['include']
    tested = {job['python'] for job in jobs}
    wanted = SpecifierSet(re.search(r'^requires-python = "(.+)"$', project, re.M)[1])
    assert tested == {f'3.{minor}' for minor in range(20) if f'3.{minor}' in wanted}
    assert tested == set(re.findall(r'Python :: (3\.\d+)"', project))
    assert {job['stack'] for job in jobs} == set(STACKS)


def test_metafiles_name_configs_that_exist():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    models = [m for path in index for m in yaml.safe_load((ROOT / path).read_text())['Models']]
    assert len({model['Name'] for model in models}) == len(models) > 10
    for model in models:
        assert (ROOT / model['Config']).is_file()
        assert model['Name'] == Path(model['Config']).stem
