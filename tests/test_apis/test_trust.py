"""Files from elsewhere that would create another file when they are loaded."""

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from mmlabelpenet.apis import LabelPEnetInferencer, read_checkpoint
from mmlabelpenet.utils import UserError, dump_arrays, load_arrays, trust_files

TRUST = 'if you trust its author, add --trust-checkpoint'


class Creates:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def trace(tmp_path):
    """What a malicious file creates."""
    return tmp_path / 'created'


@pytest.fixture
def malicious(checkpoint, trace, tmp_path):
    """The checkpoint, with an object that creates a file."""
    content = torch.load(checkpoint, weights_only=False)
    content['meta']['hook'] = Creates(trace)
    torch.save(content, tmp_path / 'malicious.pth')
    return tmp_path / 'malicious.pth'


ENTRIES = {
    'test': lambda config, path: ('tools/test', config, path),
    'export': lambda config, path: (
        *('tools/export_pseudo_labels', config, path, '--out', path.parent / 'out'),
        *('--stage', 'classification'),
    ),
    'resume': lambda config, path: ('tools/train', config, '--resume', path),
    'load_from': lambda config, path: (
        *('tools/train', config, '--cfg-options', f'load_from={path}'),
    ),
    'init_cfg': lambda config, path: (
        *('tools/train', config, '--cfg-options'),
        *('model.backbone.init_cfg.type=Pretrained', f'model.backbone.init_cfg.checkpoint={path}'),
    ),
    'demo': lambda config, path: (
        *('demo/image_demo', path.parent, config, '--weights', path),
        *('--out-dir', path.parent / 'out'),
    ),
    'failures': lambda config, path: (
        *('tools/analysis_tools/paint_failures', config, path),
        *('--out', path.parent / 'failures.png'),
    ),
    'inspection': lambda config, path: (
        *('tools/analysis_tools/inspect_labels', config, path),
        *('--out', path.parent / 'labels'),
    ),
}


@pytest.mark.parametrize('entry', ENTRIES)
def test_a_checkpoint_executes_nothing(
    entry, tool, config, malicious, trace, proposals, tmp_path, capsys
):
    args = ENTRIES[entry](config, malicious)
    work = () if entry in ('demo',) else ('--work-dir', tmp_path / 'work')
    args = (*args[:2], *work, *args[2:]) if work else args
    with pytest.raises(SystemExit) as error:
        tool(*args)
    assert error.value.code == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert sentence.startswith(f'error: {malicious} holds posix.mkdir')
    assert TRUST in sentence
    assert not trace.exists()


def test_a_trusted_checkpoint_is_loaded_whole(tool, config, malicious, trace, proposals, tmp_path):
    options = ('--trust-checkpoint', '--work-dir', tmp_path / 'work', '--eval', 'bbox')
    tool('tools/test', config, malicious, *options)
    assert trace.exists()


def test_trust_ends_with_its_block(malicious, trace):
    with trust_files():
        assert read_checkpoint(str(malicious))['meta']['hook'] is None
    trace.rmdir()
    with pytest.raises(UserError, match=TRUST):
        read_checkpoint(str(malicious))
    assert not trace.exists()


