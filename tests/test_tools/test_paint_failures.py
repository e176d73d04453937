import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

from mmlabelpenet.utils import UserError
from mmlabelpenet.visualization import Style
from mmlabelpenet.visualization.panels import GAP, HEADER

META = dict(classes=('cat', 'dog'))
OBJECT = [10.0, 10, 29, 29]


def sample_of(path, predicted):
    """An image with one object; predicted: (label, score, box)."""
    Image.fromarray(np.full((60, 80, 3), 200, dtype=np.uint8)).save(path)
    sample = DetDataSample(metainfo=dict(img_path=str(path), ori_shape=(60, 80)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([OBJECT]), labels=torch.zeros(1, dtype=torch.long)
    )
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([box for _, _, box in predicted]).float().view(-1, 4),
        labels=torch.tensor([label for label, _, _ in predicted], dtype=torch.long),
        scores=torch.tensor([score for _, score, _ in predicted]),
    )
    return sample


@pytest.fixture
def painter(tool_module):
    return tool_module('analysis_tools/paint_failures')


@pytest.fixture
def style():
    return Style(('cat', 'dog'), ((255, 0, 0), (0, 255, 0)), panel_width=80)


def test_failures_are_those_of_the_error_taxonomy(painter, tmp_path):
    samples = [
        sample_of(tmp_path / 'a.png', [(0, 0.9, [10, 10, 29, 17])]),
        sample_of(tmp_path / 'b.png', [(0, 0.8, OBJECT)]),
        sample_of(tmp_path / 'c.png', []),
    ]
    failures = {f.kind: f for f in painter.find_failures(samples, META)}
    assert failures.keys() == {'part', 'missed'}
    assert failures['part'].sample is samples[0]
    assert (failures['part'].prediction, failures['part'].target) == (0, 0)
    assert failures['missed'].prediction == -1
    assert failures['missed'].score == pytest.approx(19 * 19 / (60 * 80))


def test_a_row_for_each_kind(painter, tmp_path, style):
    parts = [
        sample_of(tmp_path / f'{n}.png', [(0, 0.5 + n / 10, [10, 10, 29, 17])]) for n in range(3)
    ]
    failures = painter.find_failures([*parts, sample_of(tmp_path / 'c.png', [])], META)
    page = painter.compose(failures, style, columns=2)
    assert page.shape == (2 * (60 + HEADER + GAP), 2 * 80 + 3 * GAP, 3)
    # the part with the highest score is the first of its row: its box is red
    box = page[HEADER + 10, GAP + 20]
    assert box[0] > 200
    assert box[1] < 120
    with pytest.raises(UserError, match='no failure'):
        painter.compose([], style, columns=2)
