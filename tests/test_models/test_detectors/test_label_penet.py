import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData, PixelData
from mmlabelpenet.models.detectors.views import padded_input, rescaled
from torch.nn.modules.batchnorm import _BatchNorm

from mmlabelpenet.structures import Curriculum

from ..tiny import (
    BOX_HEAD,
    NUM_CLASSES,
    build_model,
    collate,
    image,
    losses_of,
    predictions_of,
)

STAGES = ('classification', 'detection', 'refinement', 'segmentation')


@pytest.fixture(scope='module')
def shared():
    return build_model()


@pytest.fixture
def model(shared):
    """The small model, all stages active and in training."""
    shared.tested = 'segmentation'
    shared.train()
    shared.set_active(STAGES, True)
    shared.zero_grad()
    return shared


def learning_parts(model):
    """Names of backbone and stages of which some parameter has a gradient."""
    return {
        name.split('.')[1] if name.startswith('cascade') else 'backbone'
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def test_all_stages_train_at_once(model):
    found = losses_of(model, image(), image(seed=1))
    losses = {name: value for name, value in found.items() if 'loss' in name}
    counts = {name: value for name, value in found.items() if name not in losses}
    assert counts.keys() == {
        f'{stage}.{name}' for stage in STAGES[1:] for name in ('pseudo', 'pseudo_v')
    }
    assert all(value > 0 for value in counts.values())
    assert losses.keys() == {
        'classification.loss_image',
        'classification.loss_proposals',
        'detection.loss_cls',
        'detection.loss_bbox',
        'refinement.loss_mask',
        'segmentation.loss_cls',
        'segmentation.loss_bbox',
        'segmentation.loss_mask',
    }
    assert all(loss.isfinite() for loss in losses.values())
    assert losses['segmentation.loss_mask'] > 0
    sum(losses.values()).backward()
    assert learning_parts(model) == {'backbone', *STAGES}


@pytest.mark.parametrize('name', STAGES)
def test_only_the_active_stage_gets_gradient_and_loss(model, name):
    model.set_active([name], False)
    losses = losses_of(model, image())
    assert {key.split('.')[0] for key in losses} == {name}
    sum(losses.values()).backward()
    assert learning_parts(model) == {name}
    assert model.cascade[name].training
    others = [part for part in STAGES if part != name]
    assert not any(model.cascade[other].training for other in others)
    assert not model.backbone.training
    assert not any(p.requires_grad for p in model.backbone.parameters())


def test_the_backbone_learns_with_a_stage_but_for_its_frozen_blocks(model):
    model.set_active(['classification'], True)
    sum(losses_of(model, image()).values()).backward()
    assert learning_parts(model) == {'backbone', 'classification'}
    assert model.backbone.stem.conv.weight.grad is None
    assert model.backbone.stages[1][0].layers[0].conv.weight.grad is not None


def test_freezing_is_undone_by_the_next_phase(model):
    model.set_active(['detection'], False)
    model.set_active(STAGES, True)
    sum(losses_of(model, image()).values()).backward()
    assert learning_parts(model) == {'backbone', *STAGES}


def test_frozen_parts_stay_in_evaluation_when_training_is_entered_again(model):
    model.set_active(['detection'], False)
    model.eval()
    model.train()
    assert [name for name in STAGES if model.cascade[name].training] == ['detection']
    assert not model.backbone.training


def test_an_unknown_stage_can_not_be_active(model):
    with pytest.raises(ValueError, match='polishing'):
        model.set_active(['polishing'], False)


def test_loss_reads_nothing_finer_than_tags(model):
    img, sample = image()
    plain = losses_of(model, (img, sample))
    nonsense = sample.clone()
    nonsense.gt_instances = InstanceData(
        bboxes=torch.full((2, 4), float('nan')), labels=torch.tensor([7, -3])
    )
    nonsense.gt_sem_seg = PixelData(sem_seg=torch.full((1, 64, 96), 99))
    nonsense.gt_mask_instances = InstanceData(masks=['no', 'mask'])
    again = losses_of(model, (img, nonsense))
    assert plain.keys() == again.keys()
    assert all(plain[key].equal(again[key]) for key in plain)
    _, other = image(tags=(0, 1, 0))
    assert not losses_of(model, (img, other))['classification.loss_image'].equal(
        plain['classification.loss_image']
    )


IMAGES = {
    'no proposals': dict(count=0),
    'one proposal': dict(count=1),
    'no tags': dict(tags=(0, 0, 0)),
    'no tags and no proposals': dict(tags=(0, 0, 0), count=0),
    'tiny': dict(height=6, width=8),
    'one pixel': dict(height=1, width=1, count=1),
    'grey': dict(img=torch.full((3, 64, 96), 120, dtype=torch.uint8)),
    'odd size': dict(height=61, width=83),
}


@pytest.mark.parametrize('name', IMAGES)
def test_unusual_images_train_and_predict(model, name):
    unusual = image(**IMAGES[name])
    for batch in ([unusual], [unusual, image(height=96, width=64, seed=1)]):
        losses = losses_of(model, *batch)
        assert all(loss.isfinite() for loss in losses.values())
        sum(losses.values()).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)
    result = predictions_of(model, unusual)[0]
    height, width = unusual[1].ori_shape
    found = result.pred_instances
    assert set(found.labels.tolist()) == set(range(NUM_CLASSES))
    assert tuple(found.masks.shape) == (len(found), height, width)
    assert tuple(result.pred_sem_seg.shape) == (height, width)
    assert found.bboxes.isfinite().all()


