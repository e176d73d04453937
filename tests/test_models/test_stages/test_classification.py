import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import ClassificationStage, WSDDNLoss
from mmlabelpenet.models.calibration import contrast_energy

from ..tiny import (
    LEVELS,
    NUM_CLASSES,
    ROI_FEATURES,
    boxes_in,
    evidence_of,
    pseudo_of,
    random_feats,
    with_feats,
)


def build_stage(**changes):
    stage = ClassificationStage(
        NUM_CLASSES,
        attention=dict(type='CAMAttention', **LEVELS),
        **(dict(roi_features=ROI_FEATURES) | changes),
    )
    torch.nn.init.normal_(stage.attention.classifiers[0].weight)
    return stage


def image_evidence(tags=(1.0, 0.0, 0.0), count=9, known=(1.0, 1.0, 1.0), feats=None):
    return evidence_of(
        64,
        96,
        feats=feats or random_feats(),
        tags=torch.tensor(tags),
        known=torch.tensor(known),
        proposals=InstanceData(bboxes=boxes_in(64, 96, count)),
    )


def test_proposal_scores_sum_to_image_scores_within_0_and_1():
    stage = build_stage()
    boxes = [boxes_in(64, 96, 5), boxes_in(64, 96, 3)]
    scores = stage.proposal_scores(random_feats(batch=2), boxes)
    assert [tuple(s.shape) for s in scores] == [(5, NUM_CLASSES), (3, NUM_CLASSES)]
    for one in scores:
        assert (one.sum(0) > 0).all()
        assert (one.sum(0) < 1).all()


def test_with_context_a_proposal_s_weight_is_relative_to_its_surroundings():
    level = dict(**LEVELS, levels=(1,), out_channels=None)
    mean = dict(fusion=level, roi_size=3, num_fcs=1, fc_channels=1)
    plain = build_stage(roi_features=mean)
    contrast = build_stage(roi_features=dict(mean, context=1.8))
    for stage in (plain, contrast):
        torch.nn.init.constant_(stage.roi_features.fcs[0].weight, 0.01)
        torch.nn.init.zeros_(stage.roi_features.fcs[0].bias)
        torch.nn.init.zeros_(stage.fc_class.weight)
        torch.nn.init.constant_(stage.fc_weight.weight, 1.0)
    feats = [torch.zeros_like(one) for one in random_feats()]
    feats[1][:, :, 2:6, 4:8] = 1.0
    part, whole = [44.0, 28, 52, 36], [36.0, 20, 60, 44]
    boxes = [torch.tensor([part, whole])]
    [[of_part, of_whole]] = plain.proposal_scores(feats, boxes)
    torch.testing.assert_close(of_part, of_whole)
    [[of_part, of_whole]] = contrast.proposal_scores(feats, boxes)
    assert (of_whole > 1.5 * of_part).all()


def test_contrast_of_whole_scores_takes_the_ring_off_both_streams():
    level = dict(**LEVELS, levels=(1,), out_channels=None)
    mean = dict(fusion=level, roi_size=4, num_fcs=0, fc_channels=40, context=2.0)
    stage = build_stage(roi_features=dict(mean, with_avg_pool=True), contrast_classes=True)
    # every class and every weight is the mean of the first channel times a factor of its class
    for linear, factors in ((stage.fc_class, (1.0, 2.0, 3.0)), (stage.fc_weight, (1.0, -1.0, 0))):
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.normal_(linear.bias)
        linear.weight.data[:, 0] = torch.tensor(factors)
    feats = [torch.full_like(one, 3.0) for one in random_feats(128, 256)]
    feats[1][:, :, 4:11, 4:11] = 1.0
    # a region of ones whose ring holds threes, and a region like its ring
    boxes = torch.tensor([[34.0, 34, 86, 86], [160, 40, 192, 72]])
    [scores] = stage.proposal_scores(feats, [boxes])
    class_logits = torch.tensor([[-2.0, -4.0, -6.0], [0, 0, 0]])
    weight_logits = torch.tensor([[-2.0, 2.0, 0.0], [0, 0, 0]])
    torch.testing.assert_close(scores, class_logits.softmax(1) * weight_logits.softmax(0))


def test_the_loss_of_images_is_the_sum_over_classes_and_the_mean_over_images():
    stage = build_stage(roi_features=None, loss_image_weight=2.0)
    torch.nn.init.zeros_(stage.attention.classifiers[0].weight)
    feats = random_feats(batch=2)
    evidence = with_feats(feats, [image_evidence(), image_evidence((0, 0, 0.0))])
    losses = stage.loss(feats, evidence)
    assert losses.keys() == {'loss_image'}
    assert losses['loss_image'].item() == pytest.approx(2 * NUM_CLASSES * math.log(2))


