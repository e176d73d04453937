import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner

from mmlabelpenet.datasets import SeededDataset, derived_seed, reproducible
from mmlabelpenet.utils import register_all_modules


class Noise(torch.utils.data.Dataset):
    """Ten samples, each its index and numbers from three random generators."""

    metainfo = dict(classes=('a',))

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(1).item()


@pytest.fixture(autouse=True)
def scope():
    register_all_modules()


def loader_of(workers=0, **changes):
    cfg = dict(
        batch_size=2,
        num_workers=workers,
        persistent_workers=workers > 0,
        dataset=Noise(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
    )
    return Runner.build_dataloader(reproducible(cfg | changes, seed=3), seed=3)


def values_of(loader, pass_index=0, start=0):
    loader.batch_sampler.seek(pass_index, start)
    loader.batch_sampler.sampler.set_epoch(pass_index)
    return [list(zip(*batch)) for batch in loader]


def test_a_pass_is_the_same_for_any_worker_and_start():
    loader = loader_of()
    whole = values_of(loader, 1)
    assert sorted(sample[0] for batch in whole for sample in batch) == list(range(10))
    assert len({sample[1:] for batch in whole for sample in batch}) == 10
    assert values_of(loader, 1, start=3) == whole[3:]
    assert values_of(loader, 2) != whole
    # a worker that has loaded another pass before
    busy = loader_of(workers=1)
    values_of(busy, 0)
    assert values_of(busy, 1) == whole


def test_lengths_and_last_batches():
    assert len(loader_of(batch_size=3)) == 4
    assert len(loader_of(batch_size=3, drop_last=True)) == 3
    assert len(values_of(loader_of(batch_size=3, drop_last=True))) == 3


def test_another_batch_sampler_still_makes_the_batches():
    class Backwards(list):
        def __init__(self, sampler, batch_size):
            super().__init__([[9, 8], [7, 6]])

    loader = loader_of(batch_sampler=dict(type=Backwards))
    assert [[sample[0] for sample in batch] for batch in values_of(loader)] == [[9, 8], [7, 6]]


def test_other_attributes_are_those_of_the_data_set():
    dataset = SeededDataset(Noise())
    assert dataset.metainfo == dict(classes=('a',))
    assert len(pickle.loads(pickle.dumps(dataset))) == 10
    assert not isinstance(dataset, BaseDataset)
    with pytest.raises(AttributeError):
        dataset.nothing_of_the_kind  # noqa: B018


def test_the_given_config_does_not_change():
    cfg = dict(batch_size=2, dataset=dict(type='Some'), sampler=None, drop_last=True)
    changed = reproducible(cfg, 1)
    assert cfg == dict(batch_size=2, dataset=dict(type='Some'), sampler=None, drop_last=True)
    assert changed['dataset']['dataset'] == dict(type='Some')


def test_seeds_differ_and_are_reproducible():
    assert derived_seed(1, 2, 3) != derived_seed(1, 3, 2)
    assert derived_seed(1, 2, 3) == derived_seed(1, 2, 3) < 2**32
