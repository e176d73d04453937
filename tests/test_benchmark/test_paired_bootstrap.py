import numpy as np
import pytest

from mmlabelpenet.evaluation.functional import match_image


@pytest.fixture
def bootstrap(benchmark_module):
    return benchmark_module('paired_bootstrap')


def images(found, count=40):
    """Images with one object, found with IoU .6 in a share of them, and a false box in each."""
    rng = np.random.default_rng(0)
    return [
        match_image([0, 0], [rng.random(), 0.1], [0], np.array([[0.6 * (i < found)], [0.0]]))
        for i in range(count)
    ]


def test_the_same_model_gains_nothing(bootstrap):
    at_half, at_three_quarters = bootstrap.compare([images(20)], [images(20)], 1, 50)
    assert at_half['gain'] == at_half['low'] == at_half['high'] == 0.0
    assert at_half['p'] == 1.0
    assert at_three_quarters['after'] == 0.0
    assert at_half['iou'] == 0.5


def test_a_better_model_gains_in_all_draws_and_seeds_are_averaged(bootstrap):
    before, after = [images(10), images(14)], [images(30), images(34)]
    [row, _] = bootstrap.compare(before, after, 1, 100)
    single = [bootstrap.mean_ap([one], np.arange(40), 1)[0] for one in before]
    assert row['before'] == pytest.approx(np.mean(single))
    assert 0 < row['low'] < row['gain'] < row['high']
    assert row['p'] == 0.0


def test_a_gain_of_one_image_is_not_apart_from_the_noise(bootstrap):
    [row, _] = bootstrap.compare([images(20)], [images(21)], 1, 200)
    assert row['gain'] > 0
    assert 0.05 < row['p'] < 1.0
