from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image
from torch import nn

from mmlabelpenet.structures import Evidence
from mmlabelpenet.visualization import CascadeVisualizationHook


class Explaining(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def explain(self, data):
        assert not torch.is_grad_enabled()
        self.calls += 1
        return [Evidence(tags=torch.ones(1), metainfo={'img_shape': (20, 40)})] * 2


@pytest.fixture
def outputs(tmp_path):
    samples = []
    for name in ('a', 'b'):
        path = tmp_path / f'{name}.jpg'
        Image.fromarray(np.zeros((20, 40, 3), dtype=np.uint8)).save(path)
        sample = DetDataSample(metainfo={'img_path': str(path)})
        sample.pred_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long(), scores=torch.zeros(0)
        )
        samples.append(sample)
    return samples


def make_runner(model):
    dataset = SimpleNamespace(metainfo={'classes': ('cat',), 'palette': [(255, 0, 0)]})
    return SimpleNamespace(model=model, test_dataloader=SimpleNamespace(dataset=dataset))


def painted(folder):
    return sorted(path.name for path in folder.glob('*.png'))


def test_each_image_gets_a_picture(tmp_path, outputs):
    hook = CascadeVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'))
    model = Explaining()
    hook.after_test_iter(make_runner(model), 0, {}, outputs)
    assert painted(tmp_path / 'out') == ['a.png', 'b.png']
    assert model.calls == 1


def test_a_model_without_evidence_is_painted_too(tmp_path, outputs):
    hook = CascadeVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'))
    hook.after_test_iter(make_runner(nn.Identity()), 0, {}, outputs)
    assert painted(tmp_path / 'out') == ['a.png', 'b.png']


def test_no_more_images_are_painted_than_requested(tmp_path, outputs):
    hook = CascadeVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'), max_images=1)
    model = Explaining()
    hook.after_test_iter(make_runner(model), 0, {}, outputs)
    hook.after_test_iter(make_runner(model), 1, {}, outputs)
    assert painted(tmp_path / 'out') == ['a.png']
    assert model.calls == 1


def test_nothing_is_painted_by_default_or_after_the_first_data_set(tmp_path, outputs):
    model = Explaining()
    CascadeVisualizationHook().after_test_iter(make_runner(model), 0, {}, outputs)
    hook = CascadeVisualizationHook(draw=True, out_dir=str(tmp_path / 'out'))
    hook.after_test_epoch(make_runner(model), {})
    hook.after_test_iter(make_runner(model), 0, {}, outputs)
    assert model.calls == 0
    hook.before_run(make_runner(model))
    hook.after_test_iter(make_runner(model), 0, {}, outputs)
    assert model.calls == 1