def test_no_setting_of_the_environment_makes_files_execute(malicious, trace, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(UserError, match=TRUST):
        read_checkpoint(str(malicious))
    assert not trace.exists()
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_downloads_execute_nothing_either(malicious, trace, monkeypatch):
    def download(url, *args, map_location=None, **kwargs):
        return torch.load(malicious, map_location=map_location, weights_only=False)

    monkeypatch.setattr('mmengine.runner.checkpoint.load_url', download)
    with pytest.raises(UserError, match=TRUST):
        CheckpointLoader.load_checkpoint('https://example.org/a.pth')
    assert not trace.exists()


def test_a_checkpoint_of_old_torch_executes_nothing(trace, tmp_path):
    path = tmp_path / 'old.pth'
    torch.save({'a': Creates(trace)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=TRUST):
        read_checkpoint(str(path))
    path.write_bytes(pickle.dumps({'a': Creates(trace)}, 2))
    with pytest.raises(UserError, match=TRUST):
        read_checkpoint(str(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    'text',
    [
        'import os\nos.mkdir({trace!r})\n',
        'model = dict(type=__import__("os").mkdir({trace!r}))\n',
        'model = dict(**{{"type": [].append({trace!r})}})\n',
        'model = dict(type="os.mkdir", path={trace!r})\n',
        'model = dict(type="ToyDetector", _scope_="evil")\n',
        'model = dict(type="mmengine.load", file={trace!r})\n',
        'custom_imports = dict(imports=["my_own"])\nmodel = dict(type="MaskRCNN")\n',
    ],
)
def test_the_config_in_a_checkpoint_executes_nothing(text, checkpoint, trace, tmp_path):
    content = torch.load(checkpoint, weights_only=False)
    content['meta']['cfg'] = text.format(trace=str(trace))
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'a\.pth holds a config .*, so it was not loaded'):
        LabelPEnetInferencer(weights=tmp_path / 'a.pth', device='cpu')
    assert not trace.exists()


def test_the_config_of_a_trusted_checkpoint_may_have_code(checkpoint, trace, tmp_path):
    content = torch.load(checkpoint, weights_only=False)
    # mmengine 0.10.7 takes a config that imports os for one of another kind
    code = f"_ = __import__('os').mkdir({str(trace)!r})\n"
    content['meta']['cfg'] = code + content['meta']['cfg']
    torch.save(content, tmp_path / 'a.pth')
    inferencer = LabelPEnetInferencer(
        weights=tmp_path / 'a.pth', device='cpu', trust_checkpoint=True
    )
    assert inferencer.classes == content['meta']['dataset_meta']['classes']
    assert trace.exists()


def test_a_config_that_mmcv_left_is_not_executed_when_resuming(trace, tmp_path):
    # MMEngine's Runner.resume executes meta['config']
    meta = dict(config=f'import os\nos.mkdir({str(trace)!r})', epoch=3)
    torch.save(dict(meta=meta, state_dict={}), tmp_path / 'a.pth')
    assert read_checkpoint(str(tmp_path / 'a.pth'))['meta'] == dict(epoch=3)


@pytest.mark.parametrize('content', [Creates, lambda _: torch.ones(2), lambda _: nn.ReLU()])
def test_results_execute_nothing(content, tool, config, trace, tmp_path, capsys):
    # plain tensors are pickled by a function that loads a whole checkpoint
    path = tmp_path / 'results.pkl'
    path.write_bytes(pickle.dumps([dict(img_id='a', pred_instances=content(trace))]))
    with pytest.raises(SystemExit):
        tool('tools/analysis_tools/eval_metric', config, path)
    sentence = capsys.readouterr().err
    assert f'{path} holds ' in sentence
    assert TRUST in sentence
    assert not trace.exists()


class Pointers:
    """An array of objects whose type claims to be plain bytes, so that these are pointers."""

    def __reduce__(self):
        made, args, _ = np.array([None]).__reduce__()
        return made, args, (1, (1,), FalseFlags(), False, b'\x11' * 8)


class FalseFlags:
    def __reduce__(self):
        made, args, state = np.dtype('O').__reduce__()
        return made, args, (*state[:-1], 0)


def test_bytes_are_not_taken_for_pointers(tmp_path):
    torch.save({'a': Pointers()}, tmp_path / 'a.pth')
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(Pointers()))
    with pytest.raises(UserError, match='cannot be read as a checkpoint'):
        read_checkpoint(str(tmp_path / 'a.pth'))
    with pytest.raises(UserError, match='cannot be read as a pickle of arrays'):
        load_arrays(tmp_path / 'a.pkl')


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, HistoryBuffer):
        one, other = list(one.data), list(other.data)
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for part, same in zip(one, other):
            assert_same(part, same)
    elif isinstance(one, np.ndarray | np.generic | torch.Tensor):
        if isinstance(one, torch.Tensor):
            assert one.dtype == other.dtype
        else:  # some protocols keep the order of bytes, some do not
            assert one.dtype.newbyteorder('=') == other.dtype.newbyteorder('=')
        assert one.shape == other.shape
        values, same = one.tolist(), other.tolist()
        if isinstance(values, list):
            assert_same(values, same)
        else:
            assert values == same
    else:
        assert one == other


