"""Memory and FLOPs of a training step of the full-VOC configs at their largest image.

The step is one of the joint phase, forward, on stored labels: half of the updates of those configs
are such steps. What takes long is not computed (its results are zeros of the right shape), so that
a CPU needs little time: convolutions, matrix products, the pooling of regions, and operations on
single elements of large tensors.

Memory is what a device has to hold: parameters, gradients, the optimiser's state and the tensors
that autograd saves, at the moment at which their sum is largest. Work space of single operations
is not in it. FLOPs are those of convolutions and matrix products, two for a multiplication and an
addition. They are compared with those of a plain OICR step: the backbone, and two fully connected
layers over all proposals (fc6 and fc7 of VGG16), forward and backward.

Example:
    python benchmark/full_size.py vgg16_voc07 --proposals 2000 4000 --out full_size.json
"""

import argparse
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from mmlabelpenet.engine import freeze
from mmlabelpenet.engine.loops import build_phases
from mmlabelpenet.engine.stored_labels import StoredLabels
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.registry import MODELS, SCOPE
from mmlabelpenet.structures import grid_size
from mmlabelpenet.utils import register_all_modules, to_rles

CONFIGS = Path(__file__).parents[1] / 'configs/label_penet'
SIZE = (1200, 1800)
POOLING = import_module('mmcv.ops.roi_align')
GIGA, TERA = 1e9, 1e12
# Operations on single elements that are not computed either; in place, on so many or more.
ELEMENTWISE = {
    *('relu', 'threshold_backward', 'native_batch_norm', 'native_batch_norm_backward'),
    *('max_pool2d_with_indices', 'max_pool2d_with_indices_backward'),
    *('relu_', 'add_', 'normal_', 'uniform_'),
}
LARGE = 1_000_000


class Uncomputed(TorchDispatchMode):
    """Gives zeros of the right shape in place of all that takes long."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call an operation, or allocate what it would give."""
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        if func.overloadpacket not in flop_registry and name not in ELEMENTWISE:
            return func(*args, **kwargs)
        if name.endswith('_'):
            return args[0] if args[0].numel() >= LARGE else func(*args, **kwargs)
        shapes = tree_map_only(Tensor, lambda one: one.to('meta'), (args, kwargs))
        found = func(*shapes[0], **shapes[1])
        return tree_map_only(Tensor, lambda one: torch.zeros_like(one, device='cpu'), found)


class SavedTensors:
    """Counts the bytes of gradients and of tensors that autograd saves, as they come and go.

    Args:
        model: Whose parameters, which are not counted, may be saved too.
    """

    def __init__(self, model: LabelPEnet) -> None:
        self.users = {one.untyped_storage().data_ptr(): 1 for one in model.parameters()}
        self.now = self.peak = 0
        for one in model.parameters():
            if one.requires_grad:
                one.register_post_accumulate_grad_hook(lambda done: self.add(done.grad.nbytes))

    def add(self, count: int) -> None:
        """Count so many bytes more, or less."""
        self.now += count
        self.peak = max(self.peak, self.now)


class Saved:
    """A saved tensor; several may share their memory.

    Args:
        tensor: The tensor.
        counts: Of all saved tensors.
    """

    def __init__(self, tensor: Tensor, counts: SavedTensors) -> None:
        self.tensor, self.counts = tensor, counts
        self.place = tensor.untyped_storage().data_ptr()
        self.change(1)

    def change(self, users: int) -> None:
        """Count one user more or less; the first one takes the memory, the last one frees it."""
        before = self.counts.users.get(self.place, 0)
        self.counts.users[self.place] = before + users
        if 0 in (before, before + users):
            self.counts.add(users * self.tensor.untyped_storage().nbytes())

    def __del__(self) -> None:
        """Free the memory."""
        self.change(-1)


def make_image(num_classes: int, proposals: int) -> dict:
    """Make a batch of one image of ``SIZE`` with two tags and random proposals."""
    sides = torch.tensor([SIZE[1], SIZE[0]])
    corners = torch.rand(proposals, 2, 2).sort(1).values * sides
    bboxes = torch.cat([corners[:, 0], (corners[:, 1] + 24).minimum(sides)], dim=1)
    sample = DetDataSample(
        metainfo=dict(img_id='one', img_shape=SIZE, ori_shape=SIZE, scale_factor=(1.0, 1.0))
    )
    sample.proposals = InstanceData(bboxes=bboxes)
    sample.tags = torch.zeros(num_classes).index_fill(0, torch.tensor([1, 2]), 1.0)
    image = torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8)
    return pseudo_collate([dict(inputs=image, data_samples=sample)])


