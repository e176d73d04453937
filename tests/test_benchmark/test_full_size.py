"""Bytes and FLOPs that can be counted by hand, and a step of a config at a small size."""

import pytest
import torch
from torch import nn


@pytest.fixture
def full_size(benchmark_module):
    return benchmark_module('full_size')


def test_saved_tensors_and_gradients_are_counted_once_and_freed(full_size):
    layers = nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU(), nn.Linear(16, 4, bias=False))
    saved, x = full_size.SavedTensors(layers), torch.ones(2, 8)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda one: full_size.Saved(one, saved), lambda one: one.tensor
    ):
        loss = layers(x).sum()
    # the input, and the output of ReLU, which ReLU and the next layer share; no weights
    assert saved.now == 4 * (2 * 8 + 2 * 16)
    loss.backward()
    del loss
    assert saved.now == 4 * (8 * 16 + 16 * 4)  # the gradients of the weights are left
    assert saved.peak >= saved.now


def test_what_is_not_computed_has_its_shape_and_its_flops(full_size):
    conv = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    with full_size.Uncomputed():
        found = conv(torch.ones(1, 3, 6, 4))
        # two for each product and sum; the input needs no gradient, so the way back costs as much
        flops = full_size.flops_of(lambda: conv(torch.ones(1, 3, 6, 4)).sum())
    assert tuple(found.shape) == (1, 5, 6, 4)
    assert not found.any()
    assert flops == 2 * (2 * 5 * 6 * 4 * 3 * 9)


@pytest.mark.slow
def test_a_step_of_a_config_is_measured(full_size, monkeypatch, tmp_path):
    monkeypatch.setattr(full_size, 'SIZE', (240, 320))
    [found] = [full_size.measure('r50_voc12-aug', 30)]
    memory, flops = found['gigabytes'], found['teraflops']
    assert memory['sum'] == pytest.approx(sum(memory.values()) - memory['sum'], abs=0.03)
    assert memory['optimiser'] <= memory['parameters'] + 0.01  # SGD's momentum
    assert 0 < flops['backbone'] <= flops['OICR'] <= flops['sum']
