"""Label-PEnet detector: builds the parts, makes the evidence, collects losses and predictions."""

from collections.abc import Sequence
from functools import partial

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Step
from mmlabelpenet.utils import in_evaluation

from .cascade import LABELS, Cascade
from .features import FurtherScales, extract_by_size, image_evidence, rescaled, with_proposals
from .results import add_image_results

STAGES = ('classification', 'detection', 'refinement', 'segmentation')


@MODELS.register_module()
class LabelPEnet(BaseDetector):
    """Label-PEnet (Ge et al., ICCV 2019): four cascaded modules on one backbone.

    Args:
        num_classes: C, passed on to every stage and to the label source.
        backbone: Config of the backbone.
        cascade: Config of each stage by its name; None leaves a stage and all after it out.
        calibration: Config of the label source: ``ProposalCalibration``, ``MinedProposals`` or
            ``TrueInstances``.
        order: Names of the stages in their order.
        proposals: Config of :class:`LearnedProposals`, for images that bring none at test time.
        train_cfg: Unused, as mmdet's detectors take it.
        test_cfg: ``stage``: the readout of :meth:`predict`, see :meth:`Cascade.read`; the last
            stage by default.
        attention_scales: Further scales, relative to the input, of the classifier's learning and
            of attention. No gradient reaches the backbone through them.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: For an unknown ``test_cfg.stage``; see :class:`Cascade` too.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        cascade: dict,
        calibration: dict,
        order: Sequence[str] = STAGES,
        proposals: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        attention_scales: Sequence[float] = (),
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.calibration = MODELS.build({'num_classes': num_classes, **calibration})
        self.cascade = Cascade(cascade, order, self.calibration, num_classes)
        self.proposals = self.cascade.learn_proposals(proposals)  # last: it is initialised last
        for stage in self.cascade.steps.values():
            stage.use_backbone(self.backbone)
        self.test_stage = (test_cfg or {}).get('stage', [*self.cascade][-1])
        if self.test_stage not in (known := self.cascade.readouts):
            raise ValueError(f'test_cfg.stage {self.test_stage!r} is not one of {known}')
        self.attention_scales = tuple(attention_scales)
        self._step = Step(learning=tuple(self.cascade))

    @property
    def step(self) -> Step:
        """What the next training steps ask for; see :func:`mmlabelpenet.engine.freeze`."""
        return self._step

    @step.setter
    def step(self, step: Step) -> None:
        """Let the stages prepare for such steps."""
        self._step = step
        for stage in self.cascade.steps.values():
            stage.begin(step)

    @property
    def makes_masks(self) -> bool:
        """Whether the readout of :meth:`predict` has masks."""
        return self.test_stage in LABELS or self.cascade[self.test_stage].makes_masks

    def train(self, mode: bool = True) -> 'LabelPEnet':
        """Switch to training mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        self.backbone.train(mode and self.step.backbone)
        for name, stage in self.cascade.steps.items():
            stage.train(mode and name in self.step.learning)
        return self

    def extract_feat(
        self, batch_inputs: Tensor, img_shapes: Sequence[tuple] | None = None
    ) -> tuple[Tensor, ...]:
        """Backbone maps of a batch, each image's independent of the others'.

        Args:
            batch_inputs: [B, 3, H, W], normalised and padded.
            img_shapes: (h, w) of each image without padding; None takes the batch as it is.
        """
        divisor = self.data_preprocessor.pad_size_divisor
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.step.backbone):
            return extract_by_size(self.backbone, batch_inputs, img_shapes or [], divisor)

    def extract(self, batch_inputs: Tensor, evidence: list[Evidence]) -> tuple[Tensor, ...]:
        """:meth:`extract_feat` by the shapes of the images; a cache can stand around it."""
        return self.extract_feat(batch_inputs, [one.img_shape for one in evidence])

    def evidence(
        self, batch_inputs: Tensor, data_samples: Sequence, tagged: bool = True
    ) -> list[Evidence]:
        """Evidence of a batch before stage 1, with tags where they are known and wanted."""
        evidence = [image_evidence(*pair, tagged) for pair in zip(batch_inputs, data_samples)]
        feats = self.extract(batch_inputs, evidence)
        scales = self.attention_scales if self.step.scales or not self.training else ()
        for index, (one, sample) in enumerate(zip(evidence, data_samples)):
            one.batch_feats, one.index = feats, index
            one.scales = FurtherScales(partial(self._at_scale, one), scales)
            if self.training and (self.cascade.reads_ground_truth or 'corrected' in sample):
                one.ground_truth = sample.gt_instances
        return with_proposals(evidence, data_samples, None if self.training else self.proposals)

    @torch.no_grad()
    def _at_scale(self, evidence: Evidence, scale: float) -> Evidence:
        scaled, inputs = rescaled(evidence, scale, self.data_preprocessor.pad_size_divisor)
        # Batch norm statistics stay unaffected by the extra scales.
        with in_evaluation(self.backbone):
            scaled.batch_feats = self.extract(inputs, [scaled])
        return scaled

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Losses of the stages that learn, named ``<stage>.<loss>``.

        Args:
            batch_inputs: [B, 3, H, W].
            batch_data_samples: With ``tags`` and ``proposals``.

        Returns:
            Scalars by name; beside the losses ``<stage>.pseudo`` and ``<stage>.pseudo_v``, the
            number of pseudo instances in an image and their mean weight.
        """
        evidence = self.evidence(batch_inputs, batch_data_samples)
        if self.step.direction == 'backward' and self.cascade.can_validate:
            return self.cascade.backward_losses(evidence, self.step)
        return self.cascade.down(evidence, self.step)[1]

    @torch.no_grad()
    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: list,
        rescale: bool = True,
        stage: str | None = None,
    ) -> list:
        """Results of a readout in pixels of the original images.

        Args:
            batch_inputs: [B, 3, H, W].
            batch_data_samples: With ``proposals``; they get learned ones if they have none.
            rescale: Only True is supported.
            stage: One of the cascade's ``readouts``; None is that of ``test_cfg``.

        Returns:
            The samples with ``pred_instances`` (bboxes [M, 4] with exclusive x2 and y2, scores
            [M], labels [M], perhaps masks: [M, H, W], or run lengths if those would take a
            gigabyte), ``pred_image_scores`` [C] and, with masks, ``pred_sem_seg``.
        """
        name = stage or self.test_stage
        evidence = self.evidence(batch_inputs, batch_data_samples, tagged=name in LABELS)
        image_scores = self.cascade.image_scores(evidence)
        results = self.cascade.read(name, evidence)
        for sample, result, scores in zip(batch_data_samples, results, image_scores):
            add_image_results(sample, result, scores)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def read(self, data: dict, stage: str | None = None) -> list[DetDataSample]:
        """:meth:`predict` of a batch as the data loader gives it."""
        batch = self.data_preprocessor(data, False)
        return self.predict(batch['inputs'], batch['data_samples'], stage=stage)

    @torch.no_grad()
    def read_evidence(self, data: dict, tagged: bool = True) -> list[Evidence]:
        """:meth:`evidence` of a batch as the data loader gives it."""
        batch = self.data_preprocessor(data, False)
        return self.evidence(batch['inputs'], batch['data_samples'], tagged)

    @torch.no_grad()
    def explain(self, data: dict) -> list[Evidence]:
        """Evidence of a batch for pictures and analyses, see :meth:`Cascade.explain`."""
        return self.cascade.explain(self.read_evidence(data))

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list | None = None) -> tuple:
        """Backbone maps alone, which need no proposals."""
        return self.extract_feat(batch_inputs)
