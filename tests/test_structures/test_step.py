import dataclasses

import pytest

from mmlabelpenet.structures import Step


def test_a_step_asks_for_inference_by_default_and_does_not_change():
    step = Step()
    assert step.learning == ()
    assert step.direction == 'forward'
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.threshold = 0.5
    assert dataclasses.replace(step, threshold=0.5) != step
