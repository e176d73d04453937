"""Two processes, five images: the figures of one process, whichever way the shards are cut."""

import json
import os

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from test_tools.test_scripts import free_port
from torch.multiprocessing import spawn

from mmlabelpenet.evaluation import METRICS_BY_NAME
from mmlabelpenet.registry import METRICS

from .samples import random_sample

IMAGES = 5
CLASSES = ('cat', 'dog', 'owl', 'bee')


def samples():
    return [random_sample(np.random.default_rng(image)) for image in range(IMAGES)]


def figures_of(indices):
    images, figures = samples(), {}
    for name in METRICS_BY_NAME.values():
        metric = METRICS.build({'type': f'mmlabelpenet.{name}'})
        metric.dataset_meta = {'classes': CLASSES}
        for index in indices:
            metric.process({}, [images[index]])
        figures |= metric.evaluate(IMAGES)
    return figures


def work(rank, port, folder):
    os.chdir(folder)
    os.environ |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
    for name, round_up in (('padded', True), ('uneven', False)):
        indices = list(DefaultSampler(range(IMAGES), shuffle=False, round_up=round_up))
        figures = figures_of(indices)
        (folder / f'{name}_{rank}.json').write_text(json.dumps([indices, figures]))
    torch.distributed.destroy_process_group()


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    spawn(work, (free_port(), folder), nprocs=2)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob('*.json')}


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'shards'),
    [('padded', ([0, 2, 4], [1, 3, 0])), ('uneven', ([0, 2, 4], [1, 3]))],
)
def test_two_processes_give_the_figures_of_one(found, name, shards):
    expected = figures_of(range(IMAGES))
    for rank, shard in enumerate(shards):
        indices, figures = found[f'{name}_{rank}']
        assert indices == shard
        assert list(figures) == list(expected)
        np.testing.assert_array_equal(list(figures.values()), list(expected.values()))


def test_an_image_counted_twice_would_show():
    once, twice = figures_of(range(IMAGES)), figures_of([0, 0, 1, 2, 3, 4][:IMAGES])
    measured = [name for name in once if not np.isnan(once[name])]
    assert sum(once[name] != twice[name] for name in measured) > len(measured) / 2
