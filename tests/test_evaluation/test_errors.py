import numpy as np
import pytest

from mmlabelpenet.evaluation import ErrorTaxonomyMetric
from mmlabelpenet.evaluation.functional import (
    OUTCOMES,
    SURPLUS,
    ImageBoxes,
    classify_errors,
    error_taxonomy,
    top_predictions,
)

from .samples import box_sample, run

OBJECT = [10, 10, 29, 29]
BESIDE = [34, 10, 53, 29]
FAR = [80, 80, 99, 99]


def image(predicted=(), true=(), difficult=()):
    """predicted: (label, score, box); true and difficult: (label, box)."""
    both = [*true, *difficult]
    return ImageBoxes(
        labels=np.array([one[0] for one in predicted], dtype=int),
        scores=np.array([one[1] for one in predicted], dtype=float),
        bboxes=np.array([one[2] for one in predicted], dtype=float).reshape(-1, 4),
        gt_labels=np.array([one[0] for one in both], dtype=int),
        gt_bboxes=np.array([one[1] for one in both], dtype=float).reshape(-1, 4),
        difficult=np.arange(len(both)) >= len(true),
    )


@pytest.mark.parametrize(
    ('label', 'box', 'outcome'),
    [
        (0, [10, 10, 29, 26], 'found'),
        (0, [10, 10, 29, 17], 'part'),  # IoU .4
        (0, [0, 0, 39, 39], 'large'),  # IoU .25
        (0, [8, 8, 55, 31], 'several'),  # holds the object beside it as well
        (1, [10, 10, 29, 26], 'wrong_class'),
        (1, [10, 10, 29, 17], 'missed'),
        (0, FAR, 'missed'),
    ],
)
def test_outcome_of_an_object(label, box, outcome):
    true = [(0, OBJECT)] + ([(0, BESIDE)] if outcome == 'several' else [])
    errors = classify_errors(image([(label, 0.9, box)], true))
    assert errors.outcomes[0] == outcome
    assert errors.responsible_predictions[0] == (-1 if outcome == 'missed' else 0)


def test_each_prediction_has_the_kind_that_it_causes():
    predicted = [(0, 0.9, OBJECT), (0, 0.8, OBJECT), (0, 0.7, FAR), (1, 0.6, BESIDE)]
    errors = classify_errors(image(predicted, [(0, OBJECT), (0, BESIDE)]))
    assert errors.predicted_kinds == ['found', 'duplicate', 'background', 'wrong_class']


def test_one_box_over_two_objects_fails_both():
    errors = classify_errors(image([(0, 0.9, [8, 8, 55, 31])], [(0, OBJECT), (0, BESIDE)]))
    assert errors.outcomes == ['several', 'several']
    assert errors.surplus == ['']


def test_the_same_box_over_objects_of_two_classes_is_too_large():
    errors = classify_errors(image([(0, 0.9, [8, 8, 55, 31])], [(0, OBJECT), (1, BESIDE)]))
    assert errors.outcomes == ['large', 'missed']


def test_the_first_claim_finds_and_further_ones_are_duplicates():
    predicted = [(0, 0.5, OBJECT), (0, 0.9, [10, 10, 29, 26]), (0, 0.4, FAR)]
    errors = classify_errors(image(predicted, [(0, OBJECT)]))
    assert errors.outcomes == ['found']
    assert errors.responsible_predictions.tolist() == [1]
    assert errors.surplus == ['duplicate', '', 'background']


def test_a_box_that_finds_one_object_is_not_responsible_for_another():
    near = [22, 10, 41, 29]
    errors = classify_errors(image([(0, 0.9, OBJECT)], [(0, OBJECT), (0, near)]))
    assert errors.outcomes == ['found', 'missed']


def test_difficult_objects_count_neither_way():
    errors = classify_errors(image([(0, 0.9, OBJECT)], difficult=[(0, OBJECT)]))
    assert errors.outcomes == ['']
    assert errors.surplus == ['']


def test_as_many_predictions_are_taken_as_a_class_has_objects():
    many = [(0, 0.3, FAR), (0, 0.9, OBJECT), (1, 0.99, FAR)]
    kept = top_predictions([image(many, [(0, OBJECT)]), image([(0, 0.5, FAR)], [(0, BESIDE)])], 2)
    assert [one.tolist() for one in kept] == [[False, True, False], [True]]


def test_shares_of_the_objects_sum_to_one():
    images = [
        image([(0, 0.9, OBJECT), (0, 0.8, OBJECT), (1, 0.7, FAR)], [(0, OBJECT), (0, FAR)]),
        image([], [(1, OBJECT)]),
        image([(0, 0.1, OBJECT)]),
    ]
    shares = error_taxonomy(images, 2)
    assert shares['found'] == pytest.approx(1 / 3)
    assert shares['wrong_class'] == pytest.approx(1 / 3)
    assert shares['missed'] == pytest.approx(1 / 3)
    assert shares['duplicate'] == pytest.approx(1 / 3)
    assert sum(shares[name] for name in OUTCOMES) == pytest.approx(1)
    assert np.isnan(error_taxonomy([], 2)['found'])


def test_the_metric_gives_the_shares():
    samples = [
        box_sample([(0, 0.9, OBJECT)], [(0, OBJECT)], [(1, FAR)]),
        box_sample([(1, 0.9, FAR)], [(0, OBJECT)]),
    ]
    figures = run(ErrorTaxonomyMetric(), samples)
    assert figures['error_found'] == 0.5
    assert figures['error_missed'] == 0.5
    assert set(figures) == {f'error_{name}' for name in (*OUTCOMES, *SURPLUS)}
