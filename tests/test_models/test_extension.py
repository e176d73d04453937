"""Parts of a new method that live outside the package: registered, named in a config, trained."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from torch import nn

from mmlabelpenet.engine import freeze
from mmlabelpenet.models import STAGES, LabelSource, Refiner, Stage
from mmlabelpenet.models.calibration import instance_attention
from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Maps, Step, grid_size

from .tiny import CHANNELS, collate, image, model_cfg, predictions_of, settle_statistics

DIRECTIONS = ('forward', 'backward')


@MODELS.register_module()
class ToyConfidence(Stage):
    """Learns image scores of the classes, by which it scales the weights of pseudo instances."""

    def __init__(self, num_classes):
        super().__init__()
        self.fc = nn.Linear(CHANNELS[-1], num_classes)
        self.validated = 0

    def logits(self, feats):
        return self.fc(feats[-1].mean((2, 3)))

    def loss(self, feats, evidence):
        tags = torch.stack([one.tags for one in evidence])
        return dict(loss_tags=F.binary_cross_entropy_with_logits(self.logits(feats), tags))

    @torch.no_grad()
    def propagate(self, feats, evidence):
        scaled = []
        for one, scores in zip(evidence, self.logits(feats).sigmoid()):
            pseudo = one.pseudo_instances.clone()
            pseudo.weights = pseudo.weights * scores[pseudo.labels]
            scaled.append(one.replace(pseudo_instances=pseudo))
        return scaled

    def validate(self, feats, evidence):
        self.validated += len(evidence)
        return evidence


@MODELS.register_module()
class ToyWholeImages(LabelSource):
    """The whole image is an instance of each tagged class, weighted by the class's image score."""

    validates = True

    def __init__(self, num_classes, weight=1.0):
        super().__init__()
        self.num_classes = num_classes
        self.weight = weight

    @torch.no_grad()
    def propagate(self, feats, evidence):
        return [self.with_instances(one) for one in evidence]

    def with_instances(self, evidence):
        labels = evidence.tags.nonzero()[:, 0]
        height, width = evidence.img_shape
        bboxes = torch.tensor([[0.0, 0, width, height]]).repeat(len(labels), 1)
        scores = self.weight * evidence.image_scores[labels]
        maps = instance_attention(evidence.attention, bboxes, labels)
        pseudo = InstanceData(
            bboxes=bboxes, labels=labels, scores=scores, weights=scores, attention=maps.values
        )
        return evidence.replace(pseudo_instances=pseudo, instance_stride=maps.stride)

    def validate(self, feats, evidence):
        validated = []
        for one in evidence:
            pseudo = one.pseudo_instances.clone()
            pseudo.weights = (pseudo.weights + pseudo.agreement) / 2
            validated.append(one.replace(pseudo_instances=pseudo))
        return validated


@MODELS.register_module()
class ToyBlur(Refiner):
    """Smooths maps on a grid of its own."""

    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, evidence, maps):
        maps = maps.resample(self.stride, grid_size(evidence.img_shape, self.stride))
        return Maps(F.avg_pool2d(maps.values, 3, stride=1, padding=1), self.stride).normalise()


