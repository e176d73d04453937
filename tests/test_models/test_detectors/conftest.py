import pytest

from ..tiny import build_model, train_as


@pytest.fixture(scope='module')
def shared():
    return build_model()


@pytest.fixture
def model(shared):
    """The small model in training, all stages trainable."""
    return train_as(shared)
