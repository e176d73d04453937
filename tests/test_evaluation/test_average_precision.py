import numpy as np
import pytest

from mmlabelpenet.evaluation import average_precision, mean_over_valid
from mmlabelpenet.evaluation.functional.average_precision import (
    match_image,
    per_class_best_overlap,
)


def test_area_is_taken_under_the_envelope():
    # precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: the envelope is 1 up to 1/2, then 2/3
    hits = np.array([True, False, True])
    assert average_precision(hits, num_gt=2) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_eleven_points_sample_the_envelope():
    # recalls 0, .1, ..., .5 see precision 1 and .6, ..., 1 see 2/3
    hits = np.array([True, False, True])
    expected = (6 * 1 + 5 * 2 / 3) / 11
    assert average_precision(hits, num_gt=2, mode='11points') == pytest.approx(expected)


def test_what_is_never_found_costs_its_share():
    assert average_precision(np.array([True]), num_gt=4) == pytest.approx(0.25)
    # recall reaches .25: points 0, .1, .2
    assert average_precision(np.array([True]), 4, '11points') == pytest.approx(3 / 11)


@pytest.mark.parametrize('mode', ['area', '11points'])
def test_no_predictions_give_zero_and_no_objects_give_nan(mode):
    nothing = np.zeros(0, dtype=bool)
    assert average_precision(nothing, num_gt=3, mode=mode) == 0
    assert np.isnan(average_precision(nothing, num_gt=0, mode=mode))
    assert np.isnan(average_precision(np.array([False]), num_gt=0, mode=mode))


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match='integral'):
        average_precision(np.array([True]), 1, 'integral')


def test_the_mean_leaves_out_classes_that_do_not_occur():
    assert mean_over_valid(np.array([0.5, np.nan, 1.0])) == pytest.approx(0.75)
    assert np.isnan(mean_over_valid(np.array([np.nan])))


def test_best_overlap_leaves_out_difficult_objects():
    # Of class 0 an object found by 0.6 and a difficult one; of class 1 a difficult one alone.
    image = match_image(
        labels=[0, 0],
        scores=[0.9, 0.8],
        gt_labels=[0, 0, 1],
        ious=np.array([[0.6, 0.0, 0.0], [0.1, 0.9, 0.0]]),
        difficult=[False, True, True],
    )
    best = per_class_best_overlap([image], num_classes=2)
    assert best[0] == pytest.approx(0.6)
    assert np.isnan(best[1])
