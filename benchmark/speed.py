"""What Label-PEnet costs, as ratios on the machine that this runs on.

Each figure is the ratio of two medians measured in turn in one run. Weights are random, images are
noise: times do not depend on what they show.

Example:
    python benchmark/speed.py --rounds 5
"""

import argparse
import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import attention as excitation
import matplotlib
import numpy as np
import torch
from attention import peak_megabytes
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from report import insert
from speed_rivals import fast_rcnn, mask_rcnn
from trainings import REPOSITORY, device_name, phases_of

from mmlabelpenet.apis import run_command
from mmlabelpenet.models import FeatureCache, LabelCache, LabelPEnet
from mmlabelpenet.registry import MODELS
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import atomic_path, register_all_modules

matplotlib.use('Agg')
import matplotlib.pyplot as plt

CONFIG = REPOSITORY / 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
# What is wanted of each ratio.
GOALS = {
    'predict': '<= 1.25',
    'joint_step': '<= 1.5',
    'cached_epoch': '<= 0.33',
    'attention_fused_forwards': '<= 2',
    'attention_fused_singles': '>= 10',
    'attention_backbone_forwards': '<= 2',
    'attention_backbone_singles': '>= 10',
    'memory': '<= 1.3',
    'proposals': '>= 1.8',
}
MEANINGS = {
    'predict': "predict, boxes and masks, over mmdet's Fast R-CNN with a mask head, same RoIs",
    'joint_step': "joint training step, forward and backward alike, over mmdet's Mask R-CNN step",
    'cached_epoch': 'pre-training, all its phases, with the feature cache over one without',
    'attention_fused_forwards': 'excitation to the fused map, all pairs, over one forward pass',
    'attention_fused_singles': 'the pairs one by one over all at once, to the fused map',
    'attention_backbone_forwards': "the same to the backbone's last map of stride 16",
    'attention_backbone_singles': "the pairs one by one over all at once, to the backbone's map",
    'memory': 'peak memory of a process that predicts with four times the proposals, over one',
    'proposals': 'photos proposed in a time by two processes over one',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', choices=[*GOALS, 'curves'], help='a part of it')
    parser.add_argument('--size', type=int, default=384, help='short side of a photo; long: 4/3')
    parser.add_argument('--proposals', type=int, default=1000, help='of a photo')
    parser.add_argument('--photos', type=int, default=60, help='to propose for')
    parser.add_argument('--pairs', type=int, default=64, help='of proposal and class, excited')
    parser.add_argument('--rounds', type=int, default=5, help='of which the median is told')
    parser.add_argument('--out', default='docs/research/benchmarks/speed.json')
    parser.add_argument('--docs', default='docs/research/benchmarks.md', help='page of the table')
    parser.add_argument('--images', default='docs/images', help='folder of the curves')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--memory-of', type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def medians(actions: Sequence[Callable[[], object]], rounds: int, device: str) -> list[float]:
    """Median seconds of actions that take turns, so that what else runs meets all of them.

    Args:
        actions: What to time; each runs once before it counts.
        rounds: Of which the median is taken.
        device: With CUDA, its work is waited for.
    """
    times: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for action, own in zip(actions, times):
            start = time.perf_counter()
            action()
            if device.startswith('cuda'):
                torch.cuda.synchronize()
            if number:
                own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]