@MODELS.register_module()
class ToyBackbone(BaseModule):
    """Three convolutions whose maps have the channels and strides of the small model."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, stride, stride, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after, stride in zip((3, *CHANNELS), CHANNELS, (4, 2, 2))
        )

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return tuple(maps)


def build(config, **changes):
    """The model of a config, with attention that is not empty."""
    torch.manual_seed(0)
    model = MODELS.build(config | changes)
    for classifier in model.cascade['classification'].attention.classifiers:
        nn.init.normal_(classifier.weight, std=0.03)
    settle_statistics(model.backbone)
    return model.train()


def train(model, step, steps=3):
    """Train a model; returns its logs and the names of the parameters that changed."""
    freeze(model, step)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    parameters = [value for value in model.parameters() if value.requires_grad]
    optimizer = OptimWrapper(torch.optim.SGD(parameters, lr=0.01))
    data = collate(image(), image(48, 80, seed=1))
    logs = [model.train_step(data, optimizer) for _ in range(steps)]
    assert all(value.isfinite() for log in logs for value in log.values())
    changed = {name for name, value in model.named_parameters() if not value.equal(before[name])}
    return logs, changed


def full_calibration(**changes):
    """Of an energy that is never zero, so that all pseudo instances have weights."""
    return model_cfg()['calibration'] | dict(mode='full', energy='share') | changes


CONFIDENCE = dict(confidence=dict(type='ToyConfidence'))
WITH_CONFIDENCE = ('classification', 'detection', 'confidence', 'refinement', 'segmentation')


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_stage_is_inserted_by_the_order_and_trains_with_the_others(direction):
    config = model_cfg(cascade=CONFIDENCE, order=WITH_CONFIDENCE)
    model = build(config, calibration=full_calibration())
    assert tuple(model.cascade) == WITH_CONFIDENCE
    assert list(model.cascade.steps).index('confidence') == 3  # after the labels and detection
    logs, changed = train(model, Step(learning=WITH_CONFIDENCE, direction=direction))
    assert all('confidence.loss_tags' in log for log in logs)
    assert {'cascade.confidence.fc.weight', 'cascade.confidence.fc.bias'} <= changed
    learning = WITH_CONFIDENCE if direction == 'forward' else WITH_CONFIDENCE[:-1]
    parts = {name.split('.')[1] for name in changed if name.startswith('cascade')}
    assert parts == set(learning)
    # the way up passes both images of each step
    assert model.cascade['confidence'].validated == (0 if direction == 'forward' else 3 * 2)
    assert len(predictions_of(model, image())[0].pred_instances) > 0


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_stage_learns_alone_while_the_others_are_frozen(direction):
    config = model_cfg(cascade=CONFIDENCE, order=WITH_CONFIDENCE)
    model = build(config, calibration=full_calibration())
    step = Step(learning=('confidence',), backbone=False, direction=direction)
    logs, changed = train(model, step)
    assert changed == {'cascade.confidence.fc.weight', 'cascade.confidence.fc.bias'}
    assert logs[-1]['loss'] < logs[0]['loss']


def test_the_stages_after_an_inserted_one_read_its_evidence():
    data, weights = collate(image()), []
    for bias in (0.0, -1.0):
        config = model_cfg(cascade=CONFIDENCE, order=WITH_CONFIDENCE)
        model = build(config, calibration=full_calibration(mode='forward')).eval()
        nn.init.zeros_(model.cascade['confidence'].fc.weight)
        nn.init.constant_(model.cascade['confidence'].fc.bias, bias)
        weights.append(model.explain(data)[0].pseudo_instances.weights)
    scale = torch.tensor(-1.0).sigmoid() / 0.5
    torch.testing.assert_close(weights[1], scale * weights[0])
    assert (weights[0] > 0).all()


def test_a_stage_without_results_may_be_the_last_one():
    order = (*STAGES[:3], 'confidence')
    config = model_cfg(cascade=CONFIDENCE | dict(segmentation=None), order=(*order, STAGES[3]))
    with pytest.raises(ValueError, match=r"test_cfg\.stage 'confidence'"):
        build(config)
    model = build(config, test_cfg=dict(stage='refinement'))
    _, changed = train(model, Step(learning=order))
    assert 'cascade.confidence.fc.weight' in changed
    assert len(predictions_of(model, image())[0].pred_instances) > 0


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_label_source_supervises_the_stages(direction):
    model = build(model_cfg(), calibration=dict(type='ToyWholeImages', weight=0.5))
    logs, changed = train(model, Step(learning=STAGES, direction=direction))
    learning = STAGES if direction == 'forward' else STAGES[:-1]
    assert {name.split('.')[1] for name in changed if name.startswith('cascade')} == set(learning)
    # two classes of each image are tagged
    assert all(log['detection.pseudo'] == 2 for log in logs)
    assert ('classification.loss_region' in logs[0]) == (direction == 'backward')
    model.eval()
    [result] = model.read(collate(image()), 'attention')
    assert result.pred_instances.bboxes.tolist() == [[0, 0, 192, 128]] * 2
    assert result.pred_instances.labels.tolist() == [0, 2]


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_refiner_refines_labels_and_masks(direction):
    refine = dict(type='ToyBlur', stride=2)
    results = dict(mask_results=dict(refine=refine), propagate_refined_masks=True)
    config = model_cfg()
    config['cascade']['refinement'] |= results
    model = build(config, calibration=full_calibration(refine=refine))
    logs, changed = train(model, Step(learning=STAGES, direction=direction))
    assert any(name.startswith('cascade.refinement.mask_head') for name in changed)
    assert logs[0]['refinement.loss_mask'] > 0
    one = model.eval().explain(collate(image()))[0]
    assert one.instance_stride == 2
    assert tuple(one.pseudo_instances.masks.shape[1:]) == (32, 48)
    assert model.read(collate(image()), 'refinement')[0].pred_instances.masks.shape[1:] == (
        128,
        192,
    )


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_backbone_trains_and_predicts(direction):
    config = model_cfg()
    model = build(config, backbone=dict(type='ToyBackbone'), calibration=full_calibration())
    _, changed = train(model, Step(learning=STAGES, direction=direction))
    backbone = {name for name, _ in model.named_parameters() if name.startswith('backbone')}
    assert backbone
    assert backbone <= changed
    _, changed = train(model, Step(learning=STAGES, backbone=False, direction=direction))
    assert not backbone & changed
    assert len(predictions_of(model, image())[0].pred_instances) > 0
