"""Caches on disk of features and pseudo labels that stay the same over a phase."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.models.detectors.features import stack_maps
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.utils import UserError, atomic_path

# Inputs of one image are told apart by these keys, which is enough after these transforms.
KEYS = ('img_path', 'img_shape', 'flip', 'flip_direction')
CACHEABLE_TRANSFORMS = {
    'Compose',
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
    """Tensors of images on disk, one file for each image, size and flip.

    Processes and runs may share a folder: the tensors of other weights lie in another subfolder,
    and each file appears whole or not at all. Only images that are resized and flipped can be
    cached: see :func:`require_cacheable_transforms`.

    Args:
        root: Folder.
        max_gigabytes: Greatest size of the files of one model; then nothing more is written.
    """

    def __init__(self, root: str | Path, max_gigabytes: float = 20.0) -> None:
        self.root = Path(root)
        self.max_bytes = max_gigabytes * 1e9
        self.folder = self.root
        self.num_bytes = 0

    def open(self, *modules: nn.Module, recipe: str = '') -> None:
        """Use the subfolder of the modules' current weights.

        Args:
            modules: Their weights, printed structure and plain attributes are the key.
            recipe: Further settings that the tensors depend on.
        """
        digest = hashlib.blake2b(recipe.encode(), digest_size=8)
        for module in modules:
            # The initialisation of weights does not matter once they have values.
            structure = re.sub(r'\s*init_cfg=.*', '', repr(module)) + repr(settings_of(module))
            digest.update(structure.encode())
            for name, value in module.state_dict().items():
                if not name.endswith('num_batches_tracked'):
                    digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        self.folder = self.root / digest.hexdigest()
        # Files that others are writing have names that begin with a dot.
        self.num_bytes = sum(path.stat().st_size for path in self.folder.glob('[!.]*.pth'))

    def _path(self, metainfo: Mapping, content: bytes = b'') -> Path:
        key = json.dumps([str(metainfo.get(key)) for key in KEYS])
        name = hashlib.blake2b(key.encode() + content, digest_size=12).hexdigest()
        return self.folder / f'{name}.pth'

    def _read(self, path: Path) -> Any:
        return torch.load(path, mmap=True, weights_only=True) if path.is_file() else None

    def _write(self, path: Path, payload: Any) -> None:
        size = sum(one.nbytes for one in tensors_of(payload))
        if self.num_bytes + size <= self.max_bytes:
            with atomic_path(path) as temporary:
                torch.save(payload, temporary)
            self.num_bytes += size


class FeatureCache(DiskCache):
    """Decorates a model's ``extract``: maps of a frozen backbone in half precision."""

    def around(self, model: LabelPEnet) -> None:
        """Read the maps of training images from the cache until :func:`remove_caches`."""
        self.open(model.backbone)
        extract = model.extract

        def cached(batch_inputs: Tensor, metainfo: Sequence[Mapping]) -> tuple[Tensor, ...]:
            if not model.training:
                return extract(batch_inputs, metainfo)
            images = []
            for index, one in enumerate(metainfo):
                maps = self.load(one, batch_inputs.device)
                if maps is None:
                    maps = self.store(one, extract(batch_inputs[index : index + 1], [one]))
                images.append(maps)
            return tuple(stack_maps(maps) for maps in zip(*images))

        model.extract = cached  # type: ignore[method-assign]

    def load(self, metainfo: Mapping, device: torch.device) -> tuple[Tensor, ...] | None:
        """Get the maps of an image.

        Args:
            metainfo: Of its data sample.
            device: Of the maps.

        Returns:
            Maps [1, c, h, w] in float32; None if they are not cached.
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
            The maps as :meth:`load` would give them, kept or not, so that a run does not depend
            on the content of the cache.
        """
        halves = [_half(one) for one in maps]
        self._write(self._path(metainfo), [one.cpu().clone() for one in halves])
        return tuple(one.float() for one in halves)


