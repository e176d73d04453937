"""LabelPEnet: the cascade from tags to instances, on one screen."""

from collections.abc import Sequence

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.model import ModuleDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Curriculum, Evidence

from .feature_cache import FeatureCache, LabelCache
from .painting import add_image_results
from .pseudo_labels import above, pseudo_result, supervision
from .views import padded_input, rescaled, stack_maps

STAGES = ('classification', 'detection', 'refinement', 'segmentation')
# Tested like stages, on images whose tags are known: the pseudo instances themselves, with the
# attention that teaches stage 3 as masks, or with stage 3's own masks and validated.
PSEUDO = ('attention', 'calibration')
# What can learn beside the stages, between the first two of them.
CALIBRATION = 'calibration'


@MODELS.register_module()
class LabelPEnet(BaseDetector):
    """Label-PEnet (Ge et al., ICCV 2019): four cascaded modules on one backbone.

    Args:
        num_classes: C, which every stage and the semantic attention is told.
        backbone: Config of the backbone.
        cascade: Config of each stage by its name (classification, detection, refinement,
            segmentation); None leaves a stage and all after it out.
        calibration: Config of the proposal calibration.
        train_cfg: Unused, as mmdet's detectors take it.
        test_cfg: ``stage``: whose result :meth:`predict` gives, the last one by default;
            of images whose tags are known, ``'attention'`` gives the pseudo instances that teach
            stages 2 and 3, and ``'calibration'`` those that teach stage 4, with stage 3's masks
            and, in a full calibration, validated.
        attention_scales: Further sizes of an image, relative to the input, at which the backbone
            sees it, the classifier learns and attention is read too; the maps are averaged by
            the calibration. No gradient goes to the backbone through them.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: For an unknown stage, or one whose predecessor is missing.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        cascade: dict,
        calibration: dict,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        attention_scales: Sequence[float] = (),
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        names = [name for name in STAGES if cascade.get(name) is not None]
        unknown = sorted(set(cascade) - set(STAGES))
        if unknown or names != list(STAGES[: len(names)]) or not names:
            raise ValueError(
                f'cascade holds {sorted(cascade)}, but its stages are {STAGES}, in this order'
            )
        self.backbone = MODELS.build(backbone)
        told = {}
        if calibration.get('semantic') is not None:
            told['semantic'] = dict(num_classes=num_classes, **calibration['semantic'])
        self.calibration = MODELS.build({**calibration, **told})
        # mmengine's, since torch's own would keep init_weights from reaching the stages
        self.cascade = ModuleDict(
            {name: MODELS.build(dict(num_classes=num_classes, **cascade[name])) for name in names}
        )
        attention = self.cascade['classification'].attention
        if hasattr(attention, 'use_backbone'):
            attention.use_backbone(self.backbone)
        self.tested = (test_cfg or {}).get('stage', names[-1])
        if self.tested not in (*names, *PSEUDO):
            raise ValueError(f'test_cfg.stage {self.tested!r} is not one of {(*names, *PSEUDO)}')
        self.active = tuple(names)
        self.backbone_learns = True
        self.training_sees_views = True
        self.curriculum = Curriculum()
        self.attention_scales = tuple(attention_scales) if calibration.get('mode') != 'off' else ()
        self._recipe = (cascade['classification'], calibration)
        self.feature_cache: FeatureCache | None = None
        self.label_cache: LabelCache | None = None

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What the evidence meets on its way down, and what can learn: stages and calibration."""
        first, *others = self.cascade.items()
        return dict([first, (CALIBRATION, self.calibration), *others])

    def set_active(self, stages: Sequence[str], backbone_learns: bool, views: bool = True) -> None:
        """Say who learns; all else is frozen: no gradient, batch norm in evaluation.

        Args:
            stages: Names of the stages that learn; ``'calibration'`` is one if it has a part
                that does.
            backbone_learns: Whether the backbone does, but for the blocks that it holds frozen.
            views: Whether training sees the images at ``attention_scales`` too.
        """
        able = [
            name
            for name in self.parts
            if name != CALIBRATION or getattr(self.calibration, 'semantic', None) is not None
        ]
        unknown = sorted(set(stages) - set(able))
        if unknown:
            raise ValueError(f'stages {unknown} are not in the cascade {able}')
        self.active = tuple(name for name in able if name in stages)
        self.backbone_learns = backbone_learns
        self.training_sees_views = views
        for name, part in self.parts.items():
            part.requires_grad_(name in self.active)
        self.backbone.requires_grad_(backbone_learns)
        self.calibration.trusts_semantic = self.active != (CALIBRATION,)
        # Entering training mode, a backbone freezes its own first blocks again.
        self.train(self.training)

    def set_curriculum(self, curriculum: Curriculum) -> None:
        """Say what the next training steps ask for, see :class:`Curriculum`."""
        self.curriculum = curriculum

    def copy_parts(self, parts: dict[str, str]) -> None:
        """Let parts of the cascade begin with what others have learnt.

        Args:
            parts: For each part by its name in the cascade the part that it copies.
        """
        for part, source in parts.items():
            weights = self.cascade.get_submodule(source).state_dict()
            self.cascade.get_submodule(part).load_state_dict(weights)

    def train(self, mode: bool = True) -> 'LabelPEnet':
        """Switch to training mode; what is frozen stays in evaluation."""
        super().train(mode)
        self.backbone.train(mode and self.backbone_learns)
        for name, stage in self.cascade.items():
            stage.train(mode and name in self.active)
        return self

    @property
    def labels_fixed(self) -> bool:
        """Whether an image has the same pseudo instances at each step of the phase."""
        # Calibration that learns alone does not look at what it has learnt.
        teaches = 'classification' in self.active or CALIBRATION in self.active[:-1]
        return not (self.backbone_learns or teaches)

    @property
    def label_recipe(self) -> str:
        """What pseudo instances follow from, beside images, proposals and weights."""
        scales = self.attention_scales if self.training_sees_views else ()
        return repr((*self._recipe, scales, getattr(self.calibration, 'trusts_semantic', None)))

    def extract_feat(
        self, batch_inputs: Tensor, img_shapes: Sequence[tuple] | None = None
    ) -> tuple[Tensor, ...]:
        """Backbone maps of a batch, each image's independent of the others'.

        Images of other sizes go through alone, so that the padding of a batch can't reach
        them, and their maps are padded by repeating the border.

        Args:
            batch_inputs: [B, 3, H, W], normalised and padded.
            img_shapes: For each image (h, w) without padding; None takes the batch as it is.

        Returns:
            The backbone's maps, each [B, channels, H / stride, W / stride].
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.backbone_learns):
            height, width = batch_inputs.shape[-2:]
            sizes = [self._padded(shape) for shape in img_shapes or []]
            if all(size == (height, width) for size in sizes):
                return self.backbone(batch_inputs)
            singles = [
                self.backbone(batch_inputs[i : i + 1, :, : size[0], : size[1]])
                for i, size in enumerate(sizes)
            ]
            return tuple(stack_maps(maps) for maps in zip(*singles))

    def _training_feat(
        self, batch_inputs: Tensor, evidence: Sequence[Evidence]
    ) -> tuple[Tensor, ...]:
        """Backbone maps, those of a frozen backbone from the cache where there is one."""
        cache = self.feature_cache if self.training and not self.backbone_learns else None
        if cache is None:
            return self.extract_feat(batch_inputs, [e.img_shape for e in evidence])
        kept = []
        for index, one in enumerate(evidence):
            maps = cache.load(one.metainfo, batch_inputs.device)
            if maps is None:
                height, width = self._padded(one.img_shape)
                maps = self.extract_feat(batch_inputs[index : index + 1, :, :height, :width])
                maps = cache.store(one.metainfo, maps)
            kept.append(maps)
        return tuple(stack_maps(maps) for maps in zip(*kept))

    def _padded(self, shape: tuple) -> tuple[int, int]:
        divisor = self.data_preprocessor.pad_size_divisor
        return -(-shape[0] // divisor) * divisor, -(-shape[1] // divisor) * divisor

    def _evidence(
        self, batch_inputs: Tensor, data_samples: Sequence[DetDataSample]
    ) -> list[Evidence]:
        collected = []
        for inputs, sample in zip(batch_inputs, data_samples):
            one = Evidence(metainfo=dict(sample.metainfo))
            height, width = sample.img_shape[:2]
            one.image = inputs[:, :height, :width]
            bboxes = sample.proposals.bboxes
            if len(bboxes) == 0:  # the whole image is the one proposal that is always there
                bboxes = bboxes.new_tensor([[0, 0, width, height]])
            one.proposals = InstanceData(bboxes=bboxes)
            if 'tags' in sample:
                one.tags = sample.tags
                ignored = sample.get('ignored_tags')
                one.known = torch.ones_like(one.tags) if ignored is None else 1 - ignored
            if self.training and getattr(self.calibration, 'reads_truth', False):
                one.truth = sample.gt_instances
            collected.append(one)
        return collected

    def _walk(
        self,
        feats: tuple[Tensor, ...],
        evidence: list[Evidence],
        last: str,
        learning: Sequence[str] = (),
    ) -> tuple[list[Evidence], dict[str, Tensor]]:
        """Walk the stages down to ``last``: the evidence that reaches it, the losses met."""
        losses: dict[str, Tensor] = {}
        for name in self.parts:
            if name in learning:
                losses |= self._part_loss(name, feats, evidence)
            if name == last:
                break
            evidence = self._handed_on(name, feats, evidence)
            if self.training:
                # Those pseudo instances count that are sure enough.
                evidence = [above(one, self.curriculum.threshold) for one in evidence]
        return evidence, losses

    def _handed_on(
        self, name: str, feats: tuple[Tensor, ...], evidence: list[Evidence]
    ) -> list[Evidence]:
        if name == 'classification':
            return self._seed(feats, evidence)
        # What the calibration has to say is said by then; it only learns from it.
        return evidence if name == CALIBRATION else self.cascade[name].propagate(feats, evidence)

    def _seed(self, feats: tuple[Tensor, ...], evidence: list[Evidence]) -> list[Evidence]:
        """Pseudo instances from tags; while they stay the same, from the cache of labels."""
        if not self.training or self.label_cache is None or not self.labels_fixed:
            return self.calibration(feats, self._propagate_tags(feats, evidence))
        seeded = []
        for index, one in enumerate(evidence):
            known = self.label_cache.load(one)
            if known is None:
                image = tuple(level[index : index + 1] for level in feats)
                [made] = self.calibration(image, self._propagate_tags(image, [one]))
                known = self.label_cache.store(one, made)
            seeded.append(known)
        return seeded

    def _propagate_tags(
        self, feats: tuple[Tensor, ...], evidence: list[Evidence]
    ) -> list[Evidence]:
        """Stage 1's evidence, with that of the images at further sizes where asked for."""
        evidence = [self._with_views(one) for one in evidence]
        return self.cascade['classification'].propagate(feats, evidence)

    @torch.no_grad()
    def _with_views(self, evidence: Evidence) -> Evidence:
        wanted = self.attention_scales if self.training_sees_views or not self.training else ()
        if not wanted or 'views' in evidence:
            return evidence
        evidence = evidence.clone()
        # Batch norm must not learn from what no loss looks at.
        self.backbone.eval()
        evidence.views = [rescaled(evidence, scale) for scale in wanted]
        for view in evidence.views:
            inputs = padded_input(view, self._padded(view.img_shape))
            view.feats = self._training_feat(inputs, [view])
        self.backbone.train(self.training and self.backbone_learns)
        return evidence

    def _part_loss(
        self, name: str, feats: tuple[Tensor, ...], evidence: list[Evidence]
    ) -> dict[str, Tensor]:
        weight = self.curriculum.weights.get(name, 1.0)
        losses = self.parts[name].loss(feats, evidence)
        losses = {f'{name}.{key}': value * weight for key, value in losses.items()}
        if name == 'classification':
            return losses
        counts = supervision(evidence)
        return losses | {f'{name}.{key}': value for key, value in counts.items()}

    @torch.no_grad()
    def _validate(self, feats: tuple[Tensor, ...], evidence: list[Evidence]) -> list[Evidence]:
        """Walk the evidence back up: what the last stage finds is weighed by those before."""
        for stage in reversed(self.cascade.values()):
            evidence = stage.validate(feats, evidence)
        return self.calibration.feedback(evidence)

    @property
    def can_validate(self) -> bool:
        """Whether there is a way back: a full calibration, and a last stage to begin it."""
        return self.calibration.mode == 'full' and 'segmentation' in self.cascade

    def _backward_loss(
        self, feats: tuple[Tensor, ...], evidence: list[Evidence]
    ) -> dict[str, Tensor]:
        """Losses of the stages before the last one on validated labels (METHOD 6)."""
        self.cascade.eval()
        with torch.no_grad():
            evidence = self._validate(feats, self._explain(feats, evidence))
        self.train(self.training)
        evidence = [above(one, self.curriculum.threshold) for one in evidence]
        losses: dict[str, Tensor] = {}
        for name in reversed(self.active):
            if name != 'segmentation':
                losses |= self._part_loss(name, feats, evidence)
        return losses

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Losses of the stages that learn, named ``<stage>.<loss>``.

        Args:
            batch_inputs: [B, 3, H, W].
            batch_data_samples: With ``tags`` and ``proposals``; nothing finer is read, but by the
                ``TrueInstances`` of an upper bound.

        Returns:
            Scalars by name; beside the losses, for each stage that learns from pseudo instances,
            how many an image has that count (``<stage>.pseudo``) and their mean weight
            (``<stage>.pseudo_v``).
        """
        evidence = self._evidence(batch_inputs, batch_data_samples)
        feats = self._training_feat(batch_inputs, evidence)
        if self.curriculum.direction == 'backward' and self.can_validate:
            return self._backward_loss(feats, evidence)
        if 'classification' in self.active or CALIBRATION in self.active:
            evidence = [self._with_views(one) for one in evidence]
        return self._walk(feats, evidence, self.active[-1], self.active)[1]

    @property
    def makes_masks(self) -> bool:
        """Whether the tested stage's results have masks."""
        return self.tested in PSEUDO or self.cascade[self.tested].makes_masks

    @torch.no_grad()
    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list, rescale: bool = True
    ) -> list:
        """Results of the tested stage in image pixels.

        Args:
            batch_inputs: [B, 3, H, W].
            batch_data_samples: With ``proposals``.
            rescale: Only True is known: results are in image pixels.

        Returns:
            The samples with ``pred_instances`` (bboxes [M, 4], scores [M], labels [M], masks
            [M, H, W] where the stage makes them), ``pred_image_scores`` [C] and, with masks,
            ``pred_sem_seg``; x2 and y2 of boxes are the first pixels outside.
        """
        evidence = self._evidence(batch_inputs, batch_data_samples)
        img_shapes = [e.img_shape for e in evidence]
        feats = self.extract_feat(batch_inputs, img_shapes)
        image_scores = self.cascade['classification'].image_scores(feats, img_shapes)
        results = self._results(feats, evidence, self.tested)
        for sample, result, scores in zip(batch_data_samples, results, image_scores):
            if not self.makes_masks:
                result.bboxes = result.bboxes / result.bboxes.new_tensor(sample.scale_factor * 2)
            add_image_results(sample, result, scores)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _results(
        self, feats: tuple[Tensor, ...], evidence: list[Evidence], name: str
    ) -> list[InstanceData]:
        if name == 'attention':
            evidence = self._walk(feats, evidence, last='detection')[0]
            return [pseudo_result(e, 'attention') for e in evidence]
        if name == 'calibration':
            evidence = self._explain(feats, evidence)
            if self.can_validate:
                evidence = self._validate(feats, evidence)
            return [pseudo_result(e, 'masks') for e in evidence]
        stage = self.cascade[name]
        if name == 'classification':
            evidence = self.attend(feats, evidence)
        if stage.needs is not None:
            for one, result in zip(evidence, self._results(feats, evidence, stage.needs)):
                one.detections = result
        return stage.predict(feats, evidence)

    @torch.no_grad()
    def attend(self, feats: tuple[Tensor, ...], evidence: list[Evidence]) -> list[Evidence]:
        """Calibrated attention and proposal scores of images, whose tags are not looked at.

        Args:
            feats: Backbone maps of a batch.
            evidence: As :meth:`read` gives it.

        Returns:
            The evidence after stage 1 and :meth:`ProposalCalibration.rescore`.
        """
        untold = []
        for one in evidence:
            one = one.clone()
            one.pop('tags', None)
            untold.append(one)
        return self.calibration.rescore(feats, self._propagate_tags(feats, untold))

    def _explain(self, feats: tuple[Tensor, ...], evidence: list[Evidence]) -> list[Evidence]:
        # Segmentation adds nothing to the evidence; every stage before it does.
        return self._walk(feats, evidence, last='segmentation')[0]

    @torch.no_grad()
    def read(self, data: dict) -> tuple[tuple[Tensor, ...], list[Evidence]]:
        """Backbone maps and first evidence of a batch as the data loader gives it."""
        data = self.data_preprocessor(data, False)
        evidence = self._evidence(data['inputs'], data['data_samples'])
        return self.extract_feat(data['inputs'], [e.img_shape for e in evidence]), evidence

    @torch.no_grad()
    def score_regions(
        self, feats: tuple[Tensor, ...], evidence: list[Evidence], name: str
    ) -> list[tuple[Tensor, Tensor]]:
        """Scores [N, C] and boxes [N, 4] that a stage gives to an image's proposals, in order."""
        stage = self.cascade[name]
        if name == 'classification':
            evidence = self.attend(feats, evidence)
        return self.cascade[stage.needs or name].score_regions(feats, evidence)

    @torch.no_grad()
    def explain(self, data: dict) -> list[Evidence]:
        """What the cascade makes of images whose tags are known: for pictures and study.

        Args:
            data: A batch as the data loader gives it, with tags.

        Returns:
            For each image its evidence after all stages that make some, in input pixels.
        """
        return self._explain(*self.read(data))

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list | None = None) -> tuple:
        """Backbone maps alone: what can be had without proposals."""
        return self.extract_feat(batch_inputs)
