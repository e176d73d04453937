"""For all tests: one thread, and dumped configs that are not formatted."""

import os

import pytest
from plain_configs import leave_configs_plain

# Before torch is imported. A second thread spins while the first one computes on a small tensor,
# and tests share the cores anyway. Processes that tests start inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')


@pytest.fixture(scope='session', autouse=True)
def plain_configs():
    """Leave dumped configs unformatted, but in tests with ``formatted_configs``."""
    with pytest.MonkeyPatch.context() as patch:
        yield leave_configs_plain(patch)


@pytest.fixture
def formatted_configs(plain_configs, monkeypatch):
    """Format dumped configs as outside of the tests."""
    for module, function in plain_configs.items():
        monkeypatch.setattr(f'{module}.FormatCode', function)
