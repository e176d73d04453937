import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models.heads import MaskSupervision, mask_supervision, mask_targets
from mmlabelpenet.structures import Maps

from ..test_stages.test_refinement import NONE, PSEUDO, image_evidence
from ..tiny import NUM_CLASSES


@pytest.fixture
def as_on_gpu(monkeypatch):
    monkeypatch.setattr(mask_supervision, 'teaching_regions', lambda regions: regions)


def test_regions_learn_from_the_instance_that_they_overlap(as_on_gpu):
    [regions] = MaskSupervision(NUM_CLASSES, num_samples=20).regions([image_evidence()])
    assert len(regions) == 2 + 9
    # the pseudo boxes themselves are among them and learn
    for box, label, weight in zip(PSEUDO.bboxes, PSEUDO.labels, PSEUDO.weights):
        place = (regions.bboxes == box).all(1).nonzero().item()
        assert regions.labels[place] == label
        assert regions.weights[place] == weight
    assert (regions.weights[regions.labels < 0] == 0).all()
    assert NUM_CLASSES not in regions.labels.tolist()


def test_without_pseudo_instances_regions_have_no_weight(as_on_gpu):
    supervision = MaskSupervision(NUM_CLASSES, num_samples=6)
    [regions] = supervision.regions([image_evidence(NONE)])
    assert len(regions) == 6
    assert (regions.weights == 0).all()
    targets, decided = supervision.targets(Maps(torch.zeros(0, 4, 6), 16), regions, 14)
    assert tuple(targets.shape) == (6, 14, 14)
    assert not decided.any()


def test_a_cpu_keeps_the_regions_that_have_a_weight(monkeypatch):
    supervision = MaskSupervision(NUM_CLASSES, num_samples=20)
    torch.manual_seed(0)
    [kept] = supervision.regions([image_evidence()])
    monkeypatch.setattr(mask_supervision, 'teaching_regions', lambda regions: regions)
    torch.manual_seed(0)
    [every] = supervision.regions([image_evidence()])
    assert 0 < len(kept) < len(every)
    torch.testing.assert_close(kept.bboxes, every.bboxes[every.weights > 0])


def test_a_cpu_keeps_one_region_where_none_has_a_weight():
    [regions] = MaskSupervision(NUM_CLASSES, num_samples=6).regions([image_evidence(NONE)])
    assert len(regions) == 1
    assert regions.weights.item() == 0


def test_trimaps_ignore_values_between_the_thresholds():
    ramp = torch.linspace(0, 1, 12).expand(1, 4, 12)
    regions = InstanceData(bboxes=torch.tensor([[0.0, 0, 96, 32]]), assigned=torch.tensor([0]))
    supervision = MaskSupervision(NUM_CLASSES, 0.6, 0.2)
    targets, decided = supervision.targets(Maps(ramp, 8), regions, 12)
    row, values = targets[0, 5], ramp[0, 0]
    assert row.bool().equal(values >= 0.6)
    assert decided[0, 5].equal((values >= 0.6) | (values <= 0.2))


def test_each_region_reads_the_map_that_it_is_assigned_to():
    maps = Maps(torch.stack([torch.zeros(8, 8), torch.ones(8, 8)]), 1)
    boxes = torch.tensor([[1.0, 1, 7, 7]]).repeat(3, 1)
    cropped = mask_targets(maps, boxes, torch.tensor([1, 0, 1]), 4)
    assert cropped.mean((1, 2)).tolist() == [1, 0, 1]


def test_targets_are_cropped_by_boxes_in_pixels():
    maps, boxes = torch.rand(1, 8, 12), torch.tensor([[2.0, 1, 9, 6]])
    assigned = torch.tensor([0])
    cells = mask_targets(Maps(maps, 1), boxes, assigned, 14)
    pixels = mask_targets(Maps(maps, 8), 8 * boxes, assigned, 14)
    torch.testing.assert_close(pixels, cells)
