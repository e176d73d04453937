"""Measurements on a GPU: costs in each precision, waits for the device, memory, kernels.

``benchmark/gpu.sh`` runs the parts one after another. Each part adds its figures to one JSON file
as they come, so that a part that is stopped keeps what it has measured. Images are noise.

Example:
    python benchmark/gpu.py waits --out gpu.json
"""

import argparse
import gc
import json
import platform
import re
import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import speed
import torch
from keys import phases_of
from mmcv.ops import get_compiling_cuda_version
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from speed_rivals import fast_rcnn, mask_rcnn
from torch.profiler import ProfilerActivity, profile
from trainings import device_name

from mmlabelpenet.apis import run_command
from mmlabelpenet.engine import FeatureCache, LabelCache, freeze
from mmlabelpenet.utils import atomic_path, register_all_modules

PRECISIONS = ('float32', 'float16', 'bfloat16')
DIRECTIONS = ('forward', 'backward')
# What waits must not depend on, each in turn beside two images of 20 classes with two tags.
BATCHES: dict[str, dict[str, int]] = {
    '2 images': {},
    '1 image': dict(count=1),
    '8 images': dict(count=8),
    '4 times the proposals': dict(times=4),
    '10 tags': dict(tags=10),
    '80 classes': dict(num_classes=80),
}
SPEED_PARTS = ('predict', 'joint_step', 'cached_epoch', 'attention_fused_forwards', 'curves')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('part', choices=list(PARTS))
    parser.add_argument('--out', type=Path, default='gpu.json', help='file that figures add to')
    parser.add_argument('--tree', default='after', help='name of the measured code in the file')
    parser.add_argument('--size', type=int, default=384, help='short side of an image; long: 4/3')
    parser.add_argument('--proposals', type=int, default=1000, help='of an image')
    parser.add_argument('--pairs', type=int, default=64, help='of region and class, excited')
    parser.add_argument('--images', type=int, default=8, help='of the larger batch')
    parser.add_argument('--rounds', type=int, default=9, help='whose median is taken')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args(argv)


def record(args: argparse.Namespace, name: str, action: Callable[[], Any]) -> None:
    """Add a figure to the file, or the error that there was instead.

    Args:
        args: With ``out``, ``tree`` and ``part``.
        name: Of the figure.
        action: Gives the figure, which JSON can hold.
    """
    start = time.perf_counter()
    try:
        figure = action()
    except Exception as error:  # one that fails must not cost the others
        figure = dict(error=f'{type(error).__name__}: {error}'[:500])
    gc.collect()
    torch.cuda.empty_cache()
    result = json.loads(args.out.read_text()) if args.out.is_file() else {}
    result.setdefault(args.tree, {}).setdefault(args.part, {})[name] = figure
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + '\n')
    print(f'{time.perf_counter() - start:.1f} s', name, json.dumps(figure)[:2000], flush=True)


def synchronize(args: argparse.Namespace) -> None:
    """Wait for the device."""
    if args.device.startswith('cuda'):
        torch.cuda.synchronize()


def batch_of(
    args: argparse.Namespace, count: int = 2, times: int = 1, tags: int = 2, num_classes: int = 20
) -> dict:
    """A batch of images of noise as a data loader gives it.

    Args:
        args: With ``size`` and ``proposals``.
        count: Number of images.
        times: Factor of the number of proposals.
        tags: Number of tags of each image.
        num_classes: Of the model.
    """
    batch = speed.batch_of(args.size, args.proposals * times, count)
    for sample in batch['data_samples']:
        sample.tags = (torch.arange(num_classes) < tags).float()
    return batch


def training_step(model: BaseModel, batch: dict, precision: str) -> Callable[[], object]:
    """An action: train on a batch once in a precision."""
    if precision == 'float32':
        return speed.training_step(model, batch)
    settings = Config.fromfile(str(speed.CONFIG)).optim_wrapper
    scale = 'dynamic' if precision == 'float16' else 1.0
    settings.update(type='AmpOptimWrapper', dtype=precision, loss_scale=scale)
    wrapper = build_optim_wrapper(model, settings)
    model.train()
    return lambda: model.train_step(speed.copy.deepcopy(batch), wrapper)


