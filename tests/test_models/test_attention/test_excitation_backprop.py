import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmlabelpenet.models import DilatedVGG, EfficientNetLite
from mmlabelpenet.models.attention import Excitation

from ..tiny import settle_statistics


def masses(output, count=3):
    """Random probabilities over an output's elements, more of them where it is active."""
    raw = torch.rand(count, *output.shape[1:]) * output.clamp(min=0)
    return raw / raw.flatten(1).sum(1).view(-1, *[1] * (output.dim() - 1))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return torch.relu(x + self.branch(x))


class Concatenation(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 5, 1)

    def forward(self, x):
        return torch.cat([self.left(x), self.right(x)], dim=1)


def frozen_norm(channels):
    norm = nn.BatchNorm2d(channels).eval()
    nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.normal_(norm.running_mean)
    nn.init.normal_(norm.weight)
    return norm


LAYERS = {
    'linear': nn.Sequential(nn.Flatten(), nn.Linear(4 * 9 * 12, 7)),
    'conv': nn.Conv2d(4, 6, 3, padding=1),
    'strided': nn.Conv2d(4, 6, 3, stride=2, padding=1),
    'dilated': nn.Conv2d(4, 6, 3, dilation=2),
    'grouped': nn.Conv2d(4, 6, 3, padding=1, groups=2),
    'depthwise': nn.Conv2d(4, 4, 5, padding=2, groups=4),
    'norm': nn.Sequential(nn.Conv2d(4, 6, 1, bias=False), frozen_norm(6), nn.ReLU6()),
    'relu': nn.ReLU(),
    'max pool': nn.MaxPool2d(3, 2, 1),
    'average pool': nn.AvgPool2d(2),
    'adaptive average pool': nn.AdaptiveAvgPool2d(1),
    'adaptive max pool': nn.AdaptiveMaxPool2d(2),
    'residual': Residual(),
    'concatenation': Concatenation(),
}


@pytest.mark.parametrize('name', LAYERS)
def test_every_layer_keeps_the_mass(name):
    excitation = Excitation(LAYERS[name], torch.rand(1, 4, 9, 12))
    mass = masses(excitation.output.abs())
    landed = excitation.back(mass)
    assert tuple(landed.shape) == (3, 4, 9, 12)
    assert (landed >= 0).all()
    torch.testing.assert_close(landed.flatten(1).sum(1), torch.ones(3), rtol=0, atol=1e-4)


def reference_conv(conv, activation, mass):
    """One pair by the formula, element by element: a 1 x 1 stride, zero padding of 1."""
    weight = conv.weight.detach().clamp(min=0)
    landed = torch.zeros_like(activation)
    channels, height, width = activation.shape
    for j in range(mass.shape[0]):
        for y in range(height):
            for x in range(width):
                parts = {}
                for i in range(channels):
                    for dy in (-1, 0, 1):
                        for dx in (-1, 0, 1):
                            if 0 <= y + dy < height and 0 <= x + dx < width:
                                a = activation[i, y + dy, x + dx]
                                parts[i, y + dy, x + dx] = a * weight[j, i, dy + 1, dx + 1]
                total = sum(parts.values())
                for place, part in parts.items():
                    landed[place] += mass[j, y, x] * part / total
    return landed


def reference_linear(layer, activation, mass):
    landed = torch.zeros_like(activation)
    for j in range(len(mass)):
        parts = [a * max(w, 0) for a, w in zip(activation.tolist(), layer.weight[j].tolist())]
        for i, part in enumerate(parts):
            landed[i] += mass[j] * part / sum(parts)
    return landed


def test_all_pairs_at_once_equal_the_formula_one_by_one():
    torch.manual_seed(1)
    conv, linear = nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.Linear(3 * 4 * 5, 4, bias=False)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear)
    x = torch.rand(1, 2, 4, 5)
    hidden = conv(x).relu()[0].detach()
    mass = torch.eye(4)[:3]
    landed = Excitation(model, x).back(mass)
    for one, expected in zip(mass, landed):
        middle = reference_linear(linear, hidden.flatten(), one).view_as(hidden)
        torch.testing.assert_close(
            reference_conv(conv, x[0], middle), expected, rtol=1e-4, atol=1e-6
        )


def test_the_propagation_is_linear_so_that_contrast_may_be_taken_before_it():
    excitation = Excitation(LAYERS['norm'], torch.rand(1, 4, 9, 12))
    one, other = masses(excitation.output, 2).split(1)
    apart = excitation.back(one) - excitation.back(other)
    torch.testing.assert_close(excitation.back(one - other), apart, rtol=1e-3, atol=1e-7)


def test_batch_norm_is_folded_into_the_layer_before_it():
    conv, norm = nn.Conv2d(4, 6, 3, padding=1).eval(), frozen_norm(6)
    assert norm.weight.min() < 0 < norm.weight.max()
    x = torch.rand(1, 4, 9, 12)
    apart, folded = (
        Excitation(nn.Sequential(*layers, nn.ReLU()), x)
        for layers in ((conv, norm), (fuse_conv_bn_eval(conv, norm),))
    )
    mass = masses(folded.output)
    torch.testing.assert_close(apart.back(mass), folded.back(mass), rtol=1e-3, atol=1e-6)


def test_mass_goes_where_the_evidence_is():
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(conv.weight, 1.0)
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 2, 3] = 1.0
    excitation = Excitation(nn.Sequential(conv, nn.AdaptiveAvgPool2d(1)), x)
    landed = excitation.back(torch.ones(1, 1, 1, 1))
    assert landed[0, 0, 2, 3] > 0.999


@pytest.mark.parametrize('training', [False, True])
def test_the_module_does_not_change(training):
    model = nn.Sequential(nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5))
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.rand(1, 4, 5, 5, requires_grad=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        excitation = Excitation(model, x)
        first = excitation.back(masses(excitation.output, 1))
    assert first.dtype == torch.float32
    assert not first.requires_grad
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training is training


def backbones():
    effnet = EfficientNetLite(out_indices=(7,), channels_last=False)
    settle_statistics(effnet)
    yield 'EfficientNet-Lite', nn.Sequential(effnet.stem, *effnet.stages)
    yield 'VGG16', DilatedVGG(depth=16)
    resnet = MMDET_MODELS.build(dict(type='ResNet', depth=50, out_indices=(3,)))
    settle_statistics(resnet)
    yield 'ResNet-50', resnet


class LastMap(nn.Module):
    """The one map of a backbone that returns a tuple of them."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, x):
        maps = self.backbone(x)
        return maps[-1] if isinstance(maps, tuple) else maps


@pytest.mark.parametrize(('name', 'backbone'), backbones(), ids=lambda part: str(part)[:17])
def test_whole_backbones_keep_the_mass(name, backbone):
    torch.manual_seed(0)
    excitation = Excitation(LastMap(backbone).eval(), torch.rand(1, 3, 64, 64))
    landed = excitation.back(masses(excitation.output, 2))
    assert tuple(landed.shape) == (2, 3, 64, 64)
    torch.testing.assert_close(landed.flatten(1).sum(1), torch.ones(2), rtol=0, atol=1e-4)


def test_an_operation_without_a_rule_is_named():
    class Strange(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x)

    with pytest.raises(NotImplementedError, match='sigmoid'):
        Excitation(Strange(), torch.rand(1, 3)).back(torch.ones(1, 3))
