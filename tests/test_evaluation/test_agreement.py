import numpy as np
import pytest

from mmlabelpenet.evaluation.functional import Found, tags_that_agree
from mmlabelpenet.utils import box_iou


def found(*predictions):
    """(label, score, box) of each."""
    labels, scores, bboxes = ([one[i] for one in predictions] for i in range(3))
    return Found(np.array(labels, int), np.array(scores), np.array(bboxes, float).reshape(-1, 4))


LEFT, RIGHT, HALF = (0, 0, 10, 10), (20, 0, 30, 10), (0, 0, 10, 5.1)


def test_the_best_box_of_a_class_decides():
    first = [found((0, 0.9, LEFT), (0, 0.1, RIGHT), (1, 1.0, RIGHT))]
    second = [found((0, 0.2, RIGHT), (0, 0.8, HALF), (1, 0.3, LEFT))]
    assert tags_that_agree(first, second, [[0, 1]]).tolist() == [True, False]
    assert tags_that_agree(first, second, [[0, 1]], iou_thr=0.6).tolist() == [False, False]


def test_a_tag_without_any_box_does_not_agree_and_other_classes_do_not_count():
    first, second = (
        [found(), found((3, 0.5, LEFT))],
        [found((2, 0.5, LEFT)), found((3, 0.5, LEFT))],
    )
    assert tags_that_agree(first, second, [[2, 5], [3]]).tolist() == [False, False, True]
    assert tags_that_agree(first, first, [[], []]).tolist() == []
    assert tags_that_agree([], [], []).tolist() == []


def test_boxes_of_one_image_do_not_agree_with_those_of_another():
    first, second = [found((0, 1, LEFT)), found()], [found(), found((0, 1, LEFT))]
    assert not tags_that_agree(first, second, [[0], [0]]).any()


def slow(first, second, tags, iou_thr):
    answers = []
    for one, other, labels in zip(first, second, tags):
        for label in labels:
            boxes = []
            for part in (one, other):
                own = np.flatnonzero(part.labels == label)
                boxes.append(part.bboxes[own[part.scores[own].argmax()]] if len(own) else None)
            agree = all(box is not None for box in boxes)
            answers.append(agree and box_iou(boxes[0][None], boxes[1][None])[0, 0] >= iou_thr)
    return answers


@pytest.mark.parametrize('seed', range(5))
def test_it_equals_a_loop_over_images_and_tags(seed):
    rng = np.random.default_rng(seed)

    def drawn():
        count = rng.integers(0, 9)
        corner = rng.uniform(0, 6, (count, 2))
        bboxes = np.concatenate([corner, corner + rng.uniform(12, 25, (count, 2))], axis=1)
        return Found(rng.integers(0, 4, count), rng.uniform(size=count), bboxes)

    first, second = ([drawn() for _ in range(40)] for _ in range(2))
    tags = [rng.permutation(5)[: rng.integers(0, 4)] for _ in range(40)]
    answers = tags_that_agree(first, second, tags)
    assert answers.tolist() == slow(first, second, tags, 0.5)
    assert 0 < answers.mean() < 1


def test_a_flip_mirrors_boxes_and_twice_gives_them_back():
    one = found((0, 0.5, (1, 2, 4, 8)))
    assert one.flip(10).bboxes.tolist() == [[6, 2, 9, 8]]
    assert one.flip(10).flip(10).bboxes.tolist() == one.bboxes.tolist()
    assert found().flip(10).bboxes.shape == (0, 4)