def predicting(model: BaseModel, batch: dict, precision: str, device: str) -> Callable[[], object]:
    """An action: predict a batch once in a precision."""
    action = speed.prediction(model, batch)
    if precision == 'float32':
        return action
    return torch.autocast(device.split(':')[0], getattr(torch, precision))(action)


def joint_model(args: argparse.Namespace, **options: object) -> tuple[BaseModel, Any]:
    """Label-PEnet before a joint step, and the phase of such steps."""
    model = speed.label_penet(args.device, **options)
    phase = phases_of(Config.fromfile(str(speed.CONFIG)))['joint']
    freeze(model, phase.step(1, 1))
    model.train()
    return model, phase


def joint_actions(
    args: argparse.Namespace, batch: dict, precision: str = 'float32'
) -> list[Callable[[], object]]:
    """Actions: train forward, train backward, train Mask R-CNN."""
    ours, phase = joint_model(args)
    step = training_step(ours, batch, precision)

    def step_in(direction: str) -> None:
        ours.step = replace(phase.step(1, 1), direction=direction)
        step()

    rival = speed.prepared(mask_rcnn(Config.fromfile(str(speed.CONFIG)).model), args.device)
    return [partial(step_in, one) for one in DIRECTIONS] + [training_step(rival, batch, precision)]


def predict_actions(
    args: argparse.Namespace, batch: dict, precision: str = 'float32'
) -> list[Callable[[], object]]:
    """Actions: predict, predict with Fast R-CNN that has a mask head."""
    rival = fast_rcnn(Config.fromfile(str(speed.CONFIG)).model, masks=True)
    models = speed.label_penet(args.device), speed.prepared(rival, args.device)
    return [predicting(model, batch, precision, args.device) for model in models]


def measure_versions(args: argparse.Namespace) -> None:
    """What this runs on."""
    cuda = args.device.startswith('cuda')
    versions = dict(
        device=device_name(args.device),
        cores=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        numpy=np.__version__,
        opencv=cv2.__version__,
        cuda=torch.version.cuda,
        mmcv_cuda=get_compiling_cuda_version(),
        memory_gb=torch.cuda.get_device_properties(0).total_memory / 1e9 if cuda else None,
    )
    for name, version in versions.items():
        record(args, name, partial(str, version))


def measure_speed(args: argparse.Namespace) -> None:
    """The ratios of ``speed.py``, by that script."""
    for name in SPEED_PARTS:
        record(args, name, partial(run_speed, args, name))


def run_speed(args: argparse.Namespace, name: str) -> dict:
    """Run a part of ``speed.py`` and read the file that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        page, out = Path(folder, 'page.md'), Path(folder, 'speed.json')
        page.write_text('<!-- speed.py begin -->\n<!-- speed.py end -->\n')
        options = ('size', 'proposals', 'pairs', 'rounds', 'device')
        given = [f'--{option}={getattr(args, option)}' for option in options]
        written = [f'--out={out}', f'--docs={page}', f'--images={folder}']
        speed.main(['--only', name, *given, *written])
        result = json.loads(out.read_text())
        return result.get('curves') or result['ratios']


def measure_times(args: argparse.Namespace) -> None:
    """Predict and joint step, over the rivals in the same precision, for few and many images."""
    for precision in PRECISIONS:
        for count in (1, args.images):
            name = f'predict, {precision}, images: {count}'
            record(args, name, partial(predict_times, args, precision, count))
        for count in (2, args.images):
            name = f'joint step, {precision}, images: {count}'
            record(args, name, partial(joint_times, args, precision, count))


def predict_times(args: argparse.Namespace, precision: str, count: int) -> dict:
    """Seconds of a prediction, and over the rival's."""
    actions = predict_actions(args, batch_of(args, count), precision)
    return turns(args, dict(zip(('ours', 'rival'), actions)), count)


def joint_times(args: argparse.Namespace, precision: str, count: int) -> dict:
    """Seconds of a training step in both directions, and over the rival's."""
    actions = joint_actions(args, batch_of(args, count), precision)
    return turns(args, dict(zip((*DIRECTIONS, 'rival'), actions)), count)


