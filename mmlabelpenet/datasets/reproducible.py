"""Data loading that can be cut at any iteration: each sample brings its own random numbers."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, Dataset

from mmlabelpenet.registry import DATA_SAMPLERS, DATASETS


def derived_seed(*numbers: int) -> int:
    """One 32-bit seed from several numbers, alike on every machine."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@DATASETS.register_module()
class SeededDataset(Dataset):
    """A data set whose transforms draw the same numbers whoever loads a sample, and when.

    Workers live on between epochs, so that their own random state depends on all that they
    have loaded before; a resumed run could not get there. Here every sample is asked for with
    a seed of its own.

    Args:
        dataset: The data set, or its config.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset

    def __getitem__(self, wanted: tuple[int, int]) -> Any:
        """Load the sample of an (index, seed)."""
        index, seed = wanted
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # While it is unpickled in a worker, there is nothing to ask yet.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)


@DATA_SAMPLERS.register_module()
class SeededBatchSampler:
    """Batches of (index, seed) for :class:`SeededDataset` that may begin within a pass.

    Args:
        sampler: Sampler of indices.
        batch_size: Samples of a batch.
        seed: Of the run.
        drop_last: Whether to leave out a last batch that is not full.
        batch_sampler: Config of another batch sampler, which then makes the batches.
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int,
        seed: int,
        drop_last: bool = False,
        batch_sampler: dict | None = None,
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.seed = seed
        self.pass_index = self.start = 0
        if batch_sampler is None:
            self.batches: Any = BatchSampler(sampler, batch_size, drop_last)
        else:
            default = dict(sampler=sampler, batch_size=batch_size)
            self.batches = DATA_SAMPLERS.build(batch_sampler, default_args=default)

    def seek(self, pass_index: int, start: int) -> None:
        """Say where the next iteration begins.

        Args:
            pass_index: Passes over the data that lie behind.
            start: Batches of the pass that lie behind.
        """
        self.pass_index, self.start = pass_index, start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number, batch in enumerate(self.batches):
            if number >= self.start:
                yield [(i, derived_seed(self.seed, self.pass_index, i)) for i in batch]

    def __len__(self) -> int:
        """Batches of a whole pass."""
        return len(self.batches)


def reproducible(dataloader: dict, seed: int) -> dict:
    """Config of a data loader with both of the above in it.

    Args:
        dataloader: Config of a data loader as mmengine takes it.
        seed: Of the run.

    Returns:
        A new config; the one that is given stays as it is.
    """
    changed = dict(dataloader)
    dataset = changed['dataset']
    if isinstance(dataset, dict):
        changed['dataset'] = dict(type='mmlabelpenet.SeededDataset', dataset=dataset)
    elif isinstance(dataset, Sequence | Dataset):
        changed['dataset'] = SeededDataset(dataset)
    changed['batch_sampler'] = dict(
        type='mmlabelpenet.SeededBatchSampler',
        seed=seed,
        drop_last=changed.pop('drop_last', False),
        batch_sampler=changed.get('batch_sampler'),
    )
    return changed
