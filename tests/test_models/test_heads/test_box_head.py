import pytest
import torch

from mmlabelpenet.models import WeakBoxHead
from mmlabelpenet.models.task_modules import IGNORED

from ..tiny import NUM_CLASSES, ROI_FEATURES, boxes_in, pseudo_of, random_feats

PSEUDO = pseudo_of([[10.0, 10, 50, 50]], [1], [0.8])
# of the pseudo box: itself, IoU .5, IoU .2, none
BOXES = torch.tensor([[10.0, 10, 50, 50], [10, 10, 50, 30], [10, 10, 50, 18], [60, 10, 90, 40]])


def build_head(**changes):
    return WeakBoxHead(NUM_CLASSES, ROI_FEATURES, **(dict(num_samples=None) | changes))


def assigned(head, bboxes, pseudo):
    return head.assign([bboxes], [pseudo])[0]


def leaves(count=4):
    logits = torch.randn(count, NUM_CLASSES + 1, requires_grad=True)
    return logits, torch.randn(count, 4, requires_grad=True)


def test_weights_scale_the_loss():
    head, (logits, deltas) = build_head(), leaves()
    whole, half = (
        head.loss(logits, deltas, [assigned(head, BOXES, pseudo_of(PSEUDO.bboxes, [1], [w]))])
        for w in (0.8, 0.4)
    )
    for name in ('loss_cls', 'loss_bbox'):
        assert whole[name].item() == pytest.approx(2 * half[name].item())
        assert whole[name] > 0


def test_losses_by_hand():
    head = build_head(regression_weight=3.0)
    logits, deltas = torch.zeros(4, NUM_CLASSES + 1), torch.zeros(4, 4)
    losses = head.loss(logits, deltas, [assigned(head, BOXES, PSEUDO)])
    # three regions count, each of weight .8, four equal logits; no region of IoU 0
    assert losses['loss_cls'].item() == pytest.approx(0.8 * torch.tensor(4.0).log().item())
    # the second box: its centre is 10 too high (by 20 in height), it is half as high
    dy, dh = 0.5 / 0.1, torch.tensor(2.0).log().item() / 0.2
    expected = 3 * 0.8 * ((dy - 0.5) + (dh - 0.5)) / 3
    assert losses['loss_bbox'].item() == pytest.approx(expected, rel=1e-5)


def test_ignored_regions_give_no_gradient_and_background_regresses_no_box():
    head, (logits, deltas) = build_head(), leaves()
    regions = assigned(head, BOXES, PSEUDO)
    assert regions.labels.tolist() == [1, 1, NUM_CLASSES, IGNORED]
    sum(head.loss(logits, deltas, [regions]).values()).backward()
    assert (logits.grad[3] == 0).all()
    assert (logits.grad[:3] != 0).all()
    assert (deltas.grad[2:] == 0).all()
    assert (deltas.grad[1] != 0).all()


def test_without_pseudo_instances_all_learn_background():
    head, (logits, deltas) = build_head(), leaves()
    losses = head.loss(logits, deltas, [assigned(head, BOXES, pseudo_of([], []))])
    sum(losses.values()).backward()
    assert losses['loss_bbox'] == 0
    assert (logits.grad[:, NUM_CLASSES] < 0).all()
    assert (logits.grad[:, :NUM_CLASSES] > 0).all()


def test_regions_without_area_leave_the_loss_finite():
    head, (logits, deltas) = build_head(neg_iou=(0.0, 0.5)), leaves(2)
    flat = torch.tensor([[10.0, 10, 50, 50], [20, 20, 20, 20]])
    losses = head.loss(logits, deltas, [assigned(head, flat, PSEUDO)])
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert deltas.grad.isfinite().all()


def test_sampling_adds_the_pseudo_boxes_and_keeps_to_its_number():
    head = build_head(num_samples=6, pos_fraction=0.5)
    regions = head.sample([BOXES[1:]], [PSEUDO])[0]
    assert len(regions) == 4
    assert (regions.bboxes == PSEUDO.bboxes).all(1).any()
    assert len(head.sample([boxes_in(64, 96, 50)], [PSEUDO])[0]) == 6
    assert len(build_head().sample([boxes_in(64, 96, 50)], [PSEUDO])[0]) == 51


