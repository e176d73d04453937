"""Data loading that can resume at any iteration: each sample has its own random seed."""

import random
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, Dataset

from mmlabelpenet.registry import DATA_SAMPLERS, DATASETS
from mmlabelpenet.utils import UserError

# Others would fill a cache of features with inputs that never return.
CACHEABLE_TRANSFORMS = {
    'Compose',
    'LoadCorrections',
    'LoadImageFromFile',
    'LoadRegionProposals',
    'LoadLabels',
    'LoadTrueInstances',
    'OracleLabels',
    'PackWeakInputs',
    'ProposalBroadcaster',
    'RandomChoiceResize',
    'RandomFlip',
    'RandomResize',
    'Resize',
}

# Labels that are made once for a photo fit it after these too.
LABEL_KEEPING_TRANSFORMS = CACHEABLE_TRANSFORMS | {'PhotoMetricDistortion'}


def derived_seed(*numbers: int) -> int:
    """Derive a 32-bit seed from several numbers, the same on every machine."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@DATASETS.register_module()
class SeededDataset(Dataset):
    """A data set whose random transforms do not depend on the worker or the time of loading.

    Workers persist between epochs, so that their random state depends on all samples that they
    have loaded; a resumed run could not restore it. Here every sample is loaded with its own
    seed. Its metainfo gets ``input_crc``, the CRC-32 of the pixels, by which caches tell inputs
    apart.

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
        sample = self.dataset[index]
        if isinstance(sample, dict) and 'data_samples' in sample:
            crc = zlib.crc32(sample['inputs'].contiguous().numpy())
            sample['data_samples'].set_metainfo(dict(input_crc=crc))
        return sample

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # While it is unpickled in a worker, it has no data set yet.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)


@DATA_SAMPLERS.register_module()
class SeededBatchSampler:
    """Batches of (index, seed) for :class:`SeededDataset` that can start within an epoch.

    Args:
        sampler: Sampler of indices.
        batch_size: Samples of a batch.
        seed: Seed of the run.
        drop_last: Whether to leave out a last batch that is not full.
        batch_sampler: Config of another batch sampler that makes the batches.
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
        config = batch_sampler or dict(type=BatchSampler, drop_last=drop_last)
        defaults = dict(sampler=sampler, batch_size=batch_size)
        self.batches = DATA_SAMPLERS.build(config, default_args=defaults)

    def seek(self, pass_index: int, start: int) -> None:
        """Set the start of the next iteration over the batches.

        Args:
            pass_index: Number of completed passes over the data.
            start: Number of completed batches of the pass.
        """
        self.pass_index, self.start = pass_index, start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number, batch in enumerate(self.batches):
            if number >= self.start:
                yield [(i, derived_seed(self.seed, self.pass_index, i)) for i in batch]

    def __len__(self) -> int:
        """Number of batches of a whole pass."""
        return len(self.batches)


def reproducible(dataloader: dict, seed: int) -> dict:
    """Make a data loader's config use :class:`SeededDataset` and :class:`SeededBatchSampler`.

    Args:
        dataloader: Config of a data loader for MMEngine.
        seed: Seed of the run.

    Returns:
        A new config; the given one does not change.
    """
    changed = dict(dataloader)
    changed['dataset'] = dict(type='mmlabelpenet.SeededDataset', dataset=changed['dataset'])
    changed['batch_sampler'] = dict(
        type='mmlabelpenet.SeededBatchSampler',
        seed=seed,
        drop_last=changed.pop('drop_last', False),
        batch_sampler=changed.get('batch_sampler'),
    )
    return changed


def require_cacheable_transforms(dataset: Any) -> None:
    """Make sure that the cache's keys distinguish all inputs of an image.

    Args:
        dataset: Of the training images, or a wrapper of such.

    Raises:
        UserError: If the pipeline holds another transform than ``CACHEABLE_TRANSFORMS``.
    """
    for name in transforms_of(dataset):
        if name not in CACHEABLE_TRANSFORMS:
            raise UserError(
                f'The feature cache can not tell apart what {name} makes of a photo: take it out '
                'of the training pipeline, or say train_cfg.feature_cache=None.'
            )


def require_label_keeping_transforms(dataset: Any) -> None:
    """Make sure that labels made for an image fit whatever the pipeline makes of it.

    Args:
        dataset: Of the training images, or a wrapper of such.

    Raises:
        UserError: If the pipeline holds another transform than ``LABEL_KEEPING_TRANSFORMS``.
    """
    for name in transforms_of(dataset):
        if name not in LABEL_KEEPING_TRANSFORMS:
            raise UserError(
                f'Labels that a phase makes anew may not fit what {name} makes of a photo: take '
                "it out of the training pipeline, or set the phase's relabel to False."
            )


def transforms_of(dataset: Any) -> Iterator[str]:
    """Names of the transforms of a data set and of those that it wraps."""
    for part in getattr(dataset, 'datasets', [getattr(dataset, 'dataset', None)]):
        if part is not None:
            yield from transforms_of(part)
    pending = list(getattr(getattr(dataset, 'pipeline', None), 'transforms', []))
    while pending:
        transform = pending.pop()
        pending += getattr(transform, 'transforms', [])
        yield type(transform).__name__
