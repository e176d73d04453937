import pytest
import torch

from mmlabelpenet.models.task_modules import IGNORED
from mmlabelpenet.models.task_modules import assign_pseudo_labels as assign_batch
from mmlabelpenet.models.task_modules import sample_rois as sample_batch

from ..tiny import pseudo_of

# IoU with [0, 0, 10, 10]: 1, .5, .49, .1, .09, 0
BOXES = torch.tensor(
    [
        [0, 0, 10, 10],
        [0, 0, 10, 5],
        [0, 0, 10, 4.9],
        [0, 0, 10, 1],
        [0, 0, 10, 0.9],
        [30, 30, 40, 40],
    ]
)


def assign_pseudo_labels(bboxes, pseudo, num_classes, **thresholds):
    return assign_batch([bboxes], [pseudo], num_classes, **thresholds)[0]


def sample_rois(assigned, *settings):
    return sample_batch([assigned], *settings)[0]


def test_thresholds_by_hand():
    pseudo = pseudo_of([[0, 0, 10, 10]], [2], [0.4])
    assigned = assign_pseudo_labels(BOXES, pseudo, num_classes=3)
    assert assigned.labels.tolist() == [2, 2, 3, 3, IGNORED, IGNORED]
    assert assigned.weights.tolist() == pytest.approx([0.4, 0.4, 0.4, 0.4, 0, 0])
    assert (assigned.targets == torch.tensor([0.0, 0, 10, 10])).all()


def test_background_may_reach_down_to_no_overlap():
    pseudo = pseudo_of([[0, 0, 10, 10]], [2])
    assigned = assign_pseudo_labels(BOXES, pseudo, num_classes=3, neg_iou=(0.0, 0.5))
    assert assigned.labels.tolist() == [2, 2, 3, 3, 3, 3]


def test_a_box_belongs_to_the_instance_that_it_overlaps_most():
    pseudo = pseudo_of([[0, 0, 10, 4], [0, 0, 10, 10]], [0, 1], [0.2, 0.9])
    assigned = assign_pseudo_labels(BOXES[:2], pseudo, num_classes=3)
    # [0, 0, 10, 5]: IoU .8 with the first, .5 with the second
    assert assigned.labels.tolist() == [1, 0]
    assert assigned.assigned.tolist() == [1, 0]
    assert assigned.weights.tolist() == pytest.approx([0.9, 0.2])
    assert assigned.targets[:, 3].tolist() == [10, 4]


def test_without_pseudo_instances_all_is_background():
    assigned = assign_pseudo_labels(BOXES, pseudo_of([], []), num_classes=3)
    assert assigned.labels.tolist() == [3] * 6
    assert assigned.weights.tolist() == [1] * 6


def regions_of(labels):
    """Regions with these labels, of weight 1 unless they are ignored."""
    labels = torch.tensor(labels)
    assigned = assign_pseudo_labels(torch.rand(len(labels), 4), pseudo_of([], []), 3)
    assigned.labels = labels
    assigned.weights = (labels != IGNORED).float()
    return assigned


def foreground_of(regions):
    return ((regions.labels >= 0) & (regions.labels < 3)).sum().item()


@pytest.mark.parametrize('seed', range(5))
def test_foreground_keeps_to_its_share_where_there_is_background(seed):
    torch.manual_seed(seed)
    regions = sample_rois(regions_of([0] * 20 + [3] * 20 + [IGNORED] * 20), 3, 16, 0.25)
    assert foreground_of(regions) == 4
    assert (regions.labels == 3).sum() == 12


@pytest.mark.parametrize(
    ('labels', 'foreground', 'background'),
    [
        # little foreground: background takes its place
        ([1] + [3] * 30, 1, 7),
        # little background: further foreground takes its place
        ([1] * 30 + [3], 7, 1),
        # little of both: ignored regions fill up
        ([1] + [3] + [IGNORED] * 30, 1, 1),
    ],
)
def test_the_number_of_regions_is_fixed(labels, foreground, background):
    regions = sample_rois(regions_of(labels), 3, 8, 0.25)
    assert len(regions) == 8
    assert foreground_of(regions) == foreground
    assert (regions.labels == 3).sum() == background
    assert (regions.weights[regions.labels == IGNORED] == 0).all()


def test_all_of_few_regions_are_taken():
    regions = sample_rois(regions_of([0, 3, IGNORED]), 3, 8, 0.25)
    assert sorted(regions.labels.tolist()) == [IGNORED, 0, 3]


def test_fields_of_a_region_stay_together():
    assigned = assign_pseudo_labels(BOXES, pseudo_of([[0, 0, 10, 10]], [2]), 3)
    regions = sample_rois(assigned, 3, 4, 0.5)
    for box, label in zip(regions.bboxes, regions.labels):
        place = (box == BOXES).all(1).nonzero().item()
        assert label == assigned.labels[place]


def test_images_of_a_batch_are_assigned_as_each_alone():
    images = [
        (BOXES, pseudo_of([[0, 0, 10, 4], [0, 0, 10, 10]], [0, 1], [0.2, 0.9])),
        (BOXES[1:4], pseudo_of([], [])),
        (BOXES[:0], pseudo_of([[0, 0, 10, 10]], [1])),
        (BOXES.flip(0), pseudo_of([[30, 30, 40, 41]], [2], [0.5])),
    ]
    for (bboxes, pseudo), together in zip(images, assign_batch(*zip(*images), num_classes=3)):
        alone = assign_pseudo_labels(bboxes, pseudo, num_classes=3)
        assert len(together) == len(bboxes)
        for name, values in alone.items():
            assert values.equal(together[name]), name


@pytest.mark.parametrize('seed', range(5))
def test_images_of_a_batch_are_sampled_as_each_alone(seed):
    torch.manual_seed(seed)
    few, many = regions_of([0, 3, IGNORED]), regions_of([0] * 20 + [3] * 20 + [IGNORED] * 20)
    little = regions_of([1] + [3] + [IGNORED] * 30)
    drawn = sample_batch([few, many, little], 3, 16, 0.25)
    assert [len(one) for one in drawn] == [3, 16, 16]
    assert sorted(drawn[0].labels.tolist()) == [IGNORED, 0, 3]
    assert [foreground_of(one) for one in drawn[1:]] == [4, 1]
    assert [(one.labels == 3).sum().item() for one in drawn[1:]] == [12, 1]
    for one, own in zip(drawn, (few, many, little)):
        for box, label in zip(one.bboxes, one.labels):
            place = (box == own.bboxes).all(1).nonzero()
            assert label == own.labels[place.item()]
        assert len(one.bboxes.unique(dim=0)) == len(one)