def image(size: int, num_proposals: int, seed: int = 0) -> tuple[torch.Tensor, DetDataSample]:
    """An image of noise with proposals, tags and, for the rivals, four true instances."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size, size * 4 // 3
    limit = torch.tensor([width, height] * 2)

    def boxes(count: int) -> torch.Tensor:
        near = torch.rand(count, 2, generator=generator) * 0.7
        sides = 0.1 + torch.rand(count, 2, generator=generator) * 0.2
        return torch.cat([near, near + sides], dim=1) * limit

    sample = DetDataSample(
        metainfo=dict(
            img_id=str(seed),
            img_path=f'{seed}.jpg',
            ori_shape=(height, width),
            img_shape=(height, width),
            scale_factor=(1.0, 1.0),
        )
    )
    sample.proposals = InstanceData(bboxes=boxes(num_proposals))
    sample.tags = torch.zeros(20)
    sample.tags[[1, 3]] = 1
    true = boxes(4)
    masks = np.zeros((4, height, width), dtype=np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, true.int().tolist()):
        mask[y1:y2, x1:x2] = 1
    sample.gt_instances = InstanceData(
        bboxes=true, labels=torch.tensor([1, 1, 3, 3]), masks=BitmapMasks(masks, height, width)
    )
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    img = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    return img, sample


def batch_of(size: int, num_proposals: int, count: int = 1) -> dict:
    """A batch of images as a data loader gives it."""
    photos = [image(size, num_proposals, seed) for seed in range(count)]
    return dict(inputs=[img for img, _ in photos], data_samples=[one for _, one in photos])


def ready(cfg: dict, device: str) -> BaseModel:
    """A model with random weights whose features do not fade to nothing."""
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    excitation.settle(model.backbone, 'cpu')
    return model.to(device)


def label_penet(device: str, **options: object) -> LabelPEnet:
    """The model of the config, every class with some attention."""
    cfg = Config.fromfile(str(CONFIG))
    cfg.model.backbone.init_cfg = None
    cfg.merge_from_dict({f'model.{key}': value for key, value in options.items()})
    model = ready(cfg.model, device)
    for classifier in model.cascade['classification'].attention.classifiers:
        torch.nn.init.normal_(classifier.weight)
    return model


def predicting(model: BaseModel, batch: dict) -> Callable[[], object]:
    """One prediction."""
    model.eval()

    def predict() -> None:
        with torch.no_grad():
            model.test_step(copy.deepcopy(batch))

    return predict


def training(model: BaseModel, batch: dict) -> Callable[[], object]:
    """One step of training."""
    cfg = Config.fromfile(str(CONFIG)).optim_wrapper
    optim_wrapper = build_optim_wrapper(model, cfg)
    model.train()
    return lambda: model.train_step(copy.deepcopy(batch), optim_wrapper)


def measure_predict(args: argparse.Namespace) -> dict[str, float]:
    """Predict of the last stage, and of boxes alone, against mmdet's."""
    batch = batch_of(args.size, args.proposals)
    ours = label_penet(args.device)
    boxes = label_penet(args.device, **{'test_cfg.stage': 'detection'})
    with_masks, plain_boxes = (
        ready(fast_rcnn(Config.fromfile(str(CONFIG)).model, masks), args.device)
        for masks in (True, False)
    )
    models = [ours, with_masks, boxes, plain_boxes]
    actions = [predicting(model, batch) for model in models]
    full, rival, detection, plain = medians(actions, args.rounds, args.device)
    return {
        'predict': full / rival,
        'predict_boxes': detection / plain,
        'predict_over_boxes_only': full / plain,
        'predict_seconds': full,
    }


def measure_joint_step(args: argparse.Namespace) -> dict[str, float]:
    """Training of all stages with the backbone, forward and backward, against Mask R-CNN's."""
    batch = batch_of(args.size, args.proposals, count=2)
    ours = label_penet(args.device)
    phase = phases_of(Config.fromfile(str(CONFIG)))['joint']
    ours.set_active(phase.stages, phase.backbone, phase.views)
    step = training(ours, batch)

    def walk(direction: str) -> None:
        ours.set_curriculum(replace(phase.curriculum(1, 1), direction=direction))
        step()

    directions = ('forward', 'backward') if phase.alternate else ('forward',)
    rival_cfg = mask_rcnn(Config.fromfile(str(CONFIG)).model)
    steps = [partial(walk, direction) for direction in directions]
    *ways, rival = medians(
        [*steps, training(ready(rival_cfg, args.device), batch)], args.rounds, args.device
    )
    joint = statistics.mean(ways)
    each = {f'joint_step_{name}': way / rival for name, way in zip(directions, ways)}
    return {'joint_step': joint / rival, 'joint_step_seconds': joint, **each}


def measure_cached_epoch(args: argparse.Namespace) -> dict[str, float]:
    """Pre-training with maps from the disk against one that makes them in every epoch."""
    model = label_penet(args.device)
    batch = batch_of(args.size, args.proposals, count=4)
    phases = phases_of(Config.fromfile(str(CONFIG)))
    total, ratios = [0.0, 0.0], {}
    with tempfile.TemporaryDirectory() as folder:
        cache, labels = FeatureCache(folder), LabelCache(folder)
        first = model.cascade['classification']
        for name, phase in phases.items():
            if phase.backbone:
                continue
            model.set_active(phase.stages, phase.backbone, phase.views)
            cache.open(model.backbone)
            labels.open(model.backbone, first, model.calibration, recipe=model.label_recipe)
            step = training(model, batch)

            def once(
                kept: FeatureCache | None,
                made: LabelCache | None,
                step: Callable[[], object] = step,
            ) -> None:
                model.feature_cache, model.label_cache = kept, made
                step()

            made = None if 'classification' in phase.stages else labels
            actions = [partial(once, cache, made), partial(once, None, None)]
            pair = medians(actions, args.rounds, args.device)
            ratios[f'cached_{name}'] = pair[0] / pair[1]
            total = [sum_ + phase.epochs * one for sum_, one in zip(total, pair)]
    return {'cached_epoch': total[0] / total[1], **ratios}


def measure_attention(args: argparse.Namespace) -> dict[str, float]:
    """Excitation of many pairs down to a map of stride 16: the fused one, the backbone's last."""
    setting = excitation.Setting(args.pairs, args.size, args.device)
    figures = {}
    for name, walk in (('fused', setting.to_fused), ('backbone', setting.to_backbone)):

        def singles(walk: Callable[[slice], None] = walk) -> None:
            for index in range(args.pairs):
                walk(slice(index, index + 1))

        together, forward = medians([walk, setting.forward], args.rounds, args.device)
        (single,) = medians([singles], 1, args.device)
        figures[f'attention_{name}_forwards'] = together / forward
        figures[f'attention_{name}_singles'] = single / together
    return figures


