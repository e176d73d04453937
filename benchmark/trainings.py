"""Trainings of the benchmark's rows: each part done once, shared, and resumed where it was cut."""

import copy
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import torch
from keys import PROPOSAL_SIDES, phases_of, training_key
from mmengine.config import Config
from torch.distributed.elastic.utils.distributed import get_free_port

from mmlabelpenet.apis.training import latest_checkpoint
from mmlabelpenet.utils import UserError, atomic_path

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Trained:
    """A training that is done.

    Attributes:
        checkpoint: Its weights.
        minutes: Of all its phases, those that it shares with others among them.
        peak_gb: Peak memory of its largest process.
    """

    checkpoint: str
    minutes: float
    peak_gb: float


def launch(tool: str, args: Sequence[str], processes: int) -> tuple[float, float]:
    """Run a tool of the repository and wait for it.

    Args:
        tool: ``'train'`` or ``'test'``, or with one process any other.
        args: Its arguments.
        processes: More than one start ``tools/dist_{tool}.sh``.

    Returns:
        Minutes, and peak memory of its largest process in GB.

    Raises:
        UserError: If it fails.
    """
    command = [sys.executable, f'tools/{tool}.py', *args]
    if processes > 1:
        place = 1 if tool == 'train' else 2
        command = ['bash', f'tools/dist_{tool}.sh', *args[:place], str(processes), *args[place:]]
    env = {
        # The script's own port may be taken by another training.
        'PORT': str(get_free_port()),
        **os.environ,
        'OMP_NUM_THREADS': str(max((os.cpu_count() or 1) // processes, 1)),
        'PYTHONPATH': os.pathsep.join([str(REPOSITORY), os.environ.get('PYTHONPATH', '')]),
        'PATH': os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')]),
    }
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(
            f'{" ".join(command)} failed with code {process.returncode}: read its messages above, '
            'fix the cause, and start the benchmark again; it resumes where it was.'
        )
    return (time.perf_counter() - start) / 60, usage.ru_maxrss / 2**20


class Trainings:
    """The trainings of several configs and seeds, phases that they have in common done once.

    Phases of two configs give the same weights if their :func:`training_key` is the same. A
    training whose first phases another one needs too starts from the checkpoint after them; since
    the loop follows from the iteration alone, its weights are those of a training of its own.

    Args:
        root: Folder of all of them.
        configs: Every config that will be trained: they decide where trainings are divided.
        processes: Of each training; the batch of the config is divided among them.
    """

    def __init__(self, root: str | Path, configs: Iterable[str | Path], processes: int) -> None:
        self.root = Path(root).resolve()
        self.processes = processes
        self.proposed: set[str] = set()
        trainings: dict[str, list[str]] = {}
        for cfg in map(self.read, configs):
            keys = [self.key(cfg, n) for n in range(1, len(phases_of(cfg)) + 1)]
            trainings[keys[-1]] = keys
        uses = Counter(chain(*trainings.values()))
        # The last phases that several trainings share: what follows is needed less often.
        self.shared = {
            key
            for keys in trainings.values()
            for key, after in zip(keys, [*keys[1:], None])
            if uses[key] > max(uses[after], 1)
        }

    def read(self, config: str | Path) -> Config:
        """A config as it is trained here."""
        cfg = Config.fromfile(str(config))
        total = cfg.train_dataloader.batch_size
        if total % self.processes:
            raise UserError(
                f'--processes {self.processes} does not divide the {total} images of a batch of '
                f'{config}: choose a divisor.'
            )
        cfg.train_dataloader.batch_size = total // self.processes
        return cfg

    def key(self, cfg: Config, num_phases: int | None = None) -> str:
        """Key of a training; of all its phases where ``num_phases`` is None."""
        return training_key(cfg, num_phases or len(phases_of(cfg)), self.processes)

    def propose(self, config: str) -> None:
        """Make the region proposals of a config's images that do not have any yet."""
        root = str(self.read(config).train_dataloader.dataset.data_root)
        if root not in self.proposed:
            for split, side in PROPOSAL_SIDES.items():
                args = [config, '--split', split, '--max-side', str(side)]
                launch('proposals/make_proposals', args, 1)
            self.proposed.add(root)

    def train(self, cfg: Config, seed: int, num_phases: int | None = None) -> Trained:
        """Do a training, or what is left of it.

        Args:
            cfg: As :meth:`read` gives it.
            seed: Of its random numbers.
            num_phases: Its first phases alone.
        """
        names = list(phases_of(cfg))
        count = num_phases or len(names)
        folder = self._folder(cfg, count, seed)
        done = folder / 'training.json'
        if done.is_file():
            return Trained(**json.loads(done.read_text()))
        before = [n for n in range(1, count) if self._is_divided_at(cfg, n, seed)]
        base = self.train(cfg, seed, before[-1]) if before else Trained('', 0, 0)
        path = self._write_config(cfg, folder, names[count:], seed)
        args = [str(path), '--work-dir', str(folder)]
        if latest_checkpoint(str(folder)) is not None:
            args += ['--resume']
        elif before:
            args += ['--resume', base.checkpoint]
        earlier, began = minutes_logged(folder), time.time()
        minutes, peak = launch('train', args, self.processes)
        drop_labels(cfg.train_cfg.get('feature_cache'), began)
        trained = Trained(
            str(latest_checkpoint(str(folder))),
            base.minutes + earlier + minutes,
            max(base.peak_gb, peak),
        )
        with atomic_path(done) as temporary:
            temporary.write_text(json.dumps(asdict(trained), indent=2) + '\n')
        return trained

    def _folder(self, cfg: Config, num_phases: int, seed: int) -> Path:
        return self.root / f'{self.key(cfg, num_phases)}-{seed}'

    def _is_divided_at(self, cfg: Config, num_phases: int, seed: int) -> bool:
        """Whether others need a training's first phases too, or they are done already."""
        done = self._folder(cfg, num_phases, seed) / 'training.json'
        return self.key(cfg, num_phases) in self.shared or done.is_file()

    def _write_config(self, cfg: Config, folder: Path, left_out: Sequence[str], seed: int) -> Path:
        """Write the config of some of its phases."""
        cfg = copy.deepcopy(cfg)
        cfg.train_cfg.phases.update(dict.fromkeys(left_out))
        # The benchmark itself tests the last epoch.
        cfg.train_cfg.val_begin = 10**6
        cfg.default_hooks.checkpoint.max_keep_ckpts = 1
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}
        return dump_config(cfg, folder / 'config.py')


def dump_config(cfg: Config, path: Path) -> Path:
    """Write a config, whole or not at all."""
    with atomic_path(path) as temporary:
        cfg.dump(str(temporary))
    return path


def minutes_logged(folder: Path) -> float:
    """Minutes of the attempts at a training so far, each from its start to its last log line."""
    seconds = [
        log.stat().st_mtime - time.mktime(time.strptime(log.parent.name, '%Y%m%d_%H%M%S'))
        for log in folder.glob('*/*.log')
    ]
    return sum(seconds) / 60


def drop_labels(feature_cache: Mapping | None, since: float) -> None:
    """Remove the pseudo labels that a training has cached: no other training has its weights.

    Args:
        feature_cache: Of the config; maps of backbones in it stay.
        since: Time at which the training began.
    """
    folders = (REPOSITORY / feature_cache['root']).glob('*/') if feature_cache else ()
    for folder in folders:
        example = next(folder.glob('*.pth'), None)
        own = example is not None and folder.stat().st_mtime >= since
        if own and isinstance(torch.load(example, weights_only=True), dict):
            shutil.rmtree(folder)


def devices() -> int:
    """Number of processes for this machine: one a GPU, or two where there are two cores."""
    return torch.cuda.device_count() or min(os.cpu_count() or 1, 2)


def device_name(device: str | None = None) -> str:
    """Name of a device for a reader.

    Args:
        device: As torch names it; None is the one that a training takes here.
    """
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    return torch.cuda.get_device_name(device) if device.startswith('cuda') else device
