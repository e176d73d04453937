"""Thresholds that follow from scores, and what an export says of itself."""

from pathlib import Path

import numpy as np
import pytest

from mmlabelpenet.export import InstanceCollector, class_thresholds, summarise

from .conftest import CLASSES, labelled
from .test_metric import run, sample  # noqa: F401


def square(side):
    mask = np.zeros((30, 40), dtype=bool)
    mask[:side, :side] = True
    return mask


def image(labels, scores, tags):
    return labelled(Path('a.jpg'), labels, scores, [square(10)] * len(labels), tags)


@pytest.fixture
def images():
    """Dogs of low scores in four photos, a chair of a high one, no cat though one is tagged."""
    dogs = [image([0], [score], [0]) for score in (0.05, 0.1, 0.2, 0.9)]
    return [*dogs, image([1, 1], [0.8, 0.1], [1, 2])]


def test_a_class_keeps_an_instance_in_three_quarters_of_its_photos(images):
    np.testing.assert_allclose(class_thresholds(images, 3), [0.05, 0.3, 0.0], atol=1e-6)
    # more photos of low scores: only the quarter of the lowest ones is left out
    low = [image([0], [0.01], [0])] * 1
    np.testing.assert_allclose(class_thresholds([*images, *low], 1), [0.05], atol=1e-6)


def test_sure_classes_keep_the_fixed_threshold_and_untagged_ones_too():
    sure = [image([0], [0.9], [0])] * 3
    np.testing.assert_allclose(class_thresholds(sure, 2), [0.3, 0.3])
    np.testing.assert_allclose(class_thresholds([image([0], [0.01], None)], 1), [0.3])


def test_an_export_says_what_is_lacking_and_how_sure_the_rest_is(images):
    first, second, third = summarise(images, CLASSES)
    assert first.startswith('5 of 6 tags have an instance')
    assert first.endswith('the median of the best scores is 0.20.')
    assert second.startswith('There is no instance of cat:')
    assert third == 'Boxes and the boxes around masks agree by a mean IoU of 1.00.'
    images[0].boxes[:, 2] *= 2
    assert summarise(images[:1], CLASSES)[-1].endswith('of 0.50.')
    assert summarise([], CLASSES) == []


def test_the_collector_takes_thresholds_that_follow_from_the_scores(sample, monkeypatch):  # noqa: F811
    said = []
    monkeypatch.setattr('mmlabelpenet.export.metric.say', said.append)
    sample.pred_instances.scores[:] = sample.pred_instances.scores / 4
    assert run(InstanceCollector(), sample)['instances'] == 0
    collector = InstanceCollector(selection=dict(score_thr='auto'))
    assert run(collector, sample)['instances'] == 2
    assert said == ['Least scores that follow from the scores: dog 0.22, chair 0.30, cat 0.10']
