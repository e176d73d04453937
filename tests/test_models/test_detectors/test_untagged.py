"""Photos without a tag: every step, refiner and readout takes them."""

import pytest
import torch

from test_models.tiny import (
    LEVELS,
    STAGES,
    STRIDES,
    build_model,
    collate,
    image,
    losses_of,
    model_cfg,
    read_stage,
    train_as,
)

WALK = dict(type='RandomWalk', strides=STRIDES, levels=(1,), steps=1, scales=(0.5,))
AFFINITY = dict(type='PixelAffinity', steps=1)
MASKS = dict(mask_results=dict(refine=[dict(AFFINITY, stride=2), AFFINITY]))
CALIBRATIONS = dict(
    plain={},
    walk=dict(sharpen=WALK, refine=[WALK, AFFINITY]),
    crf=dict(refine=dict(type='DenseCRF', stride=4)),
    peaks=dict(seeds=dict(type='AttentionSeeds'), refine=WALK),
    semantic=dict(semantic=LEVELS, seeds=dict(type='AttentionSeeds')),
)
SOME, NONE = (1, 0, 1), (0, 0, 0)
BATCHES = [(NONE, SOME), (NONE, NONE)]


def refined_cascade():
    """The stages of masks, which refine them and hand refined ones on."""
    cascade = {name: model_cfg()['cascade'][name] | MASKS for name in STAGES[2:]}
    cascade['refinement']['propagate_refined_masks'] = True
    return cascade


@pytest.fixture(scope='module', params=CALIBRATIONS)
def model(request):
    if request.param == 'crf':
        pytest.importorskip('pydensecrf')
    calibration = CALIBRATIONS[request.param] | dict(mode='full')
    return build_model(calibration=calibration, cascade=refined_cascade(), attention_scales=(1.5,))


def two_images(tags):
    return image(64, 96, tags=tags[0], seed=1), image(96, 64, tags=tags[1], seed=2)


@pytest.mark.parametrize('tags', BATCHES)
def test_untagged_images_train_every_stage_in_both_directions(model, tags):
    steps = [dict(learning=(name,)) for name in model.cascade.learnable]
    for step in [*steps, {}, dict(direction='backward')]:
        train_as(model, **step)
        losses = losses_of(model, *two_images(tags))
        total = sum(value for name, value in losses.items() if 'loss' in name)
        assert total.isfinite(), step
        total.backward()


@pytest.mark.parametrize('tags', BATCHES)
def test_untagged_images_have_results_but_no_labels(model, tags):
    for name in model.cascade.readouts:
        results = read_stage(model, name, *two_images(tags))
        if name in ('attention', 'calibration'):
            counts = [len(one.pred_instances) for one in results]
            assert [count > 0 for count in counts] == [one is SOME for one in tags]
    assert len(model.explain(collate(*two_images(tags)))) == 2


@pytest.mark.parametrize('tags', BATCHES)
def test_tagged_images_without_a_pseudo_instance_train(model, tags, monkeypatch):
    seeds = model.calibration.seeds.forward

    def none(evidence, refiners):
        untagged = [one.replace(tags=torch.zeros_like(one.tags)) for one in evidence]
        seeded = seeds(untagged, refiners)
        return [one.replace(tags=before.tags) for one, before in zip(seeded, evidence)]

    monkeypatch.setattr(model.calibration.seeds, 'forward', none)
    for direction in ('forward', 'backward'):
        train_as(model, direction=direction)
        losses = losses_of(model, *two_images(tags))
        assert all(value.isfinite() for value in losses.values())
    assert len(read_stage(model, 'calibration', *two_images(tags))) == 2
