import pytest
import torch
from torch import nn

from mmlabelpenet.apis import load_weights
from mmlabelpenet.utils import UserError


def model():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def save(weights, path):
    torch.save(dict(meta=dict(epoch=3), state_dict=weights), path)
    return str(path)


def assert_same_weights(one, other):
    weights = {name: value.cpu() for name, value in other.state_dict().items()}
    assert all(value.cpu().equal(weights[name]) for name, value in one.state_dict().items())


def test_weights_are_loaded_and_the_meta_information_is_returned(tmp_path):
    trained, new = model(), model()
    assert load_weights(new, save(trained.state_dict(), tmp_path / 'a.pth')) == dict(epoch=3)
    assert_same_weights(new, trained)


def test_wrapped_models_and_their_checkpoints_are_those_of_the_model(tmp_path):
    trained, new = model(), model()
    wrapped = {f'module.{name}': value for name, value in trained.state_dict().items()}
    load_weights(nn.DataParallel(new), save(wrapped, tmp_path / 'a.pth'))
    assert_same_weights(new, trained)


@pytest.mark.parametrize('prefix', ['_orig_mod.', '_orig_mod.module.', 'module._orig_mod.'])
def test_a_compiled_model_has_the_weights_of_the_model(tmp_path, prefix):
    trained, new = model(), model()
    weights = {f'{prefix}{name}': value for name, value in trained.state_dict().items()}
    load_weights(new, save(weights, tmp_path / 'a.pth'))
    assert_same_weights(new, trained)
    inner = {name.replace('.', '._orig_mod.', 1): value for name, value in weights.items()}
    load_weights(new, save(inner, tmp_path / 'b.pth'))
    assert_same_weights(new, trained)


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16, torch.float64])
def test_weights_may_be_of_another_precision(tmp_path, kind):
    weights = {
        name: value.to(kind) if value.is_floating_point() else value
        for name, value in model().state_dict().items()
    }
    load_weights(model(), save(weights, tmp_path / 'a.pth'))


def test_counters_of_batches_may_be_missing(tmp_path):
    trained, new = model(), model()
    weights = trained.state_dict()
    del weights['1.num_batches_tracked']
    load_weights(new, save(weights, tmp_path / 'a.pth'))
    assert_same_weights(new, trained)


def test_weights_of_another_model_leave_the_model_as_it_is(tmp_path):
    new = model()
    before = {name: value.clone() for name, value in new.state_dict().items()}
    weights = {**model().state_dict(), '0.weight': torch.zeros(4, 2)}
    with pytest.raises(UserError, match='1 weights of another shape'):
        load_weights(new, save(weights, tmp_path / 'a.pth'))
    assert all(value.equal(before[name]) for name, value in new.state_dict().items())