def assert_same_result(one, other):
    torch.testing.assert_close(one.pred_image_scores, other.pred_image_scores)
    assert one.pred_instances.labels.equal(other.pred_instances.labels)
    for name in ('bboxes', 'scores'):
        torch.testing.assert_close(
            one.pred_instances[name], other.pred_instances[name], atol=1e-4, rtol=1e-4
        )
    if 'masks' in one.pred_instances:
        differing = one.pred_instances.masks ^ other.pred_instances.masks
        assert differing.float().mean() < 1e-4


@pytest.mark.parametrize('stage', [*STAGES, 'calibration'])
def test_a_batch_gives_what_its_images_give_alone(model, stage):
    images = [image(64, 96), image(96, 64, seed=1), image(50, 70, seed=2), image(64, 96, seed=3)]
    model.tested = stage
    together = predictions_of(model, *images)
    assert not torch.allclose(together[0].pred_image_scores, together[1].pred_image_scores)
    for one, result in zip(images, together):
        assert_same_result(result, predictions_of(model, one)[0])


def test_features_of_a_batch_are_those_of_its_images_and_the_border_repeated(model):
    model.eval()
    data = model.data_preprocessor(collate(image(32, 64), image(64, 32, seed=1)), False)
    batch = model.extract_feat(data['inputs'], [(32, 64), (64, 32)])
    alone = model.extract_feat(data['inputs'][:1, :, :32, :64], [(32, 64)])
    for maps, single, stride in zip(batch, alone, (4, 8, 16)):
        assert tuple(maps.shape[2:]) == (64 // stride, 64 // stride)
        torch.testing.assert_close(maps[:1, :, : 32 // stride], single)
        below = maps[0, :, 32 // stride :]
        assert below.equal(single[0, :, -1:].expand_as(below))


def test_tag_losses_of_a_batch_are_the_mean_of_its_images(model):
    images = [image(64, 96, tags=(1, 0, 0)), image(96, 64, seed=1), image(50, 70, seed=2)]
    model.set_active(['classification'], False)
    model.cascade['classification'].num_samples, kept = None, 6
    together = losses_of(model, *images)
    alone = [losses_of(model, one) for one in images]
    model.cascade['classification'].num_samples = kept
    for key, loss in together.items():
        mean = torch.stack([losses[key] for losses in alone]).mean()
        torch.testing.assert_close(loss, mean, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ('stage', 'masks'),
    [
        ('classification', False),
        ('detection', False),
        ('refinement', True),
        ('segmentation', True),
        ('calibration', True),
    ],
)
def test_every_stage_can_be_tested_by_config(stage, masks):
    model = build_model(test_cfg=dict(stage=stage))
    result = predictions_of(model, image())[0]
    found = result.pred_instances
    assert tuple(result.pred_image_scores.shape) == (NUM_CLASSES,)
    assert ('masks' in found) == masks
    assert ('pred_sem_seg' in result) == masks
    assert set(found.labels.tolist()) == ({0, 2} if stage == 'calibration' else {0, 1, 2})
    # image pixels: twice the input's
    assert found.bboxes.max() > 96
    assert found.bboxes[:, [0, 2]].max() <= 192
    assert found.bboxes[:, [1, 3]].max() <= 128
    if masks:
        assert tuple(found.masks.shape[1:]) == (128, 192)


def test_tested_stages_give_different_results():
    model = build_model()
    boxes = []
    for stage in ('classification', 'detection', 'segmentation', 'calibration'):
        model.tested = stage
        boxes.append(predictions_of(model, image())[0].pred_instances.scores.tolist())
    assert len({tuple(one) for one in boxes}) == 4


def test_the_last_stage_is_tested_by_default():
    assert build_model().tested == 'segmentation'
    assert build_model(cascade=dict(segmentation=None)).tested == 'refinement'


@pytest.mark.parametrize('last', STAGES[:3])
def test_a_shorter_cascade_trains_predicts_and_explains(last):
    left = STAGES[: STAGES.index(last) + 1]
    model = build_model(cascade={name: None for name in STAGES if name not in left})
    assert list(model.cascade) == list(left)
    losses = losses_of(model.train(), image())
    assert {key.split('.')[0] for key in losses} == set(left)
    assert len(predictions_of(model, image())[0].pred_instances) >= NUM_CLASSES
    evidence = model.explain(collate(image()))[0]
    assert set(evidence.pseudo_instances.labels.tolist()) == {0, 2}
    assert ('masks' in evidence.pseudo_instances) == (last == 'refinement')


@pytest.mark.parametrize(
    'changes',
    [
        dict(cascade=dict(polishing=dict(type='DetectionStage'))),
        dict(cascade=dict(detection=None)),
        dict(cascade=dict.fromkeys(STAGES)),
        dict(test_cfg=dict(stage='polishing')),
        dict(cascade=dict(segmentation=None), test_cfg=dict(stage='segmentation')),
    ],
)
def test_unknown_stages_and_gaps_are_refused(changes):
    with pytest.raises(ValueError, match='stage'):
        build_model(**changes)


def test_oicr_is_a_config():
    changes = dict(
        cascade=dict(
            classification=dict(
                type='ClassificationStage',
                attention=dict(type='CAMAttention', in_channels=(24, 40, 112), strides=(4, 8, 16)),
                roi_features=BOX_HEAD['roi_features'],
            ),
            detection=dict(
                type='DetectionStage', box_head=BOX_HEAD | dict(num_branches=3, num_samples=None)
            ),
            refinement=None,
            segmentation=None,
        ),
        calibration=dict(mode='off', mining=dict(max_per_class=1)),
    )
    model = build_model(**changes).train()
    losses = losses_of(model, image(), image(96, 64, seed=1))
    sum(losses.values()).backward()
    assert {'detection.loss_cls_0', 'detection.loss_cls_1', 'detection.loss_cls_2'} <= set(losses)
    assert all(loss.isfinite() for loss in losses.values())
    assert len(predictions_of(model, image())[0].pred_instances) >= NUM_CLASSES


def test_mixed_precision_gives_finite_losses_near_the_exact_ones(model):
    exact = losses_of(model, image())
    with torch.autocast('cpu', torch.bfloat16):
        mixed = losses_of(model, image())
    sum(mixed.values()).backward()
    assert all(loss.isfinite() for loss in mixed.values())
    name = 'classification.loss_proposals'
    assert mixed[name].item() == pytest.approx(exact[name].item(), rel=0.05)


def test_explain_tells_all_that_pictures_need(model):
    model.eval()
    evidence = model.explain(collate(image(), image(96, 64, seed=1)))
    for one in evidence:
        assert one.attention.shape[0] == NUM_CLASSES
        assert len(one.proposals.scores) == len(one.proposals.bboxes) == 8
        pseudo = one.pseudo_instances
        assert set(pseudo.labels.tolist()) == {0, 2}
        assert pseudo.masks.shape == (len(pseudo), *one.attention.shape[1:])
        assert pseudo.masks.min() >= 0
        assert pseudo.masks.max() <= 1


def test_initial_weights_reach_the_stages():
    model = build_model()
    model.init_weights()
    cascade = model.cascade
    assert (cascade['classification'].attention.classifiers[0].weight == 0).all()
    assert cascade['detection'].box_head.fc_reg.weight.abs().max() < 0.01
    assert cascade['segmentation'].box_head.fc_cls.weight.abs().max() < 0.1
    assert (cascade['refinement'].mask_head.fcn.conv_logits.bias == 0).all()


def test_the_tensor_mode_gives_the_maps_of_the_backbone(model):
    maps = model(torch.randn(1, 3, 32, 64), mode='tensor')
    assert [tuple(one.shape[1:]) for one in maps] == [(24, 8, 16), (40, 4, 8), (112, 2, 4)]


def test_samples_given_are_not_changed_by_the_loss(model):
    img, sample = image()
    before = copy.deepcopy(sample)
    losses_of(model, (img, sample))
    assert sample.proposals.bboxes.equal(before.proposals.bboxes)
    assert set(sample.keys()) == set(before.keys())


BACKWARD = Curriculum(direction='backward', weights=dict(detection=0.5))


@pytest.fixture(scope='module')
def full_model():
    """Validates whatever the last stage finds."""
    return build_model(calibration=dict(mode='full', validation=0.0))


def set_curriculum(model, curriculum):
    model.set_active(STAGES, True)
    model.zero_grad()
    model.set_curriculum(curriculum)


def test_backward_teaches_the_stages_before_the_last_on_validated_labels(full_model):
    set_curriculum(full_model, BACKWARD)
    losses = losses_of(full_model, image(), image(seed=1))
    assert {name.split('.')[0] for name in losses} == {'classification', 'detection', 'refinement'}
    assert losses['classification.loss_region'] > 0
    assert full_model.training
    assert all(stage.training for stage in full_model.cascade.values())
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert learning_parts(full_model) == {'backbone', *STAGES[:-1]}


def test_weights_of_the_curriculum_scale_the_losses_of_their_stage(full_model):
    plain, weighed = ({}, {})
    for losses, weights in ((plain, {}), (weighed, dict(detection=0.5, refinement=0.0))):
        set_curriculum(full_model, Curriculum(weights=weights))
        losses |= losses_of(full_model, image())
    assert weighed['detection.loss_cls'] == 0.5 * plain['detection.loss_cls']
    assert weighed['refinement.loss_mask'] == 0
    assert weighed['segmentation.loss_cls'] == plain['segmentation.loss_cls']


def test_pseudo_instances_below_the_threshold_teach_nothing(full_model):
    set_curriculum(full_model, Curriculum(threshold=1.1))
    losses = losses_of(full_model, image())
    assert losses['detection.pseudo'] == 0
    assert losses['detection.loss_cls'] == 0
    assert losses['refinement.loss_mask'] == 0
    assert losses['classification.loss_image'] > 0


def test_forward_of_a_full_calibration_is_that_of_a_forward_one(full_model):
    set_curriculum(full_model, Curriculum())
    forward = build_model(calibration=dict(mode='forward'))
    forward.set_active(STAGES, True)
    losses, expected = losses_of(full_model, image()), losses_of(forward, image())
    assert losses.keys() == expected.keys()
    assert all(value.equal(losses[name]) for name, value in expected.items())


def test_without_calibration_a_backward_step_is_a_forward_one():
    model = build_model(calibration=dict(mode='off'))
    found = []
    for curriculum in (Curriculum(), Curriculum(direction='backward')):
        set_curriculum(model, curriculum)
        found.append(losses_of(model, image()))
    assert found[0].keys() == found[1].keys()
    assert all(value.equal(found[1][name]) for name, value in found[0].items())


def test_pseudo_instances_of_a_full_calibration_are_the_validated_ones(full_model):
    evidence = full_model.explain(collate(image()))[0]
    before = len(evidence.pseudo_instances)
    full_model.tested = 'calibration'
    try:
        result = predictions_of(full_model, image())[0].pred_instances
    finally:
        full_model.tested = 'segmentation'
    assert len(result) >= before
    assert set(result.labels.tolist()) <= {0, 2}
    assert result.scores.max() <= 1


def test_attention_is_the_mean_over_the_sizes_of_a_image():
    plain, several = build_model(), build_model(attention_scales=(1.5, 0.5))
    several.load_state_dict(plain.state_dict())
    sharpen = plain.calibration.sharpen
    # At every size a whole number of cells, so that no padding is seen.
    data = collate(image(128, 192))
    plain.eval()
    [found] = several.eval().explain(data)
    feats, [evidence] = plain.read(data)
    maps = []
    for scale in (1.0, 1.5, 0.5):
        view = rescaled(evidence, scale)
        feats = plain.backbone(view.image[None])
        stage = plain.cascade['classification'].attention
        [attention] = stage(feats, [view])
        attention = sharpen(feats, 0, attention, stage.stride, view.img_shape)
        # the largest view calls for half the stride
        maps.append(F.interpolate(attention[None], (32, 48), mode='bilinear')[0])
    assert found.attention_stride * 2 == sharpen.stride
    expected = torch.stack([m / m.amax((1, 2), keepdim=True) for m in maps]).mean(0)
    expected = expected / expected.amax((1, 2), keepdim=True)
    torch.testing.assert_close(found.attention, expected, rtol=0.0, atol=0.02)


def test_a_phase_may_train_at_one_size_and_predicts_at_all():
    plain, several = build_model(), build_model(attention_scales=(1.5,))
    several.load_state_dict(plain.state_dict())
    plain.set_active(STAGES, True)
    several.set_active(STAGES, True)
    torch.manual_seed(0)
    both = losses_of(several.train(), image())
    several.set_active(STAGES, True, views=False)
    torch.manual_seed(0)
    alone = losses_of(several.train(), image())
    torch.manual_seed(0)
    assert alone == losses_of(plain.train(), image())
    assert alone != both
    sizes = [len(m.eval().explain(collate(image()))[0].get('views', [])) for m in (plain, several)]
    assert sizes == [0, 1]


@pytest.mark.parametrize('changes', [{}, dict(calibration=dict(mode='off'))])
def test_views_train_and_leave_the_statistics_of_the_backbone(changes):
    model = build_model(attention_scales=(1.5,), **changes)
    model.backbone.norm_eval = False
    model.set_active(('detection',), True)
    model.train()
    last = [m for m in model.backbone.stages[4].modules() if isinstance(m, _BatchNorm)][-1]
    passes = []
    last.register_forward_hook(lambda module, *_: passes.append(module.training))
    before = last.num_batches_tracked.clone()
    losses = losses_of(model, image())
    assert all(torch.isfinite(value) for value in losses.values())
    assert last.num_batches_tracked == before + 1
    assert passes == ([True] if changes else [True, False])


def test_the_classifier_learns_from_every_size():
    plain, several = build_model(), build_model(attention_scales=(1.5,))
    several.load_state_dict(plain.state_dict())
    for model in (plain, several):
        model.set_active(('classification',), False)
    one, both = (losses_of(m, image())['classification.loss_image'] for m in (plain, several))
    [larger] = plain.read(collate(image()))[1]
    larger = rescaled(larger, 1.5)
    feats = plain.backbone(padded_input(larger, plain._padded(larger.img_shape)))
    logits = plain.cascade['classification'].attention.image_logits(feats, [larger.img_shape])
    alone = F.binary_cross_entropy_with_logits(logits[0], larger.tags, reduction='sum')
    torch.testing.assert_close(both, (one + alone) / 2)
