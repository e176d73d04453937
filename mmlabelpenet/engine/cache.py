"""Caches on disk of features and pseudo labels that stay the same over a phase."""

import hashlib
import io
import json
import logging
import os
import re
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from mmengine.utils import apply_to
from torch import Tensor, nn

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.models.detectors.features import stack_maps
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.utils import read_file, write_bytes
from mmlabelpenet.version import __version__

# Inputs of one image are told apart by these keys: `input_crc` by their pixels, `img_shape` at
# further scales.
KEYS = ('img_path', 'img_shape', 'flip', 'flip_direction', 'input_crc')
# What was used since then is in use.
_BEGIN = time.time()


class DiskCache:
    """Tensors of images on disk, one file for each image, size and flip.

    A key holds everything that the tensors follow from: the pixels of the input, its
    normalisation, the precision, weights and settings. Processes and runs may share a folder: the
    tensors of other weights lie in another subfolder, and each file appears whole or not at all. A
    damaged file is made anew. Where a file cannot be written, as on a full disk, no more are.

    Args:
        root: Folder.
        max_gigabytes: Greatest size of the folder, about. To make room, the files of other
            weights are removed, of those first that were not used for longest, unless they were
            used since this process began; then nothing more is written.
    """

    def __init__(self, root: str | Path, max_gigabytes: float = 20.0) -> None:
        self.root = Path(root)
        self.max_bytes = max_gigabytes * 1e9
        self.folder = self.root
        self.num_bytes = 0
        self.intact: set[Path] = set()  # the sums of these files were checked

    def open(self, *modules: nn.Module, recipe: str = '') -> None:
        """Use the subfolder of the modules' current weights.

        Args:
            modules: Their weights, printed structure and plain attributes are the key.
            recipe: Further settings that the tensors depend on.
        """
        digest = hashlib.blake2b(
            f'{__version__} {torch.__version__} {recipe}'.encode(), digest_size=8
        )
        for module in modules:
            # The initialisation of weights does not matter once they have values.
            structure = re.sub(r'\s*init_cfg=.*', '', repr(module)) + repr(settings_of(module))
            digest.update(structure.encode())
            # Buffers that no checkpoint holds count too: the mean and std of images.
            for name, value in chain(module.named_parameters(), module.named_buffers()):
                if not name.endswith('num_batches_tracked'):
                    digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        self.folder = self.root / digest.hexdigest()
        with suppress(OSError):
            os.utime(self.folder)  # its last use
        self.num_bytes = _size(self.root)

    def remember(
        self,
        evidence: Evidence,
        device: torch.device,
        make: Callable[[], dict],
        content: bytes = b'',
    ) -> dict:
        """Read the tensors of an image, or make and keep them.

        Args:
            evidence: Of the image; its metainfo is the key. Without ``input_crc`` it gets that
                of ``image``.
            device: Of the result.
            make: Gives nested dicts of tensors and numbers.
            content: Further inputs of ``make``.

        Returns:
            The same with maps (tensors of three dimensions or more) rounded to half precision,
            kept or not, so that a run does not depend on the content of the cache.
        """
        if 'input_crc' not in evidence.metainfo:
            pixels = evidence.image.detach().cpu().contiguous().numpy()
            evidence.set_metainfo(dict(input_crc=zlib.crc32(pixels)))
        parts = [str(evidence.metainfo.get(key)) for key in KEYS] + [precision_on(device)]
        key = json.dumps(parts).encode() + content
        path = self.folder / f'{hashlib.blake2b(key, digest_size=12).hexdigest()}.pth'
        payload = self._read(path)
        if payload is None:
            payload = apply_to(make(), torch.is_tensor, _kept)
            self._write(path, payload)
        return apply_to(payload, torch.is_tensor, partial(_restored, device=device))

    def _read(self, path: Path) -> dict | None:
        """The content of a file; None if there is none, or a damaged one."""
        try:
            content = read_file(path)
        except OSError:
            return None
        # Damage raises errors of many kinds; torch itself does not notice a changed byte.
        with suppress(Exception):
            if path in self.intact or zipfile.ZipFile(io.BytesIO(content)).testzip() is None:
                self.intact.add(path)
                key, payload = torch.load(io.BytesIO(content), weights_only=True)
                # A file that was copied or renamed holds the tensors of another image.
                if key == path.stem:
                    return payload
        self.num_bytes -= len(content)
        return None

    def _has_room(self, size: int) -> bool:
        """Whether so many bytes more may be kept, after making room."""
        if self.num_bytes + size > self.max_bytes:
            # folders of no other use: one may have named any folder as root
            used = ((one.stat().st_mtime, one) for one in self.root.glob('[0-9a-f]' * 16))
            for last, folder in sorted(used):
                if last < _BEGIN and self.num_bytes + size > self.max_bytes:
                    self.num_bytes -= _size(folder)
                    shutil.rmtree(folder, ignore_errors=True)
        return self.num_bytes + size <= self.max_bytes

    def _write(self, path: Path, payload: dict) -> None:
        sizes: list[int] = []
        apply_to(payload, torch.is_tensor, lambda one: sizes.append(one.nbytes))
        if not self._has_room(sum(sizes)):
            return
        content = io.BytesIO()
        payload = apply_to(payload, torch.is_tensor, lambda one: one.cpu().clone())
        torch.save((path.stem, payload), content)
        try:
            write_bytes(path, content.getvalue())
        except OSError as error:
            self.max_bytes = 0
            reason = os.strerror(error.errno or 0)
            _warn_once(
                f'{self.root} cannot be written ({reason}), so that features and labels are '
                'computed in every epoch from now on. The results are the same; to save time, '
                'free space or set train_cfg.feature_cache.root to another folder.'
            )
        else:
            self.num_bytes += sum(sizes)


def _size(folder: Path) -> int:
    """Bytes of the complete files in a folder and below; others write names with a dot."""
    total = 0
    with suppress(OSError):  # another run may remove them
        for path in folder.rglob('[!.]*.pth'):
            total += path.stat().st_size
    return total


@cache
def _warn_once(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)


def precision_on(device: torch.device) -> str:
    """Kind of device and type of the numbers that a matrix product gives on it right now."""
    mixed = torch.is_autocast_enabled(device.type)
    dtype = torch.get_autocast_dtype(device.type) if mixed else torch.float32
    cuda = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    return f'{device.type} {dtype} {cuda}'


class FeatureCache(DiskCache):
    """Decorates a model's ``extract``: the maps of a frozen backbone."""

    def around(self, model: LabelPEnet) -> None:
        """Read the maps of training images from the cache until :func:`remove_caches`."""
        self.open(model.data_preprocessor, model.backbone)
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
        first = next(iter(model.cascade.values()))
        parts = model.data_preprocessor, model.backbone, first, model.calibration
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
    internal = vars(BaseModule())
    return {
        f'{name}.{key}': repr(value)
        for name, part in module.named_modules()
        for key, value in vars(part).items()
        if isinstance(value, plain) and key not in internal
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
