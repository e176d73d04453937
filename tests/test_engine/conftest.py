import pytest
import torch
from mmengine.registry import init_default_scope

from mmlabelpenet.registry import SCOPE
from mmlabelpenet.utils import register_all_modules


@pytest.fixture(autouse=True, scope='module')
def scope():
    register_all_modules(init_default_scope=False)
    init_default_scope(SCOPE)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