def make_labels(size: int, stride: int = 3) -> dict:
    """Make four stored labels of the image, two of each tag, as labels made at ``size`` are."""
    shape = size, round(size * SIZE[1] / SIZE[0])
    bboxes = torch.tensor([[0.1, 0.1, 0.4, 0.9], [0.5, 0.1, 0.9, 0.9]]).repeat(2, 1)
    masks = torch.ones(4, *grid_size(shape, stride), dtype=torch.bool)
    return dict(
        bboxes=bboxes * torch.tensor([shape[1], shape[0]] * 2),
        labels=torch.tensor([1, 1, 2, 2]),
        weights=torch.ones(4),
        masks=to_rles(masks),
        stride=stride,
        img_shape=shape,
    )


def flops_of(step: Callable[[], Tensor]) -> int:
    """Count the FLOPs of a step that gives a loss, and of its way back."""
    with FlopCounterMode(display=False) as counter:
        step().backward()
    return counter.get_total_flops()


def flops_by_stage(model: LabelPEnet, batch: dict) -> dict[str, int]:
    """FLOPs of the backbone, of a plain OICR step, and of all that each stage adds."""
    data, step = model.data_preprocessor(batch, True), model.step
    inputs, samples = data['inputs'], data['data_samples']
    features = model.cascade.detection.box_head.roi_features
    rois = bbox2roi([one.proposals.bboxes for one in samples])
    found = {
        'backbone': flops_of(lambda: model.extract_feat(inputs)[-1].sum()),
        'OICR': flops_of(lambda: features(model.extract_feat(inputs), rois).sum()),
    }
    before, names = found['backbone'], tuple(model.cascade)
    for count, name in enumerate(names, start=1):
        model.step = type(step)(learning=names[:count], backbone=True, scales=False)
        whole = flops_of(lambda: sum(model.parse_losses(model.loss(inputs, samples))[:1]))
        found[name], before = whole - before, whole
    return found | {'sum': before}


def memory_of(model: LabelPEnet, batch: dict, cfg: Config) -> dict[str, int]:
    """Bytes that a device has to hold while it trains a step."""
    cfg.optim_wrapper.accumulative_counts = 1
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.zero_grad()
    saved = SavedTensors(model)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda one: Saved(one, saved), lambda one: one.tensor
    ):
        model.train_step(batch, optim_wrapper)
    states = [one for part in optim_wrapper.optimizer.state.values() for one in part.values()]
    return {
        'parameters': sum(one.nbytes for one in model.parameters()),
        'optimiser': sum(one.nbytes for one in states if torch.is_tensor(one)),
        'gradients and saved tensors': saved.peak,
    }


def measure(name: str, proposals: int) -> dict:
    """Train steps of a config, see the module."""
    register_all_modules(init_default_scope=False)
    init_default_scope(SCOPE)
    cfg = Config.fromfile(CONFIGS / f'label-penet_{name}.py')
    batch = make_image(cfg.model.num_classes, proposals)
    with Uncomputed():
        model = MODELS.build(cfg.model)
    phase = build_phases(cfg.train_cfg.phases, cfg.train_cfg.order)['joint']
    freeze(model.train(), phase.step(500, 1000))
    store = StoredLabels()
    store.labels = {'/one': make_labels(cfg.train_cfg.label_size)}
    store.around(model)
    with Uncomputed(), mock.patch.object(POOLING, 'ext_module'):
        flops = flops_by_stage(model, batch)
        memory = memory_of(model, batch, cfg)
    memory['sum'] = sum(memory.values())
    return dict(
        config=name,
        proposals=proposals,
        gigabytes={key: round(value / GIGA, 2) for key, value in memory.items()},
        teraflops={key: round(value / TERA, 2) for key, value in flops.items()},
        over_oicr=round(flops['sum'] / flops['OICR'], 2),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures of steps, and write them."""
    parser = argparse.ArgumentParser(description='Memory and FLOPs of a step at full size')
    parser.add_argument('config', help='such as vgg16_voc07')
    parser.add_argument('--proposals', type=int, nargs='+', default=[2000])
    parser.add_argument('--out', type=Path, help='JSON file to write')
    args = parser.parse_args(argv)
    found = json.dumps([measure(args.config, count) for count in args.proposals], indent=1)
    print(found)
    if args.out is not None:
        args.out.write_text(found + '\n')


if __name__ == '__main__':
    main()
