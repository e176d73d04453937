import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import ProposalCalibration
from mmlabelpenet.models.calibration import key_share, merge_validated
from mmlabelpenet.structures import Maps

from ..tiny import evidence_of, pseudo_of


def with_agreement(instances, agreement, masks=False):
    instances.agreement = torch.tensor(agreement)
    if masks:
        instances.masks = torch.rand(len(instances), 8, 12) / 2
    return instances


def test_a_mask_on_the_key_pixels_agrees_more_than_the_same_mask_moved_away():
    keys = torch.zeros(1, 4, 6)
    keys[0, 1:3, 1:3] = 1
    mask = torch.zeros(1, 8, 12)
    mask[0, 2:6, 2:6] = 0.9
    keys = Maps(keys, 16)
    on, off = key_share(keys, Maps(mask, 8)), key_share(keys, Maps(mask.roll(5, 2), 8))
    assert on > 0.7
    assert off < 0.2
    assert key_share(keys, Maps(torch.ones(1, 8, 12), 8)).item() == pytest.approx(1)


def test_no_key_pixels_agree_with_nothing():
    empty, full = Maps(torch.zeros(2, 4, 6), 16), Maps(torch.ones(2, 4, 6), 16)
    assert key_share(empty, full).tolist() == [0, 0]
    none = torch.zeros(0, dtype=torch.long)
    assert key_share(empty[none], full[none]).shape == (0,)


PSEUDO = [[0.0, 0, 40, 40], [60, 0, 90, 30]]


@pytest.mark.parametrize(
    ('bbox', 'label', 'agreement', 'expected'),
    [
        ([0.0, 0, 40, 44], 1, 0.9, [1, 2]),  # the same object, better: replaces
        ([0.0, 0, 40, 44], 1, 0.3, [0, 1]),  # the same object, worse
        ([0.0, 0, 40, 44], 2, 0.3, [0, 1, 2]),  # of another class: an object of its own
        ([0.0, 40, 20, 60], 1, 0.3, [0, 1, 2]),  # in another place: extends
        ([0.0, 0, 40, 16], 1, 0.9, [0, 1]),  # a part of a known one: neither
    ],
)
def test_validated_instances_replace_or_extend(bbox, label, agreement, expected):
    pseudo = with_agreement(pseudo_of(PSEUDO, [1, 2]), [0.5, 0.5])
    found = with_agreement(pseudo_of([bbox], [label]), [agreement])
    [merged] = merge_validated([pseudo], [found])
    every = torch.tensor([*PSEUDO, bbox])
    assert merged.bboxes.equal(every[expected])
    assert len(merge_validated([pseudo], [found[:0]])[0]) == 2
    assert len(merge_validated([pseudo[:0]], [found])[0]) == 1


def validated(evidence, **changes):
    """Pseudo instances after the way back through a calibration."""
    calibration = ProposalCalibration(3, mode='full', **changes)
    return calibration.validate((), [evidence])[0].pseudo_instances


def returning_evidence(agreement=0.9):
    """An image of 64 x 96 with one pseudo instance of class 0, and one found of each class."""
    pseudo = with_agreement(pseudo_of([[0.0, 0, 30, 30]], [0]), [0.5], masks=True)
    pseudo.attention = torch.rand(1, 8, 12)
    found = InstanceData(
        bboxes=torch.tensor([[50.0, 0, 90, 60]] * 3),
        labels=torch.arange(3),
        scores=torch.full((3,), 0.7),
        agreement=torch.full((3,), agreement),
        masks=torch.rand(3, 8, 12) / 2,
    )
    tags = torch.tensor([1.0, 0.0, 1.0])
    return evidence_of(64, 96, tags=tags, pseudo_instances=pseudo, found=found)


def test_validation_keeps_only_tagged_classes_and_weights_them_by_agreement():
    pseudo = validated(returning_evidence())
    assert pseudo.labels.tolist() == [0, 0, 2]
    assert pseudo.weights.tolist() == pytest.approx([0.5, 0.9, 0.9])
    assert pseudo.attention[1:].amax((1, 2)).tolist() == pytest.approx([1, 1])


def test_instances_without_weight_get_none():
    evidence = returning_evidence(agreement=0.0)
    evidence.pseudo_instances.weights[:] = 0
    assert validated(evidence).weights.tolist() == [0]
    evidence.pseudo_instances.weights[:] = 0.1
    assert validated(evidence).weights.tolist() == [0.5]
    assert evidence.pseudo_instances.weights.tolist() == pytest.approx([0.1])


def test_validation_drops_instances_that_the_stages_before_do_not_agree_with():
    pseudo = validated(returning_evidence(agreement=0.29), validation=0.3)
    assert pseudo.labels.tolist() == [0]
