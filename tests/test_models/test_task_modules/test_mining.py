import pytest
import torch
from mmcv.ops import batched_nms

from mmlabelpenet.models.task_modules import (
    mine,
    mine_pseudo_instances,
    mine_top_proposals,
    select_detections,
)
from mmlabelpenet.testing import DeviceWaits

# three boxes far apart, and one almost on the first
APART = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 0, 10, 9]])


def mined_of(*image, **settings):
    """Pseudo instances of one image."""
    [found] = mine_pseudo_instances(*([part] for part in image), **settings)
    return found


def column(*scores):
    return torch.tensor(scores)[:, None]


def test_the_best_box_of_a_tagged_class_is_taken_however_low():
    mined = mined_of(APART, column(1e-9, 0, 0, 0), torch.ones(1))
    assert mined.bboxes[0].tolist() == [0, 0, 10, 10]
    mined = mined_of(APART, torch.zeros(4, 1), torch.ones(1))
    assert len(mined) >= 1


def test_further_boxes_must_reach_a_share_of_the_best_score():
    mined = mined_of(APART, column(1.0, 0.7, 0.69, 0.1), torch.ones(1))
    assert mined.bboxes[:, 0].tolist() == [0, 20]
    mined = mined_of(APART, column(1.0, 0.7, 0.69, 0.1), torch.ones(1), keep_ratio=0.5)
    assert mined.bboxes[:, 0].tolist() == [0, 20, 40]
    assert mined.scores.tolist() == pytest.approx([1.0, 0.7, 0.69])


def test_nms_removes_the_lower_of_two_boxes_in_one_place():
    mined = mined_of(APART, column(0.9, 0.0, 0.0, 1.0), torch.ones(1))
    assert mined.bboxes.tolist() == [[0, 0, 10, 9]]


def test_nms_is_done_for_each_class():
    scores = torch.tensor([[1.0, 0.9], [0, 0], [0, 0], [0.9, 1.0]])
    mined = mined_of(APART, scores, torch.ones(2))
    assert mined.labels.tolist() == [0, 1]
    assert mined.bboxes[:, 3].tolist() == [10, 9]


def test_at_most_five_boxes_of_each_class():
    x = torch.arange(8.0) * 20
    bboxes = torch.stack([x, x * 0, x + 10, x * 0 + 10], dim=1)
    scores = torch.stack([1 - 0.01 * torch.arange(8.0), 0.9 + 0.01 * torch.arange(8.0)], dim=1)
    mined = mined_of(bboxes, scores, torch.ones(2))
    assert mined.labels.tolist() == [0] * 5 + [1] * 5
    assert mined.bboxes[:5, 0].tolist() == [0, 20, 40, 60, 80]
    assert mined.bboxes[5:, 0].tolist() == [140, 120, 100, 80, 60]


def test_untagged_classes_are_never_mined():
    scores = torch.rand(4, 3) + 0.1
    mined = mined_of(APART, scores, torch.tensor([0.0, 1.0, 0.0]))
    assert set(mined.labels.tolist()) == {1}
    assert len(mined_of(APART, scores, torch.zeros(3))) == 0


def test_only_the_best_candidates_take_part():
    mined = mined_of(APART, column(1.0, 0.9, 0.8, 0.0), torch.ones(1), num_candidates=2)
    assert len(mined) == 2


def top_of(scores, tags=(1.0,), bboxes=APART, **settings):
    """MIST's pseudo instances of one image."""
    [found] = mine_top_proposals([bboxes], [scores], [torch.tensor(tags)], **settings)
    return found


def test_a_portion_of_the_proposals_is_mined_whatever_the_scores():
    scores = column(1.0, 0.01, 1e-6, 0.9)
    assert top_of(scores, portion=0.25).bboxes[:, 0].tolist() == [0]
    # the fourth box is removed by the first, and still one of the portion
    assert top_of(scores, portion=0.5).bboxes[:, 0].tolist() == [0]
    assert top_of(scores, portion=0.75).bboxes[:, 0].tolist() == [0, 20]
    mined = top_of(scores, portion=1.0)
    assert mined.bboxes[:, 0].tolist() == [0, 20, 40]
    assert mined.scores.tolist() == pytest.approx([1.0, 0.01, 1e-6])


def test_the_portion_is_rounded_up_so_that_a_class_is_never_without_instance():
    assert len(top_of(column(0, 0, 0, 0.0), portion=0.01)) == 1
    assert top_of(column(0.1, 0.2, 0.3, 0), portion=0.26).bboxes[:, 0].tolist() == [40, 20]


def test_boxes_of_a_portion_overlap_by_a_fifth_at_most():
    # IoU with the first: 1/5 and 1/3
    bboxes = torch.tensor([[0.0, 0, 6, 10], [4, 0, 10, 10], [3, 0, 9, 10]])
    scores = column(0.9, 0.8, 0.7)
    assert len(top_of(scores, bboxes=bboxes, portion=1.0)) == 2
    assert len(top_of(scores, bboxes=bboxes, portion=1.0, iou_threshold=0.4)) == 2
    assert len(top_of(scores, bboxes=bboxes, portion=1.0, iou_threshold=0.19)) == 1


