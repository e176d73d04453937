import pytest
import torch
import torch.nn.functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from mmlabelpenet.models.detectors.features import (
    FurtherScales,
    image_evidence,
    padded_size,
    rescaled,
)
from mmlabelpenet.models.refiners import refine
from mmlabelpenet.structures import Maps, Step

from ..tiny import (
    STRIDES,
    build_model,
    build_uncalibrated,
    collate,
    evidence_of,
    image,
    losses_of,
    read_stage,
    train_as,
)

DIVISOR = 32


def models_at(*scales):
    """Two models of the same weights: at the input's scale alone, and at further ones too."""
    plain, several = build_model(), build_model(attention_scales=scales)
    several.load_state_dict(plain.state_dict())
    return plain, several


def test_features_of_a_batch_are_those_of_its_images_and_the_border_repeated(model):
    model.eval()
    data = model.data_preprocessor(collate(image(32, 64), image(64, 32, seed=1)), False)
    batch = model.extract_feat(data['inputs'], [(32, 64), (64, 32)])
    alone = model.extract_feat(data['inputs'][:1, :, :32, :64], [(32, 64)])
    for maps, single, stride in zip(batch, alone, STRIDES):
        assert tuple(maps.shape[2:]) == (64 // stride, 64 // stride)
        torch.testing.assert_close(maps[:1, :, : 32 // stride], single)
        below = maps[0, :, 32 // stride :]
        assert below.equal(single[0, :, -1:].expand_as(below))


def test_images_are_padded_to_multiples_of_the_divisor():
    assert padded_size((64, 96), DIVISOR) == (64, 96)
    assert padded_size((65, 1), DIVISOR) == (96, 32)
    assert padded_size((5, 7), 1) == (5, 7)


@pytest.mark.parametrize('scale', [0.5, 1.5])
def test_an_image_at_another_scale_is_the_same_kind_of_value(scale):
    pixels = torch.rand(3, 41, 50)
    evidence = evidence_of(41, 50, image=pixels, tags=torch.tensor([1.0, 0.0, 1.0]), index=1)
    scaled, inputs = rescaled(evidence, scale, DIVISOR)
    height, width = round(41 * scale), round(50 * scale)
    assert scaled.img_shape == scaled.image.shape[1:] == (height, width)
    assert scaled.tags is evidence.tags
    assert scaled.ori_shape == evidence.ori_shape
    # It is a batch of its own, whatever the image's place in the batch.
    assert scaled.get('index', 0) == 0
    assert inputs.shape == (1, 3, *padded_size((height, width), DIVISOR))
    assert inputs[0, :, :height, :width].equal(scaled.image)
    assert inputs[..., height:, :].abs().sum() == inputs[..., width:].abs().sum() == 0
    assert scaled.image.mean().item() == pytest.approx(pixels.mean().item(), abs=0.02)


def test_no_side_of_a_rescaled_image_is_empty():
    scaled, inputs = rescaled(evidence_of(1, 40, image=torch.rand(3, 1, 40)), 0.2, DIVISOR)
    assert scaled.img_shape == (1, 8)
    assert inputs.shape == (1, 3, 32, 32)


def test_further_scales_are_computed_once_and_only_when_they_are_read():
    made = []
    scales = FurtherScales(lambda scale: made.append(scale) or evidence_of(4, 4), (0.5, 1.5))
    assert made == []
    first, again = list(scales), list(scales)
    assert len(first) == 2
    assert all(one is other for one, other in zip(first, again))
    assert made == [0.5, 1.5]


def test_attention_is_the_mean_over_the_scales_of_an_image():
    plain, several = models_at(1.5, 0.5)
    [sharpen], source = plain.calibration.sharpen, plain.cascade['classification'].attention
    # At every scale a whole number of cells, so that no padding is seen.
    data = collate(image(128, 192))
    plain.eval()
    [found] = several.eval().explain(data)
    [evidence] = plain.read_evidence(data)
    maps = []
    for scale in (1.0, 1.5, 0.5):
        scaled, _ = rescaled(evidence, scale, DIVISOR)
        scaled.batch_feats = plain.backbone(scaled.image[None])
        attention = refine([sharpen], scaled, source(scaled)).values
        # The largest scale is read on a grid of half the stride.
        maps.append(F.interpolate(attention[None], (32, 48), mode='bilinear')[0])
    assert found.attention.stride * 2 == sharpen.stride
    expected = torch.stack([Maps(one, 4).normalise().values for one in maps]).mean(0)
    expected = expected / expected.amax((1, 2), keepdim=True)
    torch.testing.assert_close(found.attention.values, expected, rtol=0.0, atol=0.02)


@pytest.mark.parametrize('stage', ['classification', 'calibration'])
def test_a_batch_at_several_scales_gives_what_its_images_give_alone(stage):
    model = build_model(attention_scales=(1.5, 0.5))
    images = [image(64, 96), image(96, 64, seed=1), image(64, 96, seed=2)]
    together = read_stage(model, stage, *images)
    for one, result in zip(images, together):
        [alone] = read_stage(model, stage, one)
        for name in ('bboxes', 'scores'):
            torch.testing.assert_close(
                result.pred_instances[name], alone.pred_instances[name], atol=1e-4, rtol=1e-4
            )


def test_a_phase_may_train_at_one_scale_and_predicts_at_all():
    plain, several = models_at(1.5)
    both = losses_of(train_as(several), image())
    alone = losses_of(train_as(several, scales=False), image())
    assert alone == losses_of(train_as(plain), image())
    assert alone != both
    counts = [len(list(m.eval().explain(collate(image()))[0].scales)) for m in (plain, several)]
    assert counts == [0, 1]


@pytest.mark.parametrize('build', [build_model, build_uncalibrated])
def test_further_scales_train_and_leave_the_statistics_of_the_backbone(build):
    model = build(attention_scales=(1.5,))
    model.backbone.norm_eval = False
    train_as(model, learning=('detection',))
    last = [m for m in model.backbone.stages[4].modules() if isinstance(m, _BatchNorm)][-1]
    passes = []
    last.register_forward_hook(lambda module, *_: passes.append(module.training))
    before = last.num_batches_tracked.clone()
    losses = losses_of(model, image())
    assert all(torch.isfinite(value) for value in losses.values())
    assert last.num_batches_tracked == before + 1
    assert passes == [True, False]


@pytest.mark.parametrize('build', [build_model, build_uncalibrated])
def test_without_further_scales_the_backbone_sees_an_image_once(build):
    model = train_as(build(), learning=('detection',))
    passes = []
    model.backbone.register_forward_hook(lambda module, *_: passes.append(module.training))
    losses_of(model, image())
    assert passes == [True]


def test_the_classifier_learns_from_every_scale():
    plain, several = models_at(1.5)
    for model in (plain, several):
        train_as(model, learning=('classification',), backbone=False)
    one, both = (losses_of(m, image())['classification.loss_image'] for m in (plain, several))
    [evidence] = plain.read_evidence(collate(image()))
    larger, inputs = rescaled(evidence, 1.5, DIVISOR)
    larger.batch_feats = plain.backbone(inputs)
    logits = plain.cascade['classification'].attention.image_logits([larger])
    alone = F.binary_cross_entropy_with_logits(logits[0], larger.tags, reduction='sum')
    torch.testing.assert_close(both, (one + alone) / 2)


@pytest.mark.parametrize('learns', [False, True])
def test_only_a_backbone_that_learns_has_a_graph(model, learns):
    model.step = Step(backbone=learns)
    model.backbone.requires_grad_(True)
    maps = model.extract_feat(torch.randn(1, 3, 64, 96))
    assert all(level.requires_grad is learns for level in maps)
    evidence = model.evidence(torch.randn(1, 3, 64, 96), [image()[1]])
    assert all(level.requires_grad is learns for level in evidence[0].feats)


def test_classes_with_difficult_objects_only_are_unknown():
    inputs, sample = image(tags=(1, 0, 0))
    assert image_evidence(inputs, sample, tagged=True).known.tolist() == [1, 1, 1]
    sample.ignored_tags = torch.tensor([0.0, 1, 0])
    evidence = image_evidence(inputs, sample, tagged=True)
    assert evidence.tags.tolist() == [1, 0, 0]
    assert evidence.known.tolist() == [1, 0, 1]
    assert 'known' not in image_evidence(inputs, sample, tagged=False)


def test_the_tag_of_a_class_with_difficult_objects_only_teaches_nothing(model):
    bias = model.cascade['classification'].attention.bias
    img, sample = image(tags=(1, 0, 0))
    losses_of(train_as(model, learning=('classification',)), (img, sample))[
        'classification.loss_image'
    ].backward()
    assert (bias.grad != 0).all()
    model.zero_grad()
    sample.ignored_tags = torch.tensor([0.0, 1, 0])
    losses_of(model, (img, sample))['classification.loss_image'].backward()
    assert bias.grad.ne(0).tolist() == [True, False, True]
