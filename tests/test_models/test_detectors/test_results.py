import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models.detectors import paint_semantic_map


def instances(scores, labels, masks):
    return InstanceData(
        scores=torch.tensor(scores),
        labels=torch.tensor(labels, dtype=torch.long),
        masks=torch.tensor(masks, dtype=torch.bool).view(len(scores), 1, 4),
    )


def test_the_instance_of_the_highest_score_wins_a_pixel_in_any_order():
    one, other = (0.6, 2, [1, 1, 0, 0]), (0.9, 0, [0, 1, 1, 0])
    for pair in ((one, other), (other, one)):
        painted = paint_semantic_map(instances(*map(list, zip(*pair))))
        assert painted.tolist() == [[3, 1, 1, 0]]


def test_instances_below_the_score_are_not_painted():
    given = instances([0.29, 0.3], [0, 1], [[1, 1, 1, 1], [0, 0, 0, 1]])
    assert paint_semantic_map(given).tolist() == [[0, 0, 0, 2]]
    assert paint_semantic_map(given, min_score=0.1).tolist() == [[1, 1, 1, 2]]


def test_without_instances_all_is_background():
    painted = paint_semantic_map(instances([], [], torch.zeros(0, 4).tolist()))
    assert painted.tolist() == [[0, 0, 0, 0]]
    assert painted.dtype == torch.long
