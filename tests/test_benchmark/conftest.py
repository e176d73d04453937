import importlib
from pathlib import Path

import pytest
import torch
from test_end_to_end import run_tool, small_config

from mmlabelpenet.registry import MODELS
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import register_all_modules

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def benchmark_module(monkeypatch):
    """Import a module of ``benchmark/`` by name."""
    monkeypatch.syspath_prepend(str(REPOSITORY / 'benchmark'))
    return importlib.import_module


@pytest.fixture(scope='session')
def shapes_place(tmp_path_factory):
    """A folder with a few images, their proposals, ``small.py`` and weights ``a.pth``, ``b.pth``.

    The weights are random, of all stages.
    """
    root = tmp_path_factory.mktemp('place')
    make_shapes(root / 'data/shapes/Shapes', num_train=6, num_val=2, image_size=(64, 96))
    cfg = small_config()
    cfg.dump(str(root / 'small.py'))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run_tool('proposals/make_proposals', 'small.py', '--workers', 1)
    register_all_modules()
    for seed, name in enumerate('ab'):
        torch.manual_seed(seed)
        model = MODELS.build(cfg.model)
        torch.nn.init.normal_(model.cascade['classification'].attention.classifiers[0].weight)
        torch.save(dict(state_dict=model.state_dict()), root / f'{name}.pth')
    return root


@pytest.fixture
def at_shapes(shapes_place, monkeypatch):
    """Be in the folder of :func:`shapes_place`."""
    monkeypatch.chdir(shapes_place)
    return shapes_place
