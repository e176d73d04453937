import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

from mmlabelpenet.evaluation import ErrorTaxonomyMetric
from mmlabelpenet.inspection import InspectionReport, judge_labels
from mmlabelpenet.visualization import Panel, Style

# What a page must show as it is.
CLASSES = ('<b>x</b>', 'ring "of" \'gold\' & co')
NAME = """a "quoted" <i>photo</i> & 'so'.on"""


def instances(*rows, weights=True):
    """(label, score, box) of each; weights are the scores."""
    made = InstanceData(
        bboxes=torch.tensor([box for _, _, box in rows], dtype=torch.float).view(-1, 4),
        labels=torch.tensor([label for label, _, _ in rows], dtype=torch.long),
        scores=torch.tensor([score for _, score, _ in rows], dtype=torch.float),
    )
    if weights:
        made.weights = made.scores
    return made


def sample_of(*truth, tags=(1, 0)):
    """(label, inclusive box) of each object; without any there is no ground truth."""
    sample = DetDataSample(metainfo=dict(ori_shape=(100, 100)))
    sample.tags = torch.tensor(tags)
    if truth:
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([box for _, box in truth], dtype=torch.float),
            labels=torch.tensor([label for label, _ in truth]),
        )
    return sample


def judge(sample, **places):
    metric = ErrorTaxonomyMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    return judge_labels(sample, places, metric)


def panel(title, shade=200):
    image = Image.fromarray(np.full((60, 80, 3), shade, dtype=np.uint8))
    return Panel(title, f'caption of {title}', image)


@pytest.fixture
def page(tmp_path):
    """A report of three images, of doubts 1, .55 and 0, and of different errors and classes."""
    box, part, far = [10, 10, 50, 50], [10, 10, 50, 28], [60, 60, 90, 90]
    truth = (0, [10, 10, 49, 49])
    report = InspectionReport(tmp_path / 'out', Style(CLASSES, ((255, 0, 0), (0, 0, 255))))
    images = {
        'sure': judge(
            sample_of(truth),
            pseudo_instances=instances((0, 1.0, box)),
            result=instances((0, 0.9, box), weights=False),
        ),
        NAME: judge(
            sample_of((1, [0, 0, 9, 9]), tags=(0, 1)),
            pseudo_instances=instances((1, 1.0, far)),
            result=instances(weights=False),
        ),
        'half': judge(
            sample_of(truth),
            pseudo_instances=instances((0, 1.0, part)),
            result=instances((0, 0.8, box), weights=False),
        ),
    }
    for number, (name, labels) in enumerate(images.items()):
        panels = [panel(title, 60 * number + 60) for title in ('photo', 'result')]
        report.add(name, panels, labels)
    return report.write('Labels <of> a test', {'checkpoint': '"a".pth'})
