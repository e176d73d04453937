"""What frozen parts of the model make of the images, kept on disk."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.structures import Evidence
from mmlabelpenet.utils import UserError, atomic_path

# What tells two inputs of one image apart, and the transforms of which this is true.
KEYS = ('img_path', 'img_shape', 'flip', 'flip_direction')
STRIDES = ('attention_stride', 'instance_stride')
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


class DiskCache:
    """Tensors of images on disk, one file per image, size and flip.

    Processes and runs may share a folder: what other weights made lies in another subfolder,
    and each file appears whole or not at all. Only images that are resized and flipped can be
    kept: see :func:`require_known_transforms`.

    Args:
        root: Folder.
        max_gigabytes: Nothing is written any more when what one model made needs so much.
    """

    def __init__(self, root: str | Path, max_gigabytes: float = 20.0) -> None:
        self.root = Path(root)
        self.max_bytes = max_gigabytes * 1e9
        self.folder = self.root
        self.num_bytes = 0

    def open(self, *modules: nn.Module, recipe: str = '') -> None:
        """Turn to what modules make as they are now.

        Args:
            modules: Their weights and their printed structure tell them from others.
            recipe: What else tells: settings that are not printed.
        """
        digest = hashlib.blake2b(recipe.encode(), digest_size=8)
        for module in modules:
            # How weights began says nothing of what they are.
            structure = re.sub(r'\s*init_cfg=.*', '', repr(module))
            digest.update(structure.encode())
            for name, value in module.state_dict().items():
                if not name.endswith('num_batches_tracked'):
                    digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        self.folder = self.root / digest.hexdigest()
        # Files that others are writing have names that begin with a dot.
        self.num_bytes = sum(path.stat().st_size for path in self.folder.glob('[!.]*.pth'))

    def _path(self, metainfo: Mapping, content: bytes = b'') -> Path:
        told = json.dumps([str(metainfo.get(key)) for key in KEYS])
        name = hashlib.blake2b(told.encode() + content, digest_size=12).hexdigest()
        return self.folder / f'{name}.pth'

    def _read(self, path: Path) -> Any:
        return torch.load(path, mmap=True, weights_only=True) if path.is_file() else None

    def _write(self, path: Path, payload: Any, size: int) -> None:
        if self.num_bytes + size <= self.max_bytes:
            with atomic_path(path) as temporary:
                torch.save(payload, temporary)
            self.num_bytes += size


class FeatureCache(DiskCache):
    """Maps of frozen backbones in half precision."""

    def load(self, metainfo: Mapping, device: torch.device) -> tuple[Tensor, ...] | None:
        """Get the maps of an image.

        Args:
            metainfo: Of its data sample.
            device: Where to.

        Returns:
            Maps [1, c, h, w] in float32; None where there are none.
        """
        maps = self._read(self._path(metainfo))
        if maps is None:
            return None
        return tuple(one.to(device, non_blocking=True).float() for one in maps)

    def store(self, metainfo: Mapping, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Keep the maps of an image, if there is room.

        Args:
            metainfo: Of its data sample.
            maps: [1, c, h, w] each.

        Returns:
            The maps as :meth:`load` would give them, kept or not: a run does not depend on
            what the cache happens to hold.
        """
        halves = [_half(one) for one in maps]
        size = sum(one.nbytes for one in halves)
        self._write(self._path(metainfo), [one.cpu().clone() for one in halves], size)
        return tuple(one.float() for one in halves)


class LabelCache(DiskCache):
    """What stage 1 and the calibration make of images while neither learns, attention in half."""

    def load(self, evidence: Evidence) -> Evidence | None:
        """Get the evidence of an image after calibration.

        Args:
            evidence: Before stage 1, with ``tags`` and ``proposals``.

        Returns:
            Finer evidence; None where there is none.
        """
        payload = self._read(self._label_path(evidence))
        return None if payload is None else _restore(evidence, payload)

    def store(self, evidence: Evidence, finer: Evidence) -> Evidence:
        """Keep the evidence of an image after calibration, if there is room.

        Args:
            evidence: Before stage 1.
            finer: After calibration.

        Returns:
            The finer evidence as :meth:`load` would give it, kept or not.
        """
        payload: dict = {'metainfo': {key: finer.get(key) for key in STRIDES}}
        for name in ('attention', 'image_scores'):
            payload[name] = finer.get(name)
        payload['proposal_scores'] = finer.proposals.scores
        payload['pseudo_instances'] = dict(finer.pseudo_instances.items())
        payload = _apply(payload, _kept)
        size = sum(one.nbytes for one in _tensors(payload))
        self._write(self._label_path(evidence), payload, size)
        return _restore(evidence, payload)

    def _label_path(self, evidence: Evidence) -> Path:
        parts = (evidence.proposals.bboxes, evidence.tags)
        content = b''.join(part.cpu().contiguous().numpy().tobytes() for part in parts)
        return self._path(evidence.metainfo, hashlib.blake2b(content, digest_size=12).digest())


def _half(one: Tensor) -> Tensor:
    limit = torch.finfo(torch.float16).max
    return one.detach().clamp(-limit, limit).half()


def _kept(one: Tensor) -> Tensor:
    """Maps in half precision, all else as it is, on the host."""
    return (_half(one) if one.dim() == 3 else one.detach()).cpu().clone()


def _apply(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same nested dict with every tensor changed."""
    if isinstance(value, dict):
        return {key: _apply(one, change) for key, one in value.items()}
    return change(value) if isinstance(value, Tensor) else value


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, dict):
        return [one for part in value.values() for one in _tensors(part)]
    return [value] if isinstance(value, Tensor) else []


def _restore(evidence: Evidence, payload: dict) -> Evidence:
    device = evidence.proposals.bboxes.device
    payload = _apply(payload, lambda one: one.to(device))
    payload = _apply(payload, lambda one: one.float() if one.dtype == torch.float16 else one)
    finer = evidence.clone()
    finer.set_metainfo(payload['metainfo'])
    finer.attention, finer.image_scores = payload['attention'], payload['image_scores']
    bboxes = evidence.proposals.bboxes
    finer.proposals = InstanceData(bboxes=bboxes, scores=payload['proposal_scores'])
    finer.pseudo_instances = InstanceData(**payload['pseudo_instances'])
    return finer


def require_known_transforms(dataset: Any) -> None:
    """Make sure that images come as the cache can tell them apart.

    Args:
        dataset: Of the training images, or a wrapper of such.

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
                f'The feature cache can not tell apart what {name} makes of an image: take it out '
                'of the training pipeline, or say train_cfg.feature_cache=None.'
            )
