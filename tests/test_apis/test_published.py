"""Published models: small files, found by name, which need neither a config nor proposals."""

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch
from wheels import ROOT, build_wheel

from mmlabelpenet.apis import LabelPEnetInferencer, published_weights
from mmlabelpenet.utils import UserError

TOOL = 'tools/model_converters/publish_model'


@pytest.fixture(scope='module')
def publish(tool, learned, tmp_path_factory):
    """Publish the cascade with learned proposals as the model ``tiny``."""
    folder = tmp_path_factory.mktemp('repository') / 'demo/weights'
    tool(TOOL, learned[1], 'tiny', '--out', folder)
    return folder


@pytest.fixture
def published(publish, monkeypatch):
    """Let the package find this model alone; returns its file."""
    monkeypatch.setattr(
        'mmlabelpenet.apis.published.resource_path', lambda part: publish.parents[1] / part
    )
    (path,) = publish.iterdir()
    return path


def test_the_name_is_the_hash_and_the_same_for_the_same_checkpoint(
    published, tool, learned, tmp_path
):
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert published.name == f'tiny-{digest[:8]}.pth'
    tool(TOOL, learned[1], 'tiny', '--out', tmp_path / 'again')
    assert [path.name for path in (tmp_path / 'again').iterdir()] == [published.name]


def test_only_what_inference_needs_is_kept(published, learned):
    before = torch.load(learned[1], weights_only=False)
    after = torch.load(published, weights_only=True)
    assert set(after) == {'meta', 'state_dict'}
    assert after['meta']['dataset_meta'] == before['meta']['dataset_meta']
    assert str(learned[1].parent) in before['meta']['cfg']
    assert str(learned[1].parent) not in after['meta']['cfg']
    assert 'train' not in after['meta']['cfg'].replace('frozen', '').replace('pretrain', '')
    for name, value in after['state_dict'].items():
        single = value.ndim < 2 or not value.is_floating_point()
        assert value.dtype == (before['state_dict'][name].dtype if single else torch.float16)
        rounded = before['state_dict'][name].to(value.dtype)
        assert torch.equal(value, rounded)


@pytest.mark.parametrize('name', [None, 'tiny'])
def test_a_published_model_is_found(published, learned, images, name):
    assert published_weights() == {'tiny': published}
    inferencer = LabelPEnetInferencer(name, device='cpu', show_progress=False)
    assert {value.dtype for value in inferencer.model.parameters()} == {torch.float32}
    state = inferencer.model.state_dict()
    for key, value in torch.load(published)['state_dict'].items():
        assert torch.equal(state[key], value.to(state[key].dtype))
    assert inferencer(images[0])['predictions'][0]['scores']


def test_unknown_models_are_reported(published, config, monkeypatch):
    with pytest.raises(UserError, match=r'needs weights of tony: name a checkpoint, or instead'):
        LabelPEnetInferencer('tony', device='cpu')
    published.with_name('second-01234567.pth').touch()
    try:
        with pytest.raises(UserError, match='needs weights: name a checkpoint'):
            LabelPEnetInferencer(device='cpu')
    finally:
        published.with_name('second-01234567.pth').unlink()


@pytest.mark.parametrize(
    'arguments', [[], ['tiny'], ['--weights', '{weights}'], ['--device', 'cpu', 'tiny']]
)
def test_the_demo_needs_neither_config_nor_proposals(
    published, tool, images, tmp_path, capsys, arguments
):
    arguments = [one.format(weights=published) for one in arguments]
    tool('demo/image_demo', images[0], '--out-dir', tmp_path, *arguments)
    assert [path.stem for path in (tmp_path / 'vis').iterdir()] == [images[0].stem]
    assert 'instances of 1 photos' in capsys.readouterr().out


def test_the_demo_refuses_unknown_options(published, tool, images, capsys):
    with pytest.raises(SystemExit):
        tool('demo/image_demo', images[0], '--weight-file', 'a.pth')
    assert 'unrecognized arguments: --weight-file' in capsys.readouterr().err


def test_weights_without_classes_or_with_values_beyond_half_precision_are_refused(
    tool, learned, tmp_path, capsys
):
    content = torch.load(learned[1], weights_only=False)
    content['state_dict'] = {k: v.clone() for k, v in content['state_dict'].items()}
    next(v for v in content['state_dict'].values() if v.ndim > 1).fill_(1e6)
    torch.save(content, tmp_path / 'large.pth')
    del content['meta']['dataset_meta']
    torch.save(content, tmp_path / 'nameless.pth')
    for name, sentence in (('large', 'not finite'), ('nameless', 'what its classes are')):
        with pytest.raises(SystemExit):
            tool(TOOL, tmp_path / f'{name}.pth', name, '--out', tmp_path / 'out')
        assert sentence in capsys.readouterr().err
    assert not list((tmp_path / 'out').iterdir())


def test_committed_weights_are_what_their_names_say():
    files = sorted((ROOT / 'demo/weights').glob('*.pth'))
    card = (ROOT / 'demo/weights/README.md').read_text()
    for path in files:
        name, _, digest = path.stem.rpartition('-')
        assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest)
        assert f'`{name}`' in card
    assert len(published_weights()) == len(files)


@pytest.mark.slow
def test_the_wheel_predicts_outside_the_checkout(publish, images, tmp_path):
    (weights,) = publish.iterdir()
    wheel = build_wheel(tmp_path / 'wheel', [(weights, 'demo/weights')])
    venv.create(tmp_path / 'clean')
    python = tmp_path / 'clean/bin/python'
    install = [sys.executable, '-m', 'pip', '--python', python, 'install', '-q', '--no-deps']
    subprocess.run([*install, '--no-index', wheel], check=True)
    # The packages that are there, without their own links to the checkout.
    (site,) = (tmp_path / 'clean').glob('lib/*/site-packages')
    packages = [one for one in sys.path if Path(one).name in ('site-packages', 'dist-packages')]
    (site / 'others.pth').write_text('\n'.join(packages))
    outside = tmp_path / 'outside'
    outside.mkdir()
    subprocess.run(
        [python.with_name('mmlabelpenet'), 'predict', images[0], 'tiny', '--device', 'cpu'],
        cwd=outside,
        env={key: value for key, value in os.environ.items() if key != 'PYTHONPATH'},
        check=True,
    )
    found = json.loads((outside / f'outputs/preds/{images[0].stem}.json').read_text())
    assert found['scores']
    assert (outside / f'outputs/vis/{images[0].stem}.png').is_file()
