import pytest

from .workspace import make_seed, make_workspace, python_server, write_python


@pytest.fixture(scope='session')
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('docs') / 'bin'
    write_python(folder)
    with python_server(folder):
        yield folder


@pytest.fixture(scope='session')
def seed(tmp_path_factory, programs):
    root = tmp_path_factory.mktemp('docs_seed') / 'seed'
    make_seed(root, programs)
    return root


@pytest.fixture
def workspace(seed, tmp_path):
    place = tmp_path / 'workspace'
    make_workspace(seed, place)
    return place
