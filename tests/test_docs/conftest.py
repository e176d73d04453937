import pytest

from .workspace import link_repository, make_demo, python_server, write_programs


@pytest.fixture(scope='session')
def programs(tmp_path_factory):
    """Folder of the programs of a page; `make demo` copies what its commands have made once."""
    root = tmp_path_factory.mktemp('docs')
    write_programs(root / 'bin', root / 'demo')
    with python_server(root / 'bin'):
        make_demo(root / 'demo', root / 'bin')
        yield root / 'bin'


@pytest.fixture
def workspace(tmp_path):
    place = tmp_path / 'workspace'
    place.mkdir()
    link_repository(place)
    return place