def test_class_logits_and_deltas_have_their_shapes():
    head = build_head(num_branches=3)
    logits, deltas = head(random_feats(batch=2), [BOXES, BOXES[:2]])
    assert tuple(logits.shape) == (6, 3, NUM_CLASSES + 1)
    assert tuple(deltas.shape) == (6, 4)
    assert build_head(with_regression=False)(random_feats(), [BOXES])[1] is None


def test_scores_are_the_mean_of_the_branches_and_boxes_stay_in_the_image():
    head = build_head(num_branches=2).eval()
    torch.nn.init.normal_(head.fc_reg.weight, std=3)
    feats = random_feats(batch=2)
    bboxes = [boxes_in(60, 90, 5), boxes_in(64, 96, 3, seed=1)]
    results = head.scores_and_boxes(feats, bboxes, [(60, 90), (64, 96)])
    logits = head(feats, bboxes)[0]
    expected = (logits[:5, 0].softmax(-1) + logits[:5, 1].softmax(-1)) / 2
    torch.testing.assert_close(results[0][0], expected[:, :NUM_CLASSES])
    assert [len(scores) for scores, _ in results] == [5, 3]
    moved = results[0][1]
    assert moved.min() >= 0
    assert moved[:, [0, 2]].max() <= 90
    assert moved[:, [1, 3]].max() <= 60
    assert (moved - bboxes[0]).abs().max() > 1


@pytest.mark.parametrize(
    ('deltas', 'expected'),
    [
        # by a side to the right and three quarters of one down, then up and to the left
        ([10.0, 7.5, 0, 0], [60.0, 32.5, 90, 60]),
        ([-10.0, -7.5, 0, 0], [0.0, 0, 20, 17.5]),
        # e^2 times as large
        ([0.0, 0, 10, 10], [0.0, 0, 90, 60]),
    ],
)
def test_boxes_are_clipped_to_their_image_without_padding(deltas, expected):
    head = build_head().eval()
    torch.nn.init.zeros_(head.fc_reg.weight)
    head.fc_reg.bias.data = torch.tensor(deltas)
    box = torch.tensor([[20.0, 10, 60, 40]])
    ((_, moved),) = head.scores_and_boxes(random_feats(), [box], [(60, 90)])
    torch.testing.assert_close(moved[0], torch.tensor(expected))


def test_without_regression_boxes_stay():
    head = build_head(with_regression=False).eval()
    ((_, bboxes),) = head.scores_and_boxes(random_feats(), [BOXES], [(64, 96)])
    assert bboxes.equal(BOXES)


def test_output_layers_start_narrow():
    head = build_head()
    head.init_weights()
    assert head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.5)
    assert head.fc_reg.weight.abs().max() < 0.01


def test_a_cluster_has_one_loss_as_a_bag():
    head = build_head(loss_clusters=True, with_regression=False)
    logits = torch.zeros(4, NUM_CLASSES + 1)
    logits[0, 1] = 2.0
    regions = assigned(head, BOXES, PSEUDO)
    loss = head.loss(logits, None, [regions])['loss_cls']
    probability = logits.softmax(1)
    bag = 0.8 * 2 * -probability[:2, 1].mean().log()
    background = 0.8 * -probability[2, NUM_CLASSES].log()
    assert loss.item() == pytest.approx(((bag + background) / 3).item())


def test_bags_of_two_images_stay_apart():
    head = build_head(loss_clusters=True, with_regression=False)
    torch.manual_seed(0)
    logits = torch.randn(8, NUM_CLASSES + 1)
    regions = [assigned(head, BOXES, PSEUDO), assigned(head, BOXES, PSEUDO)]
    together = head.loss(logits, None, regions)['loss_cls']
    alone = [head.loss(part, None, [regions[0]])['loss_cls'] for part in logits.split(4)]
    assert together.item() == pytest.approx((sum(alone) / 2).item())


def test_bags_need_all_regions():
    with pytest.raises(ValueError, match='num_samples=None'):
        build_head(loss_clusters=True, num_samples=8)
