"""Trainings of a benchmark's rows: each piece done once, shared, resumed where it was cut."""

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
        minutes: All its phases took, those that it shares with others among them.
        peak_gb: Most memory of one of its processes.
    """

    checkpoint: str
    minutes: float
    peak_gb: float


def launch(tool: str, args: Sequence[str], processes: int) -> tuple[float, float]:
    """Run a tool of the repository and wait for it.

    Args:
        tool: ``'train'`` or ``'test'``.
        args: Its arguments.
        processes: More than one start ``tools/dist_{tool}.sh``.

    Returns:
        Minutes, and GB of memory of its largest process.

    Raises:
        UserError: If it fails.
    """
    command = [sys.executable, f'tools/{tool}.py', *args]
    if processes > 1:
        place = 1 if tool == 'train' else 2
        head = ['bash', f'tools/dist_{tool}.sh', *args[:place], str(processes)]
        command = head + list(args[place:])
    threads = max((os.cpu_count() or 1) // processes, 1)
    paths = [str(REPOSITORY), os.environ.get('PYTHONPATH', '')]
    env = {
        # The script's own port may be taken by another training.
        'PORT': str(get_free_port()),
        **os.environ,
        'OMP_NUM_THREADS': str(threads),
        'PYTHONPATH': os.pathsep.join(path for path in paths if path),
        'PATH': os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')]),
    }
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(
            f'{" ".join(command)} failed with code {process.returncode}: see its words above, '
            'mend it, and start the benchmark again; it goes on where it was.'
        )
    return (time.perf_counter() - start) / 60, usage.ru_maxrss / 2**20


class Trainings:
    """The trainings of several configs and seeds, phases that they have in common done once.

    Which phases of two configs give the same follows from :func:`training_key`. A training whose
    first phases another needs too starts from the checkpoint after them; since the loop follows
    from the iteration alone, its weights are those of a training of its own.

    Args:
        root: Folder of all of them.
        configs: Every config that will be asked for: they decide where trainings are cut.
        processes: Of each training; the batch of the config is shared out among them.
    """

    def __init__(self, root: str | Path, configs: Iterable[str | Path], processes: int) -> None:
        self.root = Path(root).resolve()
        self.processes = processes
        self.proposed: set[str] = set()
        wholes: dict[str, list[str]] = {}
        for config in configs:
            cfg = self.read(config)
            count = len(phases_of(cfg))
            keys = [training_key(cfg, n, processes) for n in range(1, count + 1)]
            wholes[keys[-1]] = keys
        uses = Counter(key for keys in wholes.values() for key in keys)
        # Where ways part: what follows is needed less often.
        self.shared = {
            key
            for keys in wholes.values()
            for key, after in zip(keys, [*keys[1:], None])
            if uses[key] > max(uses[after], 1)
        }

    def read(self, config: str | Path) -> Config:
        """A config as it is trained here."""
        cfg = Config.fromfile(str(config))
        total = cfg.train_dataloader.batch_size
        if total % self.processes:
            raise UserError(
                f'--processes {self.processes} can not share out the {total} photos of a batch of '
                f'{config}: choose a divisor.'
            )
        cfg.train_dataloader.batch_size = total // self.processes
        return cfg

    def key(self, cfg: Config, num_phases: int | None = None) -> str:
        """Name of a training; of all its phases where ``num_phases`` is None."""
        count = num_phases or len(phases_of(cfg))
        return training_key(cfg, count, self.processes)

    def propose(self, config: str) -> None:
        """Make the region proposals of a config's images, those that are not there yet."""
        root = str(self.read(config).train_dataloader.dataset.data_root)
        if root in self.proposed:
            return
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
        folder = self.root / f'{self.key(cfg, count)}-{seed}'
        done = folder / 'training.json'
        if done.is_file():
            return Trained(**json.loads(done.read_text()))
        before = [n for n in range(1, count) if self._is_piece(cfg, n, seed)]
        base = self.train(cfg, seed, before[-1]) if before else None
        path = self._write_config(cfg, folder, names[count:], seed)
        args = [str(path), '--work-dir', str(folder)]
        if latest_checkpoint(str(folder)) is not None:
            args += ['--resume']
        elif base is not None:
            args += ['--resume', base.checkpoint]
        cut = _cut_minutes(folder)
        with _note(folder).open('a') as file:
            file.write(json.dumps({'start': time.time()}) + '\n')
        began = time.time()
        minutes, peak = launch('train', args, self.processes)
        drop_labels(cfg.train_cfg.get('feature_cache'), began)
        checkpoint = latest_checkpoint(str(folder))
        trained = Trained(str(checkpoint), minutes + cut, peak)
        if base is not None:
            trained.minutes += base.minutes
            trained.peak_gb = max(peak, base.peak_gb)
        with atomic_path(done) as temporary:
            temporary.write_text(json.dumps(asdict(trained), indent=2) + '\n')
        return trained

    def _is_piece(self, cfg: Config, num_phases: int, seed: int) -> bool:
        """Whether others need a training's first phases too, or they are done already."""
        key = self.key(cfg, num_phases)
        return key in self.shared or (self.root / f'{key}-{seed}/training.json').is_file()

    def _write_config(self, cfg: Config, folder: Path, left_out: Sequence[str], seed: int) -> Path:
        """The config of some of its phases, as a file of its own."""
        cfg = copy.deepcopy(cfg)
        for name in left_out:
            cfg.train_cfg.phases[name] = None
        # The last epoch is measured, by the benchmark itself.
        cfg.train_cfg.val_begin = 10**6
        cfg.default_hooks.checkpoint.max_keep_ckpts = 1
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}
        return dump_config(cfg, folder / 'config.py')


def dump_config(cfg: Config, path: Path) -> Path:
    """Write a config, whole or not at all."""
    with atomic_path(path) as temporary:
        cfg.dump(str(temporary))
    return path


def _note(folder: Path) -> Path:
    return folder / 'attempts.jsonl'


def _cut_minutes(folder: Path) -> float:
    """Minutes of attempts that were cut, up to the last line that each has logged."""
    if not _note(folder).is_file():
        return 0.0
    starts = [json.loads(line)['start'] for line in _note(folder).read_text().splitlines()]
    logged = [path.stat().st_mtime for path in folder.glob('*/*.log')]
    ends = [*starts[1:], time.time()]
    spans = [
        max([t for t in logged if start <= t <= end], default=start) - start
        for start, end in zip(starts, ends)
    ]
    return sum(spans) / 60


def drop_labels(feature_cache: Mapping | None, since: float) -> None:
    """Remove the pseudo labels that a training has cached: no other training has its weights.

    Args:
        feature_cache: Of the config; maps of backbones in it stay.
        since: Time at which the training began.
    """
    if feature_cache is None:
        return
    for folder in (REPOSITORY / feature_cache['root']).glob('*/'):
        example = next(folder.glob('*.pth'), None)
        if example is None or folder.stat().st_mtime < since:
            continue
        if isinstance(torch.load(example, weights_only=True), dict):
            shutil.rmtree(folder)


def devices() -> int:
    """Processes that suit this machine: one a GPU, else two where there are two cores."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return min(os.cpu_count() or 1, 2)


def device_name(device: str | None = None) -> str:
    """What a reader knows a device by.

    Args:
        device: As torch names it; None is what a training takes here.
    """
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return torch.cuda.get_device_name(device) if device.startswith('cuda') else device