def test_scales_of_images_count_like_the_images():
    stage, feats = build_stage(roi_features=None), random_feats(batch=2)
    evidence = with_feats(feats, [image_evidence(), image_evidence((0.0, 1.0, 0.0))])
    plain = stage.loss(feats, evidence)['loss_image']
    larger = [
        evidence_of(
            96, 144, feats=random_feats(96, 144, seed=seed), tags=one.tags, known=one.known
        )
        for seed, one in enumerate(evidence)
    ]
    scaled = sum(stage.loss(one.feats, [one])['loss_image'] for one in larger) / 2
    for one, scale in zip(evidence, larger):
        one.scales = [scale]
    torch.testing.assert_close(stage.loss(feats, evidence)['loss_image'], (plain + scaled) / 2)


def test_a_class_whose_absence_is_not_known_has_no_loss():
    stage, feats = build_stage(), random_feats()
    unsure = image_evidence(known=(1.0, 0.0, 1.0), feats=feats)
    stage.loss(feats, [unsure])['loss_image'].backward()
    gradient = stage.attention.bias.grad
    assert gradient[1] == 0
    assert gradient[0] < 0 < gradient[2]


def test_steps_on_the_loss_raise_the_score_of_the_tagged_class():
    stage, feats = build_stage(), random_feats()
    evidence = [image_evidence(feats=feats)]
    optimizer = torch.optim.SGD(stage.parameters(), lr=0.05)
    first = stage.image_scores(evidence)[0]
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = sum(stage.loss(feats, evidence).values())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    last = stage.image_scores(evidence)[0]
    assert losses[-1] < losses[0]
    assert last[0] > max(first[0], 0.5)
    assert last[1] < 0.5
    assert last[2] < 0.5


@pytest.mark.parametrize('loss', ['WSDDNLoss', 'SoftmaxTagLoss'])
@pytest.mark.parametrize('count', [1, 9])
def test_streams_learn_from_any_number_of_proposals(loss, count):
    stage = build_stage(loss_cls=dict(type=loss), num_samples=4)
    losses = stage.loss(random_feats(), [image_evidence(count=count)])
    assert losses['loss_proposals'].isfinite()
    losses['loss_proposals'].backward()
    assert stage.fc_class.weight.grad.abs().sum() > 0


def test_at_most_num_samples_proposals_are_drawn():
    stage = build_stage(num_samples=4)
    boxes = boxes_in(64, 96, 9)
    drawn = stage._drawn([image_evidence()])[0]
    assert len(drawn) == 4
    assert (drawn[:, None] == boxes[None]).all(2).any(1).all()
    assert len(drawn.unique(dim=0)) == 4
    few = image_evidence(count=3)
    assert stage._drawn([few])[0].equal(few.proposals.bboxes)


def test_propagate_adds_fields_and_leaves_the_given_evidence():
    stage, before = build_stage().eval(), image_evidence()
    after = stage.propagate(random_feats(), [before])[0]
    assert tuple(after.attention.values.shape) == (NUM_CLASSES, 4, 6)
    assert after.attention.stride == 16
    # divided by its maximum, or empty
    assert set(after.attention.values.amax((1, 2)).tolist()) == {0.0, 1.0}
    assert tuple(after.proposals.scores.shape) == (9, NUM_CLASSES)
    assert not after.proposals.scores.requires_grad
    assert not after.attention.values.requires_grad
    assert 'attention' not in before
    assert 'scores' not in before.proposals


def test_scales_get_attention_alone():
    stage, before = build_stage().eval(), image_evidence()
    scaled = evidence_of(96, 144, feats=random_feats(96, 144), tags=before.tags)
    before.scales = [scaled]
    [after] = stage.propagate(before.batch_feats, [before])[0].scales
    assert after.attention.values.equal(stage.attention(scaled).values)
    assert tuple(after.attention.values.shape) == (NUM_CLASSES, 6, 9)
    assert 'image_scores' not in after
    assert 'attention' not in scaled


def test_without_scores_of_the_streams_all_proposals_score_as_the_image():
    for changes in (dict(roi_features=None), dict(score_proposals=False)):
        after = build_stage(**changes).propagate(random_feats(), [image_evidence()])[0]
        assert after.proposals.scores.equal(after.image_scores.expand(9, -1))


