import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.inspection import doubt_of, places_of
from mmlabelpenet.inspection.judging import _found
from mmlabelpenet.structures import Evidence

from .conftest import instances, judge, sample_of

BOX, UPPER, FAR = [10, 10, 50, 50], [10, 10, 50, 30], [60, 60, 90, 90]


def test_labels_and_result_are_compared_by_class():
    labels = judge(
        sample_of(),
        pseudo_instances=instances((0, 0.8, UPPER), (1, 0.9, BOX)),
        result=instances((0, 0.6, BOX), weights=False),
    )
    first, second = labels.rows['pseudo_instances']
    assert (first.label, first.score, first.weight) == (1, pytest.approx(0.9), pytest.approx(0.9))
    assert first.overlap == 0
    assert second.overlap == pytest.approx(0.5)
    (result,) = labels.rows['result']
    assert (result.weight, result.overlap) == (None, pytest.approx(0.5))
    assert labels.agreements == [pytest.approx(0.5)]
    assert labels.agrees
    assert labels.tags == [0]
    assert labels.classes == {0, 1}


def test_without_ground_truth_nothing_is_wrong():
    labels = judge(sample_of(), result=instances((0, 0.6, BOX), weights=False))
    assert labels.errors == {'result': set()}
    assert labels.rows['result'][0].kind == ''
    assert labels.error_keys == []


def test_kinds_of_errors_are_those_of_the_metric():
    labels = judge(
        sample_of((0, [10, 10, 49, 49]), (0, [70, 10, 89, 29])),
        pseudo_instances=instances((0, 0.9, [10, 10, 50, 25]), (0, 0.2, [0, 80, 9, 99])),
        result=instances((0, 0.6, BOX), (0, 0.5, BOX), weights=False),
    )
    assert [row.kind for row in labels.rows['pseudo_instances']] == ['part', 'background']
    assert [row.kind for row in labels.rows['result']] == ['found', 'duplicate']
    assert labels.errors['pseudo_instances'] == {'part', 'background', 'missed'}
    assert labels.error_keys[-2:] == ['result:duplicate', 'result:missed']


def test_exclusive_corners_are_made_inclusive_before_they_are_judged():
    """An IoU of exactly .5 by inclusive corners, which is less by exclusive ones."""
    labels = judge(
        sample_of((0, [10, 10, 49, 49])), result=instances((0, 0.6, UPPER), weights=False)
    )
    assert labels.rows['result'][0].kind == 'found'


def test_the_last_labels_are_compared_with_the_result():
    labels = judge(
        sample_of(),
        pseudo_instances=instances((0, 1.0, FAR)),
        validated=instances((0, 0.5, BOX)),
        result=instances((0, 0.6, BOX), weights=False),
    )
    assert labels.agreements == [1]
    assert labels.doubt == pytest.approx(0.5)


@pytest.mark.parametrize(
    ('labels', 'result', 'tags', 'doubt'),
    [
        ([(0, 1.0, BOX)], [(0, 0.4, BOX)], [0], 0),
        ([(0, 0.6, BOX)], [(0, 1.0, BOX)], [0], 0.4),
        ([(0, 1.0, UPPER)], [(0, 1.0, BOX)], [0], 0.5),
        ([(0, 1.0, BOX)], [(1, 1.0, BOX)], [0], 1),
        ([(0, 1.0, BOX), (1, 1.0, UPPER)], [(0, 1.0, BOX), (1, 1.0, BOX)], [0, 1], 0.5),
        ([], [], [0], 1),
        ([], [], [], 0),
    ],
)
def test_the_most_doubtful_tag_is_the_doubt_of_an_image(labels, result, tags, doubt):
    first, second = (_found(instances(*rows)) for rows in (labels, result))
    assert doubt_of(first, second, tags) == pytest.approx(doubt)


def test_of_equal_doubts_the_lower_agreement_comes_first():
    def both(*boxes):
        rows = [(label, 1.0, box) for label, box in enumerate(boxes)]
        labels = instances((0, 1.0, BOX), (1, 1.0, BOX))
        return judge(sample_of(tags=(1, 1)), pseudo_instances=labels, result=instances(*rows))

    images = [both(BOX, FAR), both(FAR, FAR), both(BOX, BOX), both(UPPER, FAR)]
    order = sorted(range(4), key=lambda index: images[index].rank)
    assert order == [1, 3, 0, 2]


def test_boxes_of_labels_are_in_pixels_of_the_original_image():
    evidence = Evidence(metainfo=dict(scale_factor=(2.0, 4.0)))
    evidence.pseudo_instances = instances((0, 1.0, [20, 40, 80, 160]))
    result = InstanceData(
        bboxes=torch.zeros(2, 4), labels=torch.tensor([0, 1]), scores=torch.tensor([0.2, 0.3])
    )
    places = places_of(evidence, result, score_thr=0.3)
    assert list(places) == ['pseudo_instances', 'result']
    assert places['pseudo_instances'].bboxes.tolist() == [[10, 10, 40, 40]]
    assert places['result'].labels.tolist() == [1]
