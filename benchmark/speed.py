"""Costs of Label-PEnet, as ratios on the machine that this runs on.

Each figure is the ratio of two medians, of actions that take turns in one run. Weights are random
and images are noise: times do not depend on what images show.

Example:
    python benchmark/speed.py --rounds 5
"""

import argparse
import copy
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from keys import phases_of
from matplotlib.figure import Figure
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from report import insert, save_figure
from speed_rivals import fast_rcnn, mask_rcnn
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from trainings import REPOSITORY, device_name

from mmlabelpenet.apis import run_command
from mmlabelpenet.engine import FeatureCache, LabelCache, freeze
from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.models.attention import Excitation, RegionExcitation
from mmlabelpenet.models.attention.excitation_attention import backbone_tail
from mmlabelpenet.registry import MODELS
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import atomic_path, markdown_table, register_all_modules

CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
# Its backbone's last map has stride 32.
UNDILATED = REPOSITORY / 'configs/_base_/models/label-penet_effnet-lite0.py'
PROPOSING = Path(__file__).with_name('proposing.py')
# Meaning and goal of each ratio.
RATIOS = {
    'predict': (
        "predict, boxes and masks, over mmdet's Fast R-CNN with a mask head, same RoIs",
        '<= 1.05',
    ),
    'joint_step': (
        "joint training step, forward and backward alike, over mmdet's Mask R-CNN step",
        '<= 1.25',
    ),
    'instances': (
        'predict 100 instances over one, but for pasting their masks',
        '<= 1.3',
    ),
    'cached_epoch': (
        'pre-training, all its phases, with the feature cache over one without',
        '<= 0.33',
    ),
    'attention_fused_forwards': (
        'excitation to the fused map, all pairs, over one forward pass',
        '<= 2',
    ),
    'attention_fused_singles': (
        'the pairs one by one over all at once, to the fused map',
        '>= 10',
    ),
    'attention_backbone_forwards': (
        "the same to the backbone's last map of stride 16",
        '<= 8, or the bound below',
    ),
    'attention_backbone_bound': (
        "FLOPs of the backbone's tail for each pair over those of one forward pass: no dense "
        'propagation takes fewer',
        '-',
    ),
    'attention_backbone_singles': (
        "the pairs one by one over all at once, to the backbone's map",
        '>= 10',
    ),
    'memory': (
        'peak memory of a process that predicts with four times the proposals, over one',
        '<= 1.3',
    ),
    'proposals': ('images proposed in a time by two processes over one', '>= 1.8'),
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', choices=[*RATIOS, 'curves'], help='a part of it')
    parser.add_argument('--size', type=int, default=384, help='short side of an image; long: 4/3')
    parser.add_argument('--proposals', type=int, default=1000, help='of an image')
    parser.add_argument('--num-images', type=int, default=60, help='to make proposals for')
    parser.add_argument('--pairs', type=int, default=64, help='of region and class, excited')
    parser.add_argument('--rounds', type=int, default=5, help='whose median is taken')
    parser.add_argument('--out', default='docs/research/benchmarks/speed.json')
    parser.add_argument('--docs', default='docs/research/speed.md', help='page of the table')
    parser.add_argument('--images', default='docs/images', help='folder of the curves')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--memory-of', type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def medians(actions: Sequence[Callable[[], object]], rounds: int, device: str) -> list[float]:
    """Median seconds of actions that take turns, so that other load meets all of them alike.

    Args:
        actions: What to time; each runs once before it counts.
        rounds: Of which the median is taken.
        device: With CUDA, its work is waited for.
    """
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds + 1):
        for action, own in zip(actions, times):
            start = time.perf_counter()
            action()
            if device.startswith('cuda'):
                torch.cuda.synchronize()
            own.append(time.perf_counter() - start)
    return [statistics.median(own[1:]) for own in times]