def test_negative_scores_of_the_softmax_loss_are_propagated_as_zero():
    stage = build_stage(loss_cls=dict(type='SoftmaxTagLoss'))
    torch.nn.init.constant_(stage.fc_class.bias, -5.0)
    after = stage.propagate(random_feats(), [image_evidence()])[0]
    assert (after.proposals.scores == 0).all()


def test_on_the_way_back_the_classifier_learns_from_each_pseudo_instance():
    stage = build_stage(roi_features=None)
    torch.nn.init.zeros_(stage.attention.classifiers[0].weight)
    evidence = image_evidence((1.0, 1.0, 0.0))
    evidence.pseudo_instances = pseudo_of([[0.0, 0, 40, 40], [20, 20, 60, 60]], [0, 1], [0.9, 0.3])
    losses = stage.loss(random_feats(), [evidence])
    # its own class and the untagged one count, the other tagged class does not; a weighted mean
    assert losses['loss_region'].item() == pytest.approx(2 * math.log(2), rel=1e-5)
    evidence.pseudo_instances.weights = torch.zeros(2)
    assert stage.loss(random_feats(), [evidence])['loss_region'] == 0
    evidence.pseudo_instances = evidence.pseudo_instances[:0]
    assert stage.loss(random_feats(), [evidence])['loss_region'] == 0


def test_energy_of_the_raw_attention_scores_proposals_relative_to_the_best():
    stage = build_stage(roi_features=None, energy_threshold=0.3)
    evidence = image_evidence()
    after = stage.propagate(evidence.batch_feats, [evidence])[0]
    energy = contrast_energy(stage.attention(evidence), evidence.proposals.bboxes, 0.3)
    assert (energy.amax(0) > 0).all()
    expected = after.image_scores * energy / energy.amax(0)
    assert torch.allclose(after.proposals.scores, expected)
    assert torch.allclose(after.proposals.scores.amax(0), after.image_scores)


def test_key_pixels_of_the_best_proposal_join_the_attention_of_its_class():
    torch.manual_seed(0)
    plain, keyed = build_stage(), build_stage(key_regions=1)
    plain.attention.classifiers[0].weight.data.abs_()
    keyed.load_state_dict(plain.state_dict())
    evidence = image_evidence(tags=(1.0, 0.0, 1.0))
    evidence.proposals = InstanceData(bboxes=torch.tensor([[8.0, 8, 24, 24]]))
    [before], [after] = (
        one.eval().propagate(evidence.feats, [evidence]) for one in (plain, keyed)
    )
    old, new = before.attention, after.attention
    assert new.stride == old.stride
    assert torch.equal(new.values[1], old.values[1])  # the class without a tag
    rows = torch.arange(old.values.shape[1]) * old.stride
    columns = torch.arange(old.values.shape[2]) * old.stride
    margin = 2 * keyed.roi_features.fusion.stride  # interpolation reaches so far
    outside = ((rows < 8 - margin) | (rows > 24 + margin))[:, None] | (
        (columns < 8 - margin) | (columns > 24 + margin)
    )
    for label in (0, 2):
        # Elsewhere the attention stays what it was, up to the maximum that it is divided by.
        ratio = new.values[label] / old.values[label].clamp(min=1e-6)
        seen = outside & (old.values[label] > 1e-3)
        assert seen.any()
        torch.testing.assert_close(ratio[seen], ratio[seen].max().expand(int(seen.sum())))
        assert not torch.allclose(new.values[label], old.values[label])
        assert new.values[label].max() == 1


def test_key_pixels_need_proposal_streams():
    with pytest.raises(ValueError, match='key_regions needs the scores'):
        build_stage(roi_features=None, key_regions=3)


def test_further_classes_do_not_weaken_the_tag_losses_of_an_image():
    """The losses are sums over classes: means would teach each of 80 classes a quarter of 20."""
    gradients, feats = [], random_feats()
    for count in (20, 80):
        tags = torch.zeros(count)
        tags[1] = 1
        stage = ClassificationStage(count, attention=dict(type='CAMAttention', **LEVELS))
        torch.nn.init.zeros_(stage.attention.classifiers[0].weight)
        evidence = image_evidence(tags=tags.tolist(), known=[1.0] * count, feats=feats)
        stage.loss(evidence.feats, [evidence])['loss_image'].backward()
        scores = torch.full((5, count), 0.1, requires_grad=True)
        WSDDNLoss()(scores, tags).backward()
        gradients.append((stage.attention.bias.grad[:20], scores.grad[:, :20]))
    for few, many in zip(*gradients):
        torch.testing.assert_close(few, many)
