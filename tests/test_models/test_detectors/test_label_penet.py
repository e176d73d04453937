import copy

import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from mmlabelpenet.models import STAGES

from ..tiny import (
    BOX_HEAD,
    LEVELS,
    NUM_CLASSES,
    build_from,
    build_model,
    collate,
    image,
    learning_parts,
    losses_of,
    model_cfg,
    predictions_of,
    read_stage,
    train_as,
)

# Names of layers in the state dict, in the order of their registration.
ROI_FEATURES = ('fusion.projections.0', 'fusion.projections.1', 'fusion.norm', 'fcs.0', 'fcs.3')
BOX_HEAD_LAYERS = (*(f'roi_features.{name}' for name in ROI_FEATURES), 'fc_cls', 'fc_reg')
FUSION = ('fusion.projections.0', 'fusion.projections.1', 'fusion.projections.2', 'fusion.norm')
MASK_HEAD_LAYERS = (*FUSION, 'fcn.convs.0.conv', 'fcn.upsample', 'fcn.conv_logits')
SEMANTIC = ['calibration.semantic.bias', 'calibration.semantic.classifiers.0.weight']


def parameters_of(part, layers):
    return [f'{part}.{layer}.{kind}' for layer in layers for kind in ('weight', 'bias')]


def cascade_names():
    stage = 'cascade.classification'
    return [
        f'{stage}.attention.bias',
        f'{stage}.attention.classifiers.0.weight',
        *parameters_of(f'{stage}.roi_features', ROI_FEATURES),
        *parameters_of(stage, ('fc_class', 'fc_weight')),
        *parameters_of('cascade.detection.box_head', BOX_HEAD_LAYERS),
        *parameters_of('cascade.refinement.mask_head', MASK_HEAD_LAYERS),
        *parameters_of('cascade.segmentation.box_head', BOX_HEAD_LAYERS),
        *parameters_of('cascade.segmentation.mask_head', MASK_HEAD_LAYERS),
    ]


@pytest.mark.parametrize('semantic', [False, True])
def test_weights_keep_their_names_and_the_order_of_their_registration(semantic):
    # Released weights, initialisation and the sum of the gradient norm depend on both.
    config = dict(semantic=LEVELS) if semantic else {}
    model = build_model(calibration=dict(mode='full', refine=dict(type='PixelAffinity'), **config))
    parts = [name for name, _ in model.named_children()]
    assert parts == ['data_preprocessor', 'backbone', 'calibration', 'cascade']
    expected = [*(SEMANTIC if semantic else []), *cascade_names()]
    for names in (list(model.state_dict()), [name for name, _ in model.named_parameters()]):
        of_backbone = [name for name in names if name.startswith('backbone.')]
        assert len(of_backbone) > 100
        assert names == of_backbone + expected


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


@pytest.mark.parametrize('stage', [*STAGES, 'attention', 'calibration'])
def test_a_batch_gives_what_its_images_give_alone(model, stage):
    images = [image(64, 96), image(96, 64, seed=1), image(50, 70, seed=2), image(64, 96, seed=3)]
    together = read_stage(model, stage, *images)
    assert not torch.allclose(together[0].pred_image_scores, together[1].pred_image_scores)
    for one, result in zip(images, together):
        assert_same_result(result, read_stage(model, stage, one)[0])


def test_tag_losses_of_a_batch_are_the_mean_of_its_images(model):
    images = [image(64, 96, tags=(1, 0, 0)), image(96, 64, seed=1), image(50, 70, seed=2)]
    train_as(model, learning=('classification',), backbone=False)
    model.cascade['classification'].num_samples, kept = None, 6
    together = losses_of(model, *images)
    alone = [losses_of(model, one) for one in images]
    model.cascade['classification'].num_samples = kept
    for key, loss in together.items():
        mean = torch.stack([losses[key] for losses in alone]).mean()
        torch.testing.assert_close(loss, mean, atol=1e-4, rtol=1e-4)


def test_the_last_stage_is_read_by_default():
    assert build_model().test_stage == 'segmentation'
    assert build_model(cascade=dict(segmentation=None)).test_stage == 'refinement'


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
    cfg = model_cfg(
        cascade=dict(
            classification=dict(
                type='ClassificationStage',
                attention=dict(type='CAMAttention', **LEVELS),
                roi_features=BOX_HEAD['roi_features'],
            ),
            detection=dict(
                type='DetectionStage', box_head=BOX_HEAD | dict(num_branches=3, num_samples=None)
            ),
            refinement=None,
            segmentation=None,
        )
    )
    cfg['calibration'] = dict(type='MinedProposals', mining=dict(max_per_class=1))
    model = build_from(cfg).train()
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


def test_explain_gives_all_that_pictures_need(model):
    model.eval()
    evidence = model.explain(collate(image(), image(96, 64, seed=1)))
    for one in evidence:
        assert one.attention.values.shape[0] == NUM_CLASSES
        assert len(one.proposals.scores) == len(one.proposals.bboxes) == 8
        pseudo = one.pseudo_instances
        assert set(pseudo.labels.tolist()) == {0, 2}
        assert pseudo.masks.shape == (len(pseudo), *one.attention.values.shape[1:])
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


def test_the_loss_does_not_change_the_samples(model):
    img, sample = image()
    before = copy.deepcopy(sample)
    losses_of(model, (img, sample))
    assert sample.proposals.bboxes.equal(before.proposals.bboxes)
    assert set(sample.keys()) == set(before.keys())
