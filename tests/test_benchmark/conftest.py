import importlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def benchmark_module(monkeypatch):
    """Import a module of ``benchmark/`` by name."""
    monkeypatch.syspath_prepend(str(REPOSITORY / 'benchmark'))
    return importlib.import_module