def turns(args: argparse.Namespace, actions: dict[str, Callable[[], object]], count: int) -> dict:
    """Median seconds of actions that take turns, and of ours over the rival's.

    mmcv's RoIAlign knows no bfloat16: a rival that fails is left out, and its error is told.

    Args:
        args: With ``rounds``, which are fewer for large batches.
        actions: By name; ``rival`` is the last one.
        count: Number of images.
    """
    figures: dict = {}
    try:
        actions['rival']()
    except Exception as error:  # of another project: any
        figures['rival_error'] = f'{type(error).__name__}: {error}'[:200]
        actions.pop('rival')
    rounds = args.rounds if count <= 2 else args.rounds // 2 + 1
    seconds = dict(zip(actions, speed.medians([*actions.values()], rounds, args.device)))
    figures |= seconds
    ours = statistics.mean(one for name, one in seconds.items() if name != 'rival')
    return figures | (dict(ratio=ours / seconds['rival']) if 'rival' in seconds else {})


def waits_of(action: Callable[[], object], args: argparse.Namespace) -> dict:
    """How often an action waits for the device, and in which lines of code.

    Args:
        action: Runs once before it counts.
        args: With ``device``; no waits are counted on a CPU.
    """
    action()
    synchronize(args)
    cuda = args.device.startswith('cuda')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        if cuda:
            torch.cuda.set_sync_debug_mode('warn')
        try:
            action()
        finally:
            if cuda:
                torch.cuda.set_sync_debug_mode('default')
    waits = [one for one in caught if 'called a synchronizing' in str(one.message)]
    lines = Counter('/'.join([*Path(one.filename).parts[-3:], str(one.lineno)]) for one in waits)
    return dict(count=len(waits), lines=dict(lines.most_common()))


def measure_waits(args: argparse.Namespace) -> None:
    """Waits for the device in the loss of a step, in whole steps, in a prediction."""
    for name, options in BATCHES.items():
        batch = batch_of(args, **options)
        classes = {'num_classes': options['num_classes']} if 'num_classes' in options else {}
        model, phase = joint_model(args, **classes)
        data = model.data_preprocessor(batch, True)
        for direction in DIRECTIONS:
            model.step = replace(phase.step(1, 1), direction=direction)
            loss = partial(model, **data, mode='loss')
            record(args, f'loss, {direction}, {name}', partial(waits_of, loss, args))
        predict = predicting(model, batch, 'float32', args.device)
        record(args, f'predict, {name}', partial(waits_of, predict, args))
    measure_whole(args, waits_of)


def measure_whole(args: argparse.Namespace, measure: Callable[..., dict]) -> None:
    """Measure whole training steps of two images and predictions of one, the rivals' too."""
    batch = batch_of(args)
    for name, action in zip((*DIRECTIONS, 'Mask R-CNN'), joint_actions(args, batch)):
        record(args, f'training step, {name}', partial(measure, action, args))
    for name, action in zip(('ours', 'Fast R-CNN'), predict_actions(args, batch_of(args, 1))):
        record(args, f'prediction, {name}', partial(measure, action, args))


def kernels_of(action: Callable[[], object], args: argparse.Namespace) -> dict:
    """Kernels, runtime calls, and seconds of an action on the device and in all."""
    [seconds] = speed.medians([action], args.rounds, args.device)
    kinds = [ProfilerActivity.CPU]
    if args.device.startswith('cuda'):
        kinds.append(ProfilerActivity.CUDA)
    with profile(activities=kinds) as profiler:
        action()
        synchronize(args)
    events = profiler.key_averages()
    # An annotation, as the optimizer makes one, is the span of its kernels, which count already.
    kernels = [
        one
        for one in events
        if one.device_type == torch.autograd.DeviceType.CUDA and not one.is_user_annotation
    ]
    hosts = [one for one in events if one.device_type == torch.autograd.DeviceType.CPU]
    kernels.sort(key=lambda one: -one.self_device_time_total)
    hosts.sort(key=lambda one: -one.self_cpu_time_total)
    return dict(
        seconds=seconds,
        device_seconds=sum(one.self_device_time_total for one in kernels) / 1e6,
        kernels=sum(one.count for one in kernels),
        calls={one.key: one.count for one in hosts if re.match(r'cu[a-z]*[A-Z]', one.key)},
        slowest={one.key[:90]: one.self_device_time_total / 1e6 for one in kernels[:12]},
        host={one.key[:60]: [one.count, one.self_cpu_time_total / 1e6] for one in hosts[:25]},
    )


