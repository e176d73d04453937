import pytest
import torch
from mmcv.ops import batched_nms

from mmlabelpenet.models.task_modules import mine_pseudo_instances, select_detections

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
