"""Caches on disk of features and pseudo labels that stay the same over a phase."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.structures import BaseDataElement, InstanceData
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

    def remember(
        self,
        sample: BaseDataElement,
        device: torch.device,
        make: Callable[[], dict],
        content: bytes = b'',
    ) -> dict:
        """Read the tensors of an image, or make and keep them.

        Args:
            sample: Of the image; its metainfo is the key.
            device: Of the result.
            make: Gives nested dicts of tensors and numbers.
            content: Further inputs of ``make``.

        Returns:
            The same with maps (tensors of three dimensions or more) rounded to half precision,
            kept or not, so that a run does not depend on the content of the cache.
        """
        key = json.dumps([str(sample.metainfo.get(key)) for key in KEYS]).encode() + content
        path = self.folder / f'{hashlib.blake2b(key, digest_size=12).hexdigest()}.pth'
        if path.is_file():
            return _apply(torch.load(path, mmap=True, weights_only=True), _restored, device)
        payload = _apply(make(), _kept)
        size = sum(one.nbytes for one in _tensors(payload))
        if self.num_bytes + size <= self.max_bytes:
            with atomic_path(path) as temporary:
                torch.save(_apply(payload, lambda one: one.cpu().clone()), temporary)
            self.num_bytes += size
        return _apply(payload, _restored, device)


class FeatureCache(DiskCache):
    """Decorates a model's ``extract``: the maps of a frozen backbone."""

    def around(self, model: LabelPEnet) -> None:
        """Read the maps of training images from the cache until :func:`remove_caches`."""
        self.open(model.backbone)
        extract = model.extract

        def cached(batch_inputs: Tensor, evidence: list[Evidence]) -> tuple[Tensor, ...]:
            if not model.training:
                return extract(batch_inputs, evidence)
            images = [
                self.remember(one, batch_inputs.device, partial(_numbered, extract, inputs, [one]))
                for one, inputs in zip(evidence, batch_inputs.split(1))
            ]
            return tuple(stack_maps(maps) for maps in zip(*(image.values() for image in images)))

        model.extract = cached  # type: ignore[method-assign]


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
            return [self._seeded(one, seed) for one in evidence]

        model.cascade.seed = cached  # type: ignore[method-assign]

    def _seeded(self, evidence: Evidence, seed: Callable) -> Evidence:
        bboxes = evidence.proposals.bboxes
        parts = (part.cpu().contiguous().numpy().tobytes() for part in (bboxes, evidence.tags))
        content = hashlib.blake2b(b''.join(parts), digest_size=12).digest()
        make = partial(labels_of, seed, evidence)
        found = self.remember(evidence, bboxes.device, make, content)
        stride, values, scores = (found.pop(key) for key in ('stride', 'attention', 'scores'))
        return evidence.replace(
            attention=Maps(values, stride),
            proposals=InstanceData(bboxes=bboxes, scores=scores),
            pseudo_instances=InstanceData(**found.pop('pseudo_instances')),
            **found,
        )


def labels_of(seed: Callable, evidence: Evidence) -> dict:
    """Everything that stage 1 and the label source add to the evidence of an image."""
    [evidence] = seed(evidence.feats, [evidence])
    return {
        'stride': evidence.attention.stride,
        'attention': evidence.attention.values,
        'scores': evidence.proposals.scores,
        'image_scores': evidence.image_scores,
        'pseudo_instances': dict(evidence.pseudo_instances.items()),
        'instance_stride': evidence.instance_stride,
    }


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


def _numbered(extract: Callable, *args: Any) -> dict:
    return dict(enumerate(extract(*args)))


def _kept(one: Tensor) -> Tensor:
    """Maps in half precision, all else as it is."""
    limit = torch.finfo(torch.float16).max
    return one.detach().clamp(-limit, limit).half() if one.dim() > 2 else one.detach()


def _restored(one: Tensor, device: torch.device) -> Tensor:
    one = one.to(device, non_blocking=True)
    return one.float() if one.dtype == torch.float16 else one


def _apply(value: Any, change: Callable[..., Tensor], *args: Any) -> Any:
    """The same nested dict with every tensor changed."""
    if isinstance(value, dict):
        return {key: _apply(one, change, *args) for key, one in value.items()}
    return change(value, *args) if isinstance(value, Tensor) else value


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, dict):
        return [one for part in value.values() for one in _tensors(part)]
    return [value] if isinstance(value, Tensor) else []


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