def test_the_portion_of_an_image_does_not_depend_on_the_batch():
    images = [(boxes, torch.rand(len(boxes), 2), torch.ones(2)) for boxes in (APART, APART[:2])]
    together = mine_top_proposals(*zip(*images), portion=0.5)
    assert together[1].labels.tolist() == [0, 1]
    for image, found in zip(images, together):
        [alone] = mine_top_proposals(*([part] for part in image), portion=0.5)
        assert all(found[key].equal(alone[key]) for key in ('bboxes', 'labels', 'scores'))


def test_there_are_no_top_proposals_of_untagged_classes():
    scores = torch.rand(4, 3)
    assert set(top_of(scores, (0.0, 1.0, 0.0), portion=1.0).labels.tolist()) == {1}
    assert len(top_of(scores, (0.0, 0.0, 0.0), portion=1.0)) == 0


@pytest.mark.parametrize('seed', range(4))
def test_top_proposals_are_those_of_nms_among_them(seed):
    generator = torch.Generator().manual_seed(seed)
    near = torch.rand(200, 2, generator=generator) * 200
    bboxes = torch.cat([near, near + 5 + torch.rand(200, 2, generator=generator) * 60], dim=1)
    scores = torch.rand(200, 3, generator=generator)
    found = top_of(scores, (1.0, 0.0, 1.0), bboxes, max_per_class=30)
    for label in (0, 2):
        values, places = scores[:, label].topk(30)
        config = dict(type='nms', iou_threshold=0.2)
        kept = batched_nms(bboxes[places], values, torch.zeros(30), config)[1]
        assert found[found.labels == label].bboxes.equal(bboxes[places[kept]])


@pytest.mark.parametrize('method', ['peaks', 'mist'])
def test_a_batch_is_mined_with_one_wait(method):
    def waits_of(count, tags):
        images = [(APART, torch.rand(4, 3), torch.tensor(tags)) for _ in range(count)]
        with DeviceWaits() as waits:
            mine(*zip(*images), method=method)
        return waits.count

    assert waits_of(1, (1, 0, 0)) == waits_of(8, (1, 1, 1)) == waits_of(2, (0, 0, 0)) == 1


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="'mist'"):
        mine([APART], [torch.rand(4, 1)], [torch.ones(1)], method='best')


def test_detections_keep_the_best_box_of_each_class_below_the_threshold():
    scores = torch.tensor([[0.9, 1e-6], [0.5, 1e-7], [0.0, 0.0], [0.8, 2e-6]])
    found = select_detections(APART, scores, score_threshold=0.1)
    # NMS removes the fourth box in class 0; it is the best one of class 1
    assert found.labels.tolist() == [0, 0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 2e-6])
    assert found.bboxes[2].tolist() == [0, 0, 10, 9]


def test_detections_are_limited_except_the_best_boxes():
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.05], [0.7, 0.05], [0.0, 0.0]])
    found = select_detections(APART, scores, max_per_image=1)
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.1])


def test_detections_fall_in_score():
    scores = torch.rand(4, 5)
    found = select_detections(APART, scores)
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert len(found) == 15  # three places, five classes


@pytest.mark.parametrize('seed', range(8))
def test_detections_are_those_of_nms_over_all_boxes(seed):
    generator = torch.Generator().manual_seed(seed)
    near = torch.rand(300, 2, generator=generator) * 200
    bboxes = torch.cat([near, near + 5 + torch.rand(300, 2, generator=generator) * 100], dim=1)
    scores = torch.rand(300, 6, generator=generator) ** (1 + seed)
    most, threshold = (5, 1, 100, 400)[seed % 4], (1e-3, 0.5)[seed % 2]
    found = select_detections(bboxes, scores, 0.3, threshold, most)
    best = torch.zeros_like(scores, dtype=torch.bool).scatter(0, scores.argmax(0)[None], True)
    boxes, labels = ((scores > threshold) | best).nonzero(as_tuple=True)
    config = dict(type='nms', iou_threshold=0.3, split_thr=10**6)
    kept = batched_nms(bboxes[boxes], scores[boxes, labels], labels, config)[1]
    taken = (torch.arange(len(kept)) < most) | best[boxes[kept], labels[kept]]
    boxes, labels = boxes[kept[taken]], labels[kept[taken]]
    assert found.labels.equal(labels)
    assert found.scores.equal(scores[boxes, labels])
    assert found.bboxes.equal(bboxes[boxes])


def test_a_box_is_the_mean_of_those_that_vote_for_it():
    bboxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 6], [0, 0, 10, 9]])
    scores = torch.tensor([[0.6, 0.0], [0.3, 0.0], [0.2, 0.0], [0.0, 0.5]])
    found = select_detections(bboxes, scores, score_threshold=0.1, vote_iou=0.7)
    assert found.labels.tolist() == [0, 1]
    # .6 and .3 vote; the third overlaps too little, the fourth is of another class
    far = (0.6 * 10 + 0.3 * 8) / 0.9
    torch.testing.assert_close(found.bboxes[0], torch.tensor([0, 0, 10, far]))
    assert found.bboxes[1].equal(bboxes[3])
    own = select_detections(bboxes, scores, score_threshold=0.1)
    assert own.bboxes[0].equal(bboxes[0])
    torch.testing.assert_close(own.scores, found.scores)