ARRAYS = {
    'floats': np.arange(6.0).reshape(2, 3),
    'columns first': np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    'another order of bytes': np.arange(3, dtype='>f4'),
    'texts': np.array(['star', 'ring']),
    'bytes': np.array([b'a', b'bc']),
    'booleans': np.zeros((0, 4), dtype=bool),
    'a single value': np.array(3.5),
    'ragged': np.array([np.ones(2), [1, 'a'], None], dtype=object),
    'scalar': np.float32(2.5),
    'name': np.str_('star'),
    'type': np.dtype('float32'),
}


@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_arrays_are_read_as_they_were(protocol, tmp_path):
    shared = np.arange(3)
    content = {**ARRAYS, 'nested': [(shared, {'a': shared}), shared]}
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content, protocol))
    assert_same(load_arrays(tmp_path / 'a.pkl'), content)
    if protocol == 2:
        torch.save(content, tmp_path / 'a.pth')
        assert_same(CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth')), content)


def test_tensors_are_written_as_arrays_and_are_tensors_again(tmp_path):
    content = [
        dict(bboxes=torch.rand(2, 4), labels=torch.tensor([1, 2]), masks=[{'counts': b'a'}])
    ]
    dump_arrays(content, tmp_path / 'a.pkl')
    assert_same(load_arrays(tmp_path / 'a.pkl'), content)
    # as mmdet's tools read it
    assert_same(pickle.loads((tmp_path / 'a.pkl').read_bytes()), content)


def test_what_checkpoints_of_mmdet_hold_is_plain_data(tmp_path):
    history = HistoryBuffer()
    history.update(0.5)
    history.update(np.float64(0.25), 2)
    content = dict(
        meta=dict(
            dataset_meta=ConfigDict(classes=('star',), palette=[(1, 2, 3)]),
            env_info=OrderedDict(a='b'),
            hook_msgs=dict(best_score=np.float64(0.5), best_ckpt='a.pth'),
        ),
        state_dict=OrderedDict(weight=torch.ones(2), bias=nn.Parameter(torch.ones(1))),
        message_hub=dict(
            log_scalars=OrderedDict(loss=history),
            runtime_info=OrderedDict(iter=3, statistic=HistoryBuffer.mean),
            resumed_keys=OrderedDict(loss=True),
        ),
        optimizer=dict(
            state={0: dict(momentum_buffer=torch.ones(2))}, param_groups=[dict(lr=0.1)]
        ),
    )
    torch.save(content, tmp_path / 'a.pth')
    found = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
    assert_same(found, content)
    # and the log goes on
    buffer = found['message_hub']['log_scalars']['loss']
    buffer.update(1.0)
    assert buffer.mean() == pytest.approx((0.5 + 0.5 + 1) / 4, abs=0.2)
    assert type(buffer.data[0]) is np.ndarray


def test_plain_weights_initialise_parts_of_a_model(tmp_path):
    # as torchvision writes them
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / 'a.pth')
    model = nn.Linear(2, 3)
    load_checkpoint(model, str(tmp_path / 'a.pth'))
    assert model.weight.equal(torch.load(tmp_path / 'a.pth')['weight'])


def test_the_config_text_is_what_mmengine_makes_of_it(config, checkpoint):
    text = Config.fromfile(config).pretty_text
    inferencer = LabelPEnetInferencer(weights=checkpoint, device='cpu', show_progress=False)
    assert inferencer.cfg.model.to_dict() == Config.fromstring(text, '.py').model.to_dict()
