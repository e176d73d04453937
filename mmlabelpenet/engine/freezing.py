"""Freezing of stages, and initialising parts from others."""

from collections.abc import Mapping

from mmlabelpenet.models import LabelPEnet
from mmlabelpenet.structures import Step


def freeze(model: LabelPEnet, step: Step) -> None:
    """Set the trainable stages and freeze the rest: no gradient, batch norm in evaluation mode.

    Args:
        model: Not wrapped.
        step: Of the phase that begins.

    Raises:
        ValueError: If a stage of the step is not in the cascade.
    """
    unknown = sorted(set(step.learning) - set(model.cascade.learnable))
    if unknown:
        raise ValueError(f'stages {unknown} are not in the cascade {model.cascade.learnable}')
    model.step = step
    for name, stage in model.cascade.steps.items():
        stage.requires_grad_(name in step.learning)
    model.backbone.requires_grad_(step.backbone)
    # In training mode a backbone freezes its own first blocks again.
    model.train(model.training)


def copy_parts(model: LabelPEnet, parts: Mapping[str, str]) -> None:
    """Initialise parts of the cascade with the weights of others.

    Args:
        model: Not wrapped.
        parts: For each part by its name in the cascade the part that it copies, e.g.
            ``{'segmentation.box_head': 'detection.box_head'}``.
    """
    for part, source in parts.items():
        weights = model.cascade.get_submodule(source).state_dict()
        model.cascade.get_submodule(part).load_state_dict(weights)
