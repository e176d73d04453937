"""Looking at a model in training without any influence on it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.structures import Step
from mmlabelpenet.utils import in_evaluation


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Restore the states of all random number generators."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])


@contextmanager
def as_tested(model: LabelPEnet) -> Iterator[None]:
    """Let a model work as when it is tested, and afterwards as before.

    Args:
        model: Not wrapped.
    """
    step = model.step
    with random_state_kept(), in_evaluation(model):
        model.step = Step()
        try:
            yield
        finally:
            model.step = step