class LabelCache(DiskCache):
    """Decorates a cascade's ``seed``: pseudo labels while stage 1 and calibration are frozen."""

    def around(self, model: LabelPEnet) -> None:
        """Read the labels of training images from the cache until :func:`remove_caches`."""
        scales = model.attention_scales if model.step.scales else ()
        parts = model.backbone, next(iter(model.cascade.values())), model.calibration
        self.open(*parts, recipe=repr(scales))
        seed = model.cascade.seed

        def cached(feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
            if not model.training:
                return seed(feats, evidence)
            return [self.load(one) or self.store(one, *seed(one.feats, [one])) for one in evidence]

        model.cascade.seed = cached  # type: ignore[method-assign]

    def load(self, evidence: Evidence) -> Evidence | None:
        """Get the evidence of an image after calibration.

        Args:
            evidence: Before stage 1, with ``tags`` and ``proposals``.

        Returns:
            Refined evidence; None if it is not cached.
        """
        payload = self._read(self._label_path(evidence))
        return None if payload is None else _restore(evidence, payload)

    def store(self, evidence: Evidence, refined: Evidence) -> Evidence:
        """Keep the evidence of an image after calibration, if there is room.

        Args:
            evidence: Before stage 1.
            refined: After calibration.

        Returns:
            The refined evidence as :meth:`load` would give it, kept or not.
        """
        payload = {
            'strides': [refined.attention.stride, refined.instance_stride],
            'attention': refined.attention.values,
            'image_scores': refined.image_scores,
            'proposal_scores': refined.proposals.scores,
            'pseudo_instances': dict(refined.pseudo_instances.items()),
        }
        payload = _apply(payload, _kept)
        self._write(self._label_path(evidence), payload)
        return _restore(evidence, payload)

    def _label_path(self, evidence: Evidence) -> Path:
        parts = (evidence.proposals.bboxes, evidence.tags)
        content = b''.join(part.cpu().contiguous().numpy().tobytes() for part in parts)
        return self._path(evidence.metainfo, hashlib.blake2b(content, digest_size=12).digest())


def remove_caches(model: LabelPEnet) -> None:
    """Undo the decorations of :class:`FeatureCache` and :class:`LabelCache`."""
    model.__dict__.pop('extract', None)
    model.cascade.__dict__.pop('seed', None)


def settings_of(module: nn.Module) -> dict[str, str]:
    """Plain attributes of a module and its parts by name: settings that are not printed."""
    plain = (bool, int, float, str, tuple, list, dict, type(None))
    return {
        f'{name}.{key}': repr(value)
        for name, part in module.named_modules()
        for key, value in vars(part).items()
        if isinstance(value, plain)
        and not key.startswith('_')
        and key not in ('training', 'init_cfg')
    }


def tensors_of(value: Any) -> list[Tensor]:
    """All tensors in nested dicts and lists."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [one for part in parts for one in tensors_of(part)]
    return [value] if isinstance(value, Tensor) else []


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


def _restore(evidence: Evidence, payload: dict) -> Evidence:
    bboxes = evidence.proposals.bboxes
    payload = _apply(payload, lambda one: one.to(bboxes.device))
    payload = _apply(payload, lambda one: one.float() if one.dtype == torch.float16 else one)
    stride, instance_stride = payload['strides']
    return evidence.replace(
        attention=Maps(payload['attention'], stride),
        image_scores=payload['image_scores'],
        proposals=InstanceData(bboxes=bboxes, scores=payload['proposal_scores']),
        pseudo_instances=InstanceData(**payload['pseudo_instances']),
        instance_stride=instance_stride,
    )


def require_cacheable_transforms(dataset: Any) -> None:
    """Make sure that the cache's keys distinguish all inputs of an image.

    Args:
        dataset: Of the training images, or a wrapper of such.

    Raises:
        UserError: If the pipeline holds another transform than ``CACHEABLE_TRANSFORMS``.
    """
    for part in getattr(dataset, 'datasets', [getattr(dataset, 'dataset', None)]):
        if part is not None:
            require_cacheable_transforms(part)
    pending = list(getattr(getattr(dataset, 'pipeline', None), 'transforms', []))
    while pending:
        transform = pending.pop()
        pending += getattr(transform, 'transforms', [])
        name = type(transform).__name__
        if name not in CACHEABLE_TRANSFORMS:
            raise UserError(
                f'The feature cache can not tell apart what {name} makes of a photo: take it out '
                'of the training pipeline, or say train_cfg.feature_cache=None.'
            )