def run_alone(script: str | Path, *args: object) -> float:
    """Run a script in a process of its own.

    Args:
        script: Its path.
        *args: Its arguments.

    Returns:
        The number that it prints last.
    """
    command = [sys.executable, str(script), *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def noise_image(size: int, num_proposals: int, seed: int) -> tuple[torch.Tensor, DetDataSample]:
    """An image of noise with proposals, tags and, for the rivals, four instances."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size, size * 4 // 3

    def boxes(count: int) -> torch.Tensor:
        near = torch.rand(count, 2, generator=generator) * 0.7
        sides = 0.1 + torch.rand(count, 2, generator=generator) * 0.2
        return torch.cat([near, near + sides], dim=1) * torch.tensor([width, height] * 2)

    sample = DetDataSample(
        metainfo=dict(
            img_id=str(seed),
            img_path=f'{seed}.jpg',
            ori_shape=(height, width),
            img_shape=(height, width),
            scale_factor=(1.0, 1.0),
        ),
        proposals=InstanceData(bboxes=boxes(num_proposals)),
        tags=torch.eye(20)[[1, 3]].sum(dim=0),
        gt_instances=InstanceData(
            bboxes=boxes(4),
            labels=torch.tensor([1, 1, 3, 3]),
            masks=BitmapMasks(np.zeros((4, height, width), np.uint8), height, width),
        ),
        ignored_instances=InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long()),
    )
    img = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    return img, sample


def batch_of(size: int, num_proposals: int, count: int = 1) -> dict:
    """A batch of images as a data loader gives it."""
    images = [noise_image(size, num_proposals, seed) for seed in range(count)]
    return dict(inputs=[img for img, _ in images], data_samples=[one for _, one in images])


def prepared(cfg: dict, device: str) -> BaseModel:
    """A model with random weights whose features do not vanish."""
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    for norm in (one for one in model.backbone.modules() if isinstance(one, nn.BatchNorm2d)):
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        model.backbone(torch.randn(2, 3, 96, 96))
    return model.to(device)


def label_penet(device: str, config: Path = CONFIG, **options: object) -> LabelPEnet:
    """The model of a config, every class with some attention."""
    cfg = Config.fromfile(str(config))
    cfg.model.backbone.init_cfg = None
    cfg.merge_from_dict({f'model.{key}': value for key, value in options.items()})
    model = prepared(cfg.model, device)
    for classifier in model.cascade['classification'].attention.classifiers:
        torch.nn.init.normal_(classifier.weight)
    return model


def prediction(model: BaseModel, batch: dict) -> Callable[[], object]:
    """An action: predict once."""
    model.eval()
    return lambda: torch.no_grad()(model.test_step)(copy.deepcopy(batch))


def training_step(model: BaseModel, batch: dict) -> Callable[[], object]:
    """An action: train on a batch once."""
    optim_wrapper = build_optim_wrapper(model, Config.fromfile(str(CONFIG)).optim_wrapper)
    model.train()
    return lambda: model.train_step(copy.deepcopy(batch), optim_wrapper)


def joint_steps(model: LabelPEnet, batch: dict) -> dict[str, Callable[[], object]]:
    """Actions by their direction: train all stages with the backbone on a batch once."""
    phase = phases_of(Config.fromfile(str(CONFIG)))['joint']
    freeze(model, phase.step(1, 1))
    step = training_step(model, batch)

    def step_in(direction: str) -> None:
        model.step = replace(phase.step(1, 1), direction=direction)
        step()

    directions = ('forward', 'backward') if phase.alternate else ('forward',)
    return {direction: partial(step_in, direction) for direction in directions}


def measure_predict(args: argparse.Namespace) -> dict[str, float]:
    """Predict results of the last stage, and boxes alone, against mmdet's detectors."""
    cfg = Config.fromfile(str(CONFIG)).model
    models = [
        label_penet(args.device),
        prepared(fast_rcnn(cfg, masks=True), args.device),
        label_penet(args.device, **{'test_cfg.stage': 'detection'}),
        prepared(fast_rcnn(cfg, masks=False), args.device),
    ]
    batch = batch_of(args.size, args.proposals)
    actions = [prediction(model, batch) for model in models]
    full, rival, detection, plain = medians(actions, args.rounds, args.device)
    return {
        'predict': full / rival,
        'predict_boxes': detection / plain,
        'predict_over_boxes_only': full / plain,
        'predict_seconds': full,
    }


def measure_joint_step(args: argparse.Namespace) -> dict[str, float]:
    """Train all stages with the backbone, forward and backward, against Mask R-CNN."""
    batch = batch_of(args.size, args.proposals, count=2)
    steps = joint_steps(label_penet(args.device), batch)
    model = Config.fromfile(str(CONFIG)).model
    rival_step = training_step(prepared(mask_rcnn(model), args.device), batch)
    actions = [*steps.values(), rival_step]
    *seconds, rival = medians(actions, args.rounds, args.device)
    joint = statistics.mean(seconds)
    return {
        'joint_step': joint / rival,
        'joint_step_seconds': joint,
        **{f'joint_step_{name}': one / rival for name, one in zip(steps, seconds)},
    }


def measure_instances(args: argparse.Namespace) -> dict[str, float]:
    """Predict many instances, and one; their masks are not pasted."""
    batch = batch_of(args.size, args.proposals)
    models = {count: label_penet(args.device) for count in (1, 100)}
    for count, model in models.items():
        stage = model.cascade['segmentation']
        stage.test_cfg['max_per_image'] = count
        stage.mask_head.paste = empty_masks
    one, many = medians([prediction(m, batch) for m in models.values()], args.rounds, args.device)
    return {'instances': many / one}


def empty_masks(soft: torch.Tensor, _: InstanceData, ori_shape: Sequence[int]) -> torch.Tensor:
    """Masks [M, H, W] without pixels, in place of :meth:`WeakMaskHead.paste`."""
    return torch.zeros(len(soft), *ori_shape[:2], dtype=torch.bool, device=soft.device)


def measure_cached_epoch(args: argparse.Namespace) -> dict[str, float]:
    """Pre-train with maps from the disk, against computing them in each epoch."""
    model = label_penet(args.device)
    batch = batch_of(args.size, args.proposals, count=4)
    total, ratios = [0.0, 0.0], {}
    with tempfile.TemporaryDirectory() as folder:
        caches = FeatureCache(folder), LabelCache(folder)
        for name, phase in phases_of(Config.fromfile(str(CONFIG))).items():
            if phase.backbone:
                continue
            freeze(model, phase.step(0, 1))
            used = caches[: 1 + model.cascade.labels_cacheable(model.step)]
            pair = cached_and_not(model, used, training_step(model, batch), args)
            ratios[f'cached_{name}'] = pair[0] / pair[1]
            total = [sum_ + phase.epochs * one for sum_, one in zip(total, pair)]
    return {'cached_epoch': total[0] / total[1], **ratios}


def cached_and_not(
    model: LabelPEnet,
    caches: Sequence[FeatureCache | LabelCache],
    step: Callable[[], object],
    args: argparse.Namespace,
) -> list[float]:
    """Median seconds of a training step with caches and without."""
    plain = model.extract, model.cascade.seed
    for cache in caches:
        cache.around(model)
    decorated = model.extract, model.cascade.seed

    def step_with(extract: Callable, seed: Callable) -> None:
        model.extract, model.cascade.seed = extract, seed
        step()

    actions = [partial(step_with, *decorated), partial(step_with, *plain)]
    return medians(actions, args.rounds, args.device)


def measure_attention(args: argparse.Namespace) -> dict[str, float]:
    """Excite many pairs down to a map of stride 16: the fused one, the backbone's last."""
    model = label_penet(args.device, UNDILATED).eval()
    head = model.cascade['detection'].box_head.roi_features
    image = torch.randn(1, 3, args.size, args.size, device=args.device)
    near = torch.rand(args.pairs, 2, device=args.device) * args.size / 2
    sides = args.size / 8 + torch.rand_like(near) * args.size / 3
    bboxes = torch.cat([near, near + sides], dim=1)
    weights = torch.randn(args.pairs, head.out_channels, device=args.device)
    forward = partial(torch.no_grad()(model.backbone), image)
    tail = backbone_tail(model.backbone, 1, 2)
    with FlopCounterMode(display=False) as counter:
        feats = forward()
    whole = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tail(feats[1])
    figures = {'attention_backbone_bound': args.pairs * counter.get_total_flops() / whole}

    def to_fused(pairs: slice, to_levels: bool = False) -> list[torch.Tensor] | torch.Tensor:
        regions = torch.arange(len(bboxes[pairs]), device=args.device)
        excitation = RegionExcitation(head, feats, bboxes[pairs])
        return excitation.key_pixels(weights[pairs], regions, True, to_levels)

    def to_backbone(pairs: slice) -> None:
        levels = to_fused(pairs, to_levels=True)
        Excitation(tail, feats[1]).back(levels[1]).add_(levels[0])

    for name, excite in (('fused', to_fused), ('backbone', to_backbone)):
        together, alone = medians(
            [partial(excite, slice(None)), forward], args.rounds, args.device
        )
        (single,) = medians([partial(one_by_one, excite, args.pairs)], 1, args.device)
        figures |= {
            f'attention_{name}_seconds': together,
            f'attention_{name}_forwards': together / alone,
            f'attention_{name}_singles': single / together,
        }
    return figures


def one_by_one(action: Callable[[slice], object], count: int) -> None:
    """Do for each element alone what an action does for a slice of them."""
    for index in range(count):
        action(slice(index, index + 1))


def measure_memory(args: argparse.Namespace) -> dict[str, float]:
    """Peak memory of a process that predicts, by its number of proposals."""
    common = ('--size', args.size, '--device', args.device, '--memory-of')
    one, four = (run_alone(__file__, *common, args.proposals * times) for times in (1, 4))
    return {'memory': four / one, 'memory_mb': one}


def print_peak(count: int, args: argparse.Namespace) -> None:
    """Predict once and print the peak memory."""
    prediction(label_penet(args.device), batch_of(args.size, count))()
    print(peak_mb(args.device))


def peak_mb(device: str) -> float:
    """Peak memory so far in MB: of the device with CUDA, else of the process."""
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated() / 2**20
    # ru_maxrss would begin at the peak of the process that started this one.
    status = Path('/proc/self/status').read_text()
    return int(re.findall(r'VmHWM:\s*(\d+)', status)[0]) / 1024


def measure_proposals(args: argparse.Namespace) -> dict[str, float]:
    """Run Selective Search on generated images, in one process and in two."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        make_shapes(f'{folder}/Shapes', 0, args.num_images, image_size=(args.size, args.size))
        for number in range(min(args.rounds, 3)):
            for workers, own in seconds.items():
                folders = f'{folder}/Shapes/JPEGImages', f'{folder}/{number}-{workers}'
                own.append(run_alone(PROPOSING, *folders, workers, args.size))
    one, two = (statistics.median(own) for own in seconds.values())
    return {'proposals': one / two, 'proposals_seconds': one / args.num_images}


def measure_curves(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Seconds of a prediction by the number of proposals, of instances, and the image's size."""
    model = label_penet(args.device)

    def seconds(size: int, count: int) -> float:
        action = prediction(model, batch_of(size, count))
        return medians([action], max(args.rounds // 2, 1), args.device)[0]

    counts = [args.proposals * share // 4 for share in (1, 2, 4, 8, 16)]
    sizes = [round(args.size * share / 32) * 32 for share in (0.5, 0.75, 1, 1.5, 2)]
    curves = {
        'proposals': {str(n): seconds(args.size, n) for n in counts},
        'short side': {str(n): seconds(n, args.proposals) for n in sizes},
        'instances': {},
    }
    for count in (1, 25, 50, 100, 200):
        model.cascade['segmentation'].test_cfg['max_per_image'] = count
        curves['instances'][str(count)] = seconds(args.size, args.proposals)
    return curves


MEASURES = {
    'predict': measure_predict,
    'joint_step': measure_joint_step,
    'instances': measure_instances,
    'cached_epoch': measure_cached_epoch,
    **{name: measure_attention for name in RATIOS if name.startswith('attention')},
    'memory': measure_memory,
    'proposals': measure_proposals,
}


def plot_curves(curves: dict[str, dict[str, float]], path: Path) -> None:
    """Draw the curves side by side."""
    figure = Figure(figsize=(10, 3))
    grid = figure.subplots(1, len(curves), sharey=True)
    for axes, (name, points) in zip(grid, curves.items()):
        axes.plot([float(x) for x in points], list(points.values()), marker='o', color='#2b6cb0')
        axes.set_xlabel(name)
        axes.grid(color='0.92')
    # Last: setting a limit stops the search for one that shows all curves.
    grid[0].set(ylim=(0, None), ylabel='seconds an image')
    save_figure(figure, path)


def make_table(result: dict) -> str:
    """Markdown table of the ratios."""
    figures = result['ratios']
    rows = [
        [meaning, f'{figures[name]:.2f}', goal]
        for name, (meaning, goal) in RATIOS.items()
        if name in figures
    ]
    table = markdown_table(['what over what', 'ratio', 'goal'], rows)
    machine = f'{result["device"]}, {result["threads"]} threads, torch {result["torch"]}'
    return f'{table}\n\nMeasured on {machine}; images of {result["size"]} pixels.'


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    args = parse_args(argv)
    register_all_modules()
    if args.memory_of:
        return print_peak(args.memory_of, args)
    wanted = args.only or [*RATIOS, 'curves']
    result: dict = dict(
        device=device_name(args.device),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        size=args.size,
        ratios={},
    )
    for measure in dict.fromkeys(MEASURES[name] for name in wanted if name in MEASURES):
        result['ratios'] |= {name: round(value, 3) for name, value in measure(args).items()}
        print(json.dumps(result['ratios']), flush=True)
    if 'curves' in wanted:
        result['curves'] = measure_curves(args)
        plot_curves(result['curves'], Path(args.images) / 'speed.png')
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + '\n')
    insert(make_table(result), Path(args.docs), 'speed.py')


if __name__ == '__main__':
    run_command(main)
