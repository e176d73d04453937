import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import ProposalCalibration, SemanticAttention
from mmlabelpenet.models.stages import SemanticStage
from mmlabelpenet.structures import Maps

from ..tiny import LEVELS, NUM_CLASSES, evidence_of, random_feats


def calibrated():
    """Calibrated evidence of an image of 64 x 96 that shows class 1."""
    pseudo = InstanceData(
        labels=torch.tensor([1]), weights=torch.ones(1), attention=torch.zeros(1, 4, 6)
    )
    pseudo.attention[0, 1:3, 1:4] = 1.0
    return evidence_of(
        64,
        96,
        feats=random_feats(),
        tags=torch.tensor([0.0, 1.0, 0.0]),
        attention=Maps(torch.zeros(NUM_CLASSES, 4, 6), 16),
        pseudo_instances=pseudo,
        instance_stride=16,
    )


def test_it_supervises_the_attention_and_leaves_the_evidence():
    attention = SemanticAttention(NUM_CLASSES, **LEVELS, levels=(2,))
    stage, evidence = SemanticStage(attention), [calibrated()]
    loss = stage.loss((), evidence)
    assert loss.keys() == {'loss_semantic'}
    assert loss['loss_semantic'].item() == attention.loss(evidence).item() > 0
    loss['loss_semantic'].backward()
    assert attention.bias.grad.abs().sum() > 0
    assert stage.propagate((), evidence) is evidence
    assert stage.validate((), evidence) is evidence


def test_it_is_the_step_after_a_calibration_with_semantic_attention():
    calibration = ProposalCalibration(NUM_CLASSES, semantic=dict(LEVELS, levels=(2,)))
    steps = calibration.steps()
    assert list(steps) == ['calibration', 'semantic']
    assert steps['semantic'].learns
    assert steps['semantic'].attention is calibration.semantic
    assert list(ProposalCalibration(NUM_CLASSES).steps()) == ['calibration']
