import pytest
import torch
from mmcv.cnn import VGG

from mmlabelpenet.models import DilatedVGG
from mmlabelpenet.registry import MODELS


@pytest.fixture(scope='module')
def vgg():
    torch.manual_seed(0)
    return DilatedVGG(depth=11).eval()


def test_it_ends_at_stride_8(vgg):
    outs = vgg(torch.randn(1, 3, 64, 96))
    assert [tuple(out.shape) for out in outs] == [(1, 512, 8, 12)]
    assert outs[0].min() >= 0


def test_conv5_is_dilated_and_pools_stay_where_torchvision_has_them():
    vgg16 = DilatedVGG(depth=16)
    convolutions = {
        name: layer
        for name, layer in vgg16.features.named_children()
        if hasattr(layer, 'dilation')
    }
    dilated = [name for name, layer in convolutions.items() if layer.dilation == (2, 2)]
    # torchvision's vgg16.features: conv5 lies at 24, 26, 28
    assert [name for name in dilated if hasattr(convolutions[name], 'weight')] == [
        '24',
        '26',
        '28',
    ]


def test_weights_named_as_torchvision_does_are_loaded(vgg, tmp_path):
    # the plain VGG has the names of torchvision's
    plain = VGG(depth=11)
    torch.save(plain.state_dict(), tmp_path / 'vgg.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'vgg.pth'))
    model = MODELS.build(dict(type='DilatedVGG', depth=11, init_cfg=init_cfg))
    model.init_weights()
    expected = plain.state_dict()
    assert set(model.state_dict()) == set(expected)
    assert all(value.equal(expected[name]) for name, value in model.state_dict().items())
    assert {'features.0.weight', 'features.3.weight', 'features.18.bias'} <= set(expected)


def test_the_first_two_blocks_get_no_gradient():
    model = DilatedVGG(depth=11, frozen_stages=2)
    model.train()
    model(torch.randn(1, 3, 32, 32))[0].sum().backward()
    learns = {name.split('.')[1] for name, p in model.named_parameters() if p.grad is not None}
    assert learns == {'6', '8', '11', '13', '16', '18'}
