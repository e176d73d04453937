import math

import numpy as np
import pytest

from mmlabelpenet.proposals import best_overlaps, summarize_overlaps


def test_best_overlaps_take_the_best_proposal_of_each_box():
    proposals = np.array([[0, 0, 10, 10], [0, 0, 10, 5]])
    gt = np.array([[0, 0, 10, 5], [20, 20, 30, 30]])
    np.testing.assert_allclose(best_overlaps(proposals, gt), [1, 0])
    np.testing.assert_array_equal(best_overlaps(np.zeros((0, 4)), gt), [0, 0])


def test_recall_counts_boxes_not_images():
    summary = summarize_overlaps([np.array([0.8, 0.6, 0.3]), np.zeros(0), np.array([0.5])])
    assert summary['recall_50'] == pytest.approx(3 / 4)
    assert summary['recall_70'] == pytest.approx(1 / 4)
    assert summary['ABO'] == pytest.approx(0.55)
    assert all(math.isnan(value) for value in summarize_overlaps([np.zeros(0)]).values())
