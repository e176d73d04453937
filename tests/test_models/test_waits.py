"""How often a training step waits for the device, counted without one."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from mmlabelpenet.testing import DeviceWaits

from .test_cuda import full_model
from .tiny import LEARNED, build_model, collate, image, train_as

# A CPU reads here what lies on the host of a GPU, or looks where a GPU does not.
ON_HOST = {
    'stack_batch': 'sizes of the images',
    'step': "the optimiser's counters of steps",
    'teaching_regions': 'a CPU leaves out regions without weight',
    '_region_loss': 'a CPU checks the classes of one_hot',
    '_image_loss': 'the same',
}
MOST = {'forward': 6, 'backward': 8, 'learned proposals': 4}
BATCHES = {
    'an image': [image()],
    'eight images': [image(seed=seed) for seed in range(8)],
    'images of several sizes': [image(), image(96, 64, seed=1)],
    'many proposals': [image(count=200)],
    'every tag': [image(tags=(1, 1, 1)), image(tags=(1, 1, 1), seed=1)],
    'no tag': [image(tags=(0, 0, 0))],
}


def learning_proposals():
    model = build_model(proposals=LEARNED, calibration=dict(mode='full'))
    return train_as(model, learning=('proposals',), backbone=False, scales=False)


def waits_of_step(kind, images):
    torch.manual_seed(0)
    model = learning_proposals() if kind == 'learned proposals' else full_model(kind)
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='SGD', lr=1e-3), clip_grad=dict(max_norm=10.0))
    )
    with DeviceWaits() as waits:
        model.train_step(collate(*images), wrapper)
    return {
        place: count for place, count in waits.places.items() if place.split()[1] not in ON_HOST
    }


@pytest.mark.parametrize('kind', MOST)
def test_a_step_waits_as_often_for_any_batch(kind):
    found = {name: waits_of_step(kind, images) for name, images in BATCHES.items()}
    counts = {name: sum(places.values()) for name, places in found.items()}
    assert len(set(counts.values())) == 1, found
    # and once more, where the hook reads the values of the step
    assert counts['an image'] + 1 <= MOST[kind]


def test_waits_are_counted_where_they_arise():
    values = torch.rand(5)
    with DeviceWaits() as waits:
        values[values > 0.5]
        values.sum().item()
        values.tolist()
        values.new_tensor([1.0])
        torch.tensor(1.0, device='cpu')
        bool(values.any())
        values.nonzero()
    assert waits.count == 7
    assert all(place.startswith('test_waits.py:') for place in waits.places)
    with DeviceWaits() as waits:
        values[torch.tensor([0, 2])]
        torch.where(values > 0.5, values, 0).topk(2)
    assert waits.count == 0