def measure_kernels(args: argparse.Namespace) -> None:
    """Where the time of steps and predictions goes."""
    measure_whole(args, kernels_of)


def peak_of(action: Callable[[], object], args: argparse.Namespace) -> dict:
    """Greatest memory of the device in MB while an action runs, and what it began with."""
    action()
    if not args.device.startswith('cuda'):
        return {}
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    action()
    return dict(mb=torch.cuda.max_memory_allocated() / 2**20, before_mb=before / 2**20)


def measure_memory(args: argparse.Namespace) -> None:
    """Memory of the device by images and proposals, and of the host with the caches."""
    for count, times in ((1, 1), (1, 4), (args.images, 1)):
        name = f'predict, images: {count}, proposals: {times * args.proposals}'
        ours, rival = predict_actions(args, batch_of(args, count, times))
        record(args, name, partial(peak_of, ours, args))
        record(args, f'{name}, Fast R-CNN', partial(peak_of, rival, args))
    for count in (2, args.images):
        for name, action in zip(
            (*DIRECTIONS, 'Mask R-CNN'), joint_actions(args, batch_of(args, count))
        ):
            record(args, f'joint step, images: {count}, {name}', partial(peak_of, action, args))
    record(args, 'host with caches', partial(host_memory, args))


def host_memory(args: argparse.Namespace) -> dict[str, float]:
    """Memory of the process in MB before and after the cached steps of a phase that pre-trains."""
    model = speed.label_penet(args.device)
    phase = phases_of(Config.fromfile(str(speed.CONFIG)))['segmentation']
    freeze(model, phase.step(0, 1))
    batches = [batch_of(args, args.images)]
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for cache in (FeatureCache(folder), LabelCache(folder)):
            cache.around(model)
        for name in ('first', 'second', 'third'):
            for batch in batches:
                speed.training_step(model, batch)()
            status = Path('/proc/self/status').read_text()
            for kind in ('RssAnon', 'RssFile', 'VmHWM'):
                [kilobytes] = re.findall(rf'{kind}:\s*(\d+)', status)
                figures[f'{kind}, {name} epoch'] = int(kilobytes) / 1024
        figures['files'] = sum(one.stat().st_size for one in Path(folder).rglob('*.pth')) / 2**20
    return figures


def replayed(action: Callable[[], object]) -> Callable[[], object]:
    """An action as a CUDA graph, which launches all its kernels at once."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            action()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        action()
    return graph.replay


def compiled(action: partial) -> Callable[[], object]:
    """An action with its module compiled."""
    return partial(torch.compile(action.func), *action.args)


def measure_heads(args: argparse.Namespace) -> None:
    """Parts of fixed shapes: as they are, as a CUDA graph, compiled."""
    model = speed.label_penet(args.device).eval()
    image = torch.randn(1, 3, args.size, args.size, device=args.device)
    bboxes = batch_of(args, 1)['data_samples'][0].proposals.bboxes.to(args.device)
    stage = model.cascade['segmentation']
    with torch.no_grad():
        feats = model.backbone(image)
        calls = {
            'box head': partial(stage.box_head, feats, [bboxes]),
            'mask head': partial(stage.mask_head, feats, [bboxes[:100]]),
            'backbone': partial(model.backbone, image),
        }
        ways = dict(eager=lambda call: call, graph=replayed, compiled=compiled)
        for way, change in ways.items():
            for name, call in calls.items():

                def median(call: Callable = call, change: Callable = change) -> float:
                    return speed.medians([change(call)], args.rounds, args.device)[0]

                record(args, f'{name}, {way}', median)


PARTS = {
    'versions': measure_versions,
    'speed': measure_speed,
    'waits': measure_waits,
    'times': measure_times,
    'memory': measure_memory,
    'kernels': measure_kernels,
    'heads': measure_heads,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one part."""
    args = parse_args(argv)
    register_all_modules()
    PARTS[args.part](args)


if __name__ == '__main__':
    run_command(main)