def measure_memory(args: argparse.Namespace) -> dict[str, float]:
    """Peak memory of a process that predicts, by its number of proposals."""
    peaks = []
    for count in (args.proposals, 4 * args.proposals):
        command = [sys.executable, __file__, '--memory-of', str(count), '--size', str(args.size)]
        done = subprocess.run(
            [*command, '--device', args.device], capture_output=True, text=True, check=True
        )
        peaks.append(float(done.stdout.split()[-1]))
    return {'memory': peaks[1] / peaks[0], 'memory_mb': peaks[0]}


def measure_proposals(args: argparse.Namespace) -> dict[str, float]:
    """Selective search of generated images by one process and by two."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_shapes(root / 'Shapes', 0, args.photos, image_size=(args.size, args.size))
        for number in range(min(args.rounds, 3)):
            for workers, own in seconds.items():
                out = root / f'{number}-{workers}'
                command = [sys.executable, str(Path(__file__).with_name('proposing.py'))]
                command += [str(root / 'Shapes/JPEGImages'), str(out)]
                command += ['--workers', str(workers), '--max-side', str(args.size)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                own.append(float(done.stdout))
    one, two = (statistics.median(own) for own in seconds.values())
    return {'proposals': one / two, 'proposals_seconds': one / args.photos}


def measure_curves(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Seconds of a prediction by the number of proposals, of instances, and the image's size."""
    model = label_penet(args.device)
    rounds = max(args.rounds // 2, 1)

    def seconds(size: int, count: int) -> float:
        return medians([predicting(model, batch_of(size, count))], rounds, args.device)[0]

    counts = [args.proposals * share // 4 for share in (1, 2, 4, 8, 16)]
    sizes = [round(args.size * share / 32) * 32 for share in (0.5, 0.75, 1, 1.5, 2)]
    curves = {
        'proposals': {str(n): seconds(args.size, n) for n in counts},
        'short side': {str(n): seconds(n, args.proposals) for n in sizes},
    }
    instances = {}
    for count in (1, 25, 50, 100, 200):
        model.cascade['segmentation'].test_cfg['max_per_image'] = count
        instances[str(count)] = seconds(args.size, args.proposals)
    return curves | {'instances': instances}


MEASURES = {
    'predict': measure_predict,
    'joint_step': measure_joint_step,
    'cached_epoch': measure_cached_epoch,
    **{name: measure_attention for name in GOALS if name.startswith('attention')},
    'memory': measure_memory,
    'proposals': measure_proposals,
}


def print_peak(count: int, args: argparse.Namespace) -> None:
    """Predict once and print the peak memory in MB: a process of its own."""
    predicting(label_penet(args.device), batch_of(args.size, count))()
    print(peak_megabytes(args.device))


def plot_curves(curves: dict[str, dict[str, float]], path: Path) -> None:
    """Draw the curves side by side."""
    figure, grid = plt.subplots(1, len(curves), figsize=(10, 3), sharey=True)
    for axes, (name, points) in zip(grid, curves.items()):
        axes.plot([float(x) for x in points], list(points.values()), marker='o', color='#2b6cb0')
        axes.set_xlabel(name)
        axes.grid(color='0.92')
    # Last: a limit ends the search for one that holds all curves.
    grid[0].set_ylim(0)
    grid[0].set_ylabel('seconds a photo')
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
    plt.close(figure)


def make_table(result: dict) -> str:
    """Markdown table of the ratios."""
    figures = result['ratios']
    lines = ['| what over what | ratio | goal |', '|---|---|---|']
    lines += [
        f'| {MEANINGS[name]} | {figures[name]:.2f} | {goal} |'
        for name, goal in GOALS.items()
        if name in figures
    ]
    machine = f'{result["device"]}, {result["threads"]} threads, torch {result["torch"]}'
    return '\n'.join(lines) + f'\n\nMeasured on {machine}; photos of {result["size"]} pixels.'


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    args = parse_args(argv)
    register_all_modules()
    if args.memory_of:
        return print_peak(args.memory_of, args)
    wanted = args.only or [*GOALS, 'curves']
    result: dict = dict(
        device=device_name(args.device),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        size=args.size,
    )
    ratios: dict[str, float] = {}
    for measure in dict.fromkeys(MEASURES[name] for name in wanted if name in MEASURES):
        ratios |= {name: round(value, 3) for name, value in measure(args).items()}
        print(json.dumps(ratios), flush=True)
    result['ratios'] = ratios
    if 'curves' in wanted:
        result['curves'] = measure_curves(args)
        plot_curves(result['curves'], Path(args.images) / 'speed.png')
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + '\n')
    insert(make_table(result), Path(args.docs), 'speed.py')


if __name__ == '__main__':
    run_command(main)
