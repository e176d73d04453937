"""On a GPU: the values of the CPU, mixed precision, few waits for the device."""

import warnings

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from mmlabelpenet.models import STAGES, PixelAffinity
from mmlabelpenet.models.calibration.instance_attention import connected_to_peak
from mmlabelpenet.structures import Maps

from .tiny import LEARNED, LEVELS, build_model, collate, evidence_of, image, losses_of, train_as

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')

DIRECTIONS = ('forward', 'backward')


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Single precision without shortcuts, and the random numbers of the CPU on every device."""
    monkeypatch.setattr(torch, 'rand', drawn_on_cpu(torch.rand))
    monkeypatch.setattr(torch, 'randperm', drawn_on_cpu(torch.randperm))
    precise = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [one.allow_tf32 for one in precise]
    for one in precise:
        one.allow_tf32 = False
    yield
    for one, allowed in zip(precise, before):
        one.allow_tf32 = allowed


def drawn_on_cpu(draw):
    def drawn(*args, device=None, **options):
        return draw(*args, **options).to(device)

    return drawn


def full_model(direction='forward'):
    model = build_model(
        calibration=dict(
            mode='full',
            validation=0.0,
            refine=dict(type='PixelAffinity'),
            semantic=LEVELS,
        ),
        attention_scales=(1.5,),
    )
    return train_as(model, learning=(*STAGES, 'semantic'), direction=direction)


def learning_proposals():
    model = build_model(proposals=LEARNED, calibration=dict(mode='full'))
    return train_as(model, learning=('proposals',), backbone=False, scales=False)


@pytest.mark.parametrize('kind', [*DIRECTIONS, 'learned proposals'])
def test_losses_and_gradients_are_those_of_the_cpu(kind):
    model = learning_proposals() if kind == 'learned proposals' else full_model(kind)
    seen = {}
    for device in ('cpu', 'cuda'):
        model.to(device).zero_grad()
        losses = losses_of(model, image(), image(seed=1))
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        gradients = {
            name: parameter.grad.norm().cpu()
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }
        seen[device] = {name: value.detach().cpu() for name, value in losses.items()}, gradients
    for ours, theirs in zip(seen['cuda'], seen['cpu']):
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize('stage', STAGES)
def test_results_are_those_of_the_cpu(stage):
    model = full_model().eval()
    results = {}
    for device in ('cpu', 'cuda'):
        [sample] = model.to(device).read(collate(image()), stage)
        results[device] = sample.pred_instances.to('cpu')
    ours, theirs = results['cuda'], results['cpu']
    assert len(ours) == len(theirs) > 0
    torch.testing.assert_close(ours.scores, theirs.scores, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(ours.bboxes, theirs.bboxes, rtol=1e-3, atol=1e-2)
    assert ours.labels.equal(theirs.labels)
    if 'masks' in theirs:
        assert (ours.masks == theirs.masks).float().mean() > 0.999


def test_learned_proposals_are_those_of_the_cpu():
    model, found = learning_proposals().eval(), {}
    for device in ('cpu', 'cuda'):
        evidence = model.to(device).read_evidence(collate(image()), tagged=False)
        with torch.no_grad():
            [found[device]] = model.proposals.propose(evidence[0].batch_feats, evidence)
    ours, theirs = found['cuda'].to('cpu'), found['cpu']
    assert len(ours) == len(theirs) > 0
    torch.testing.assert_close(ours.objectness, theirs.objectness, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(ours.bboxes, theirs.bboxes, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize('direction', DIRECTIONS)
@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_mixed_precision_trains(direction, dtype):
    model = full_model(direction).cuda()
    optimizer = dict(type='SGD', lr=1e-3)
    # The scale of a long training: a higher one would skip the first steps until it fits.
    scale = dict(init_scale=2.0**4)
    settings = dict(type='AmpOptimWrapper', dtype=dtype, loss_scale=scale, optimizer=optimizer)
    wrapper = build_optim_wrapper(model, settings)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(3):
        data = collate(image(), image(seed=1))
        losses = model.train_step(data, wrapper)
        assert all(value.isfinite() for value in losses.values())
    after = list(model.parameters())
    assert all(parameter.isfinite().all() for parameter in after)
    assert any(not old.equal(new) for old, new in zip(before, after))


def waits_of(action):
    """Places where an action waits for the GPU, as torch warns of them."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            action()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    called = [one for one in caught if 'synchroniz' in str(one.message)]
    return [f'{one.filename}:{one.lineno}' for one in called]


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_step_waits_for_the_device_as_often_with_many_proposals_as_with_few(direction):
    model = full_model(direction).cuda()
    counts = []
    for number in (8, 8, 64):
        data = model.data_preprocessor(collate(image(count=number)), True)
        counts.append(waits_of(lambda data=data: model(**data, mode='loss')))
    print(direction, len(counts[1]), sorted(set(counts[1])))
    assert len(counts[1]) == len(counts[2])


@pytest.mark.parametrize('threshold', [0.1, 0.5, 0.9])
def test_connected_parts_are_those_of_the_cpu(threshold):
    maps = torch.rand(5, 130, 171)
    maps[0] = 0
    connected = connected_to_peak(maps.cuda(), threshold).cpu()
    assert connected.equal(connected_to_peak(maps, threshold))
    assert connected[1:].any((1, 2)).all()


def test_affinity_of_pixels_is_that_of_the_cpu():
    colours, maps = torch.rand(3, 90, 70), torch.rand(4, 12, 9)
    affinity = PixelAffinity(stride=4, steps=5)
    evidence = evidence_of(90, 70, image=colours)
    theirs = affinity(evidence, Maps(maps, 8)).values
    ours = affinity(evidence.to('cuda'), Maps(maps.cuda(), 8)).values.cpu()
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
