import pytest
import torch

from mmlabelpenet.utils import register_all_modules


@pytest.fixture(autouse=True)
def scope():
    register_all_modules()
    torch.manual_seed(0)
