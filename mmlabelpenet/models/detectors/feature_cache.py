"""Backbone maps kept on disk while the backbone does not learn."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmlabelpenet.utils import UserError, atomic_path

# What tells two inputs of one photo apart, and the transforms of which this is true.
KEYS = ('img_path', 'img_shape', 'flip', 'flip_direction')
TOLD_APART = {
    'LoadImageFromFile',
    'LoadRegionProposals',
    'LoadTrueInstances',
    'PackWeakInputs',
    'ProposalBroadcaster',
    'RandomChoiceResize',
    'RandomFlip',
    'RandomResize',
    'Resize',
}


class FeatureCache:
    """Maps of frozen backbones in half precision, one file per photo, size and flip.

    Processes and runs may share a folder: what other weights made lies in another subfolder,
    and each file appears whole or not at all. Only photos that are resized and flipped can be
    kept: see :func:`require_known_transforms`.

    Args:
        root: Folder.
        max_gigabytes: Nothing is written any more when one backbone's maps need so much.
    """

    def __init__(self, root: str | Path, max_gigabytes: float = 20.0) -> None:
        self.root = Path(root)
        self.max_bytes = max_gigabytes * 1e9
        self.folder = self.root
        self.num_bytes = 0

    def open(self, backbone: nn.Module) -> None:
        """Turn to the maps of a backbone as it is now.

        Args:
            backbone: Its weights and its printed structure tell it from others.
        """
        digest = hashlib.blake2b(repr(backbone).encode(), digest_size=8)
        for name, value in backbone.state_dict().items():
            if not name.endswith('num_batches_tracked'):
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        self.folder = self.root / digest.hexdigest()
        self.num_bytes = sum(path.stat().st_size for path in self.folder.glob('*.pth'))

    def _path(self, metainfo: Mapping) -> Path:
        told = json.dumps([str(metainfo.get(key)) for key in KEYS])
        name = hashlib.blake2b(told.encode(), digest_size=12).hexdigest()
        return self.folder / f'{name}.pth'

    def load(self, metainfo: Mapping, device: torch.device) -> tuple[Tensor, ...] | None:
        """Get the maps of a photo.

        Args:
            metainfo: Of its data sample.
            device: Where to.

        Returns:
            Maps [1, c, h, w] in float32; None where there are none.
        """
        path = self._path(metainfo)
        if not path.is_file():
            return None
        maps = torch.load(path, mmap=True, weights_only=True)
        return tuple(one.to(device, non_blocking=True).float() for one in maps)

    def store(self, metainfo: Mapping, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Keep the maps of a photo, if there is room.

        Args:
            metainfo: Of its data sample.
            maps: [1, c, h, w] each.

        Returns:
            The maps as :meth:`load` would give them, kept or not: a run does not depend on
            what the cache happens to hold.
        """
        limit = torch.finfo(torch.float16).max
        halves = [one.detach().clamp(-limit, limit).half() for one in maps]
        size = sum(one.nbytes for one in halves)
        if self.num_bytes + size <= self.max_bytes:
            with atomic_path(self._path(metainfo)) as temporary:
                torch.save([one.cpu().clone() for one in halves], temporary)
            self.num_bytes += size
        return tuple(one.float() for one in halves)


def require_known_transforms(dataset: Any) -> None:
    """Make sure that photos come as the cache can tell them apart.

    Args:
        dataset: Of the training photos, or a wrapper of such.

    Raises:
        UserError: If the pipeline holds another transform than those of ``TOLD_APART``.
    """
    for part in getattr(dataset, 'datasets', [getattr(dataset, 'dataset', None)]):
        if part is not None:
            require_known_transforms(part)
    pending = list(getattr(getattr(dataset, 'pipeline', None), 'transforms', []))
    while pending:
        transform = pending.pop()
        pending += getattr(transform, 'transforms', [])
        name = type(transform).__name__
        if name not in TOLD_APART and name != 'Compose':
            raise UserError(
                f'The feature cache can not tell apart what {name} makes of a photo: take it out '
                'of the training pipeline, or say train_cfg.feature_cache=None.'
            )
