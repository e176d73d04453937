"""Labels of training images that last over steps and phases."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor
from torch.utils.data import DataLoader

from mmlabelpenet.datasets import derived_seed
from mmlabelpenet.models import DetectionStage, LabelPEnet, Stage, relabelled
from mmlabelpenet.models.detectors.features import image_evidence, rescaled
from mmlabelpenet.models.stages.calibration import SEMANTIC
from mmlabelpenet.structures import Evidence, Maps, grid_size
from mmlabelpenet.structures.boxes import stretch_boxes
from mmlabelpenet.utils import in_evaluation, to_rles
from mmlabelpenet.utils.masks import decode_all

CHECKPOINT_KEY = 'labels'
# Least value of a pixel of a label's mask, as a share of the peak.
THRESHOLD = 0.5
# Dimensions that a flip reverses.
FLIPPED = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}


class StoredLabels:
    """Pseudo instances of training images that the cascade has found, in place of its first ones.

    They are made once for each photo, by all processes together, and lie in the checkpoints, so
    that a run that is resumed goes on with the same labels.

    Args:
        size: Short side in pixels of the images that are labelled, whatever size they learn at;
            None labels them at the size that the training pipeline gives.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.labels: dict[str, dict[str, Any]] = {}

    def fill(
        self, model: LabelPEnet, loader: DataLoader, seed: int, by_all: bool = True
    ) -> Iterator[int]:
        """Label all images of a loader anew; nothing changes before the last one is labelled.

        Args:
            model: Not wrapped, in training mode; its caches may be open.
            loader: Of the training images, whose data set takes (index, seed).
            seed: Of the random transforms.
            by_all: Whether all modules label together, or stage 1 and the label source alone.

        Yields:
            The number of images, of all processes, after each one of this process.
        """
        dataset, own = loader.dataset, {}
        seeding_steps(model)  # labels follow from stage 1, not from older ones
        with torch.no_grad(), in_evaluation(model.cascade), in_evaluation(model.backbone):
            for index in range(get_rank(), len(dataset), get_world_size()):
                evidence = self._evidence(model, loader, index, seed)
                feats, cascade = evidence[0].batch_feats, model.cascade
                [one] = relabelled(cascade, evidence) if by_all else cascade.seed(feats, evidence)
                own[name_of(one)] = packed(one)
                yield min(index + get_world_size(), len(dataset))
        self.labels = {name: one for part in all_gather_object(own) for name, one in part.items()}

    def _evidence(
        self, model: LabelPEnet, loader: DataLoader, index: int, seed: int
    ) -> list[Evidence]:
        """Evidence of one image before stage 1, at the size that is set."""
        batch = loader.collate_fn([loader.dataset[index, derived_seed(seed, 0, index)]])
        batch = model.data_preprocessor(batch, False)
        inputs, [sample] = batch['inputs'], batch['data_samples']
        if self.size is not None:
            divisor = model.data_preprocessor.pad_size_divisor
            inputs, sample = at_size(inputs, sample, self.size, divisor)
        return model.evidence(inputs, [sample])

    def around(self, model: LabelPEnet, use: bool = True) -> None:
        """Let the label source give these labels in training, where it has them.

        Args:
            model: Not wrapped.
            use: False lets it give its own again.
        """
        if not self.labels:
            return
        first, source = seeding_steps(model)
        if not use:
            return
        model.cascade.__dict__.pop('seed', None)  # the cache of the first labels
        look, propagate = first.propagate, source.propagate
        looks = reads_stage_1(model)

        def unread(feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
            return look(feats, evidence) if looks or not model.training else evidence

        def stored(feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
            if not model.training:
                return propagate(feats, evidence)
            return [
                unpacked(self.labels[name], one)
                if (name := name_of(one)) in self.labels
                else propagate(one.feats, look(one.feats, [one]))[0]
                for one in evidence
            ]

        # Where nothing reads attention and scores of stage 1, they are not computed.
        first.propagate, source.propagate = unread, stored  # type: ignore[method-assign]


def reads_stage_1(model: LabelPEnet) -> bool:
    """Whether a step reads the attention of stage 1 beside the labels."""
    steps = model.cascade.steps.values()
    extends = (isinstance(one, DetectionStage) and one.extend_score is not None for one in steps)
    return SEMANTIC in model.step.learning or any(extends)


def seeding_steps(model: LabelPEnet) -> list[Stage]:
    """Stage 1 and the label source, giving their own labels again."""
    found = [model.cascade.steps[name] for name in model.cascade.seeding]
    for one in found:
        one.__dict__.pop('propagate', None)
    return found


class StoredLabelsHook(Hook):
    """Keeps stored labels in checkpoints. The training loop registers it.

    Args:
        store: Of the loop.
    """

    priority = 'VERY_HIGH'

    def __init__(self, store: StoredLabels) -> None:
        self.store = store

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the labels."""
        if self.store.labels:
            checkpoint[CHECKPOINT_KEY] = self.store.labels

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the labels of a run that goes on."""
        labels = checkpoint.pop(CHECKPOINT_KEY, {})
        if runner._resume:
            self.store.labels = labels


def at_size(
    inputs: Tensor, sample: DetDataSample, size: int, divisor: int
) -> tuple[Tensor, DetDataSample]:
    """An image whose short side has ``size`` pixels.

    Args:
        inputs: [1, 3, H, W], normalised and padded.
        sample: Its sample, perhaps with ``proposals``.
        size: In pixels.
        divisor: The result is padded to multiples of it.

    Returns:
        The image [1, 3, H', W'] and its sample.
    """
    evidence = image_evidence(inputs[0], sample, False)
    height, width = evidence.img_shape[:2]
    scaled, inputs = rescaled(evidence, size / min(height, width), divisor)
    factors = scaled.img_shape[1] / width, scaled.img_shape[0] / height
    sample = sample.clone()
    sample.set_metainfo(dict(img_shape=scaled.img_shape))
    if 'proposals' in sample:
        bboxes = stretch_boxes(sample.proposals.bboxes, factors)
        sample.proposals = InstanceData(bboxes=bboxes)
    return inputs, sample


def name_of(evidence: Evidence) -> str:
    """Name of an image, the same whatever its size and flip."""
    return str(evidence.metainfo.get('dataset_name', '')) + '/' + str(evidence.img_id)


def packed(evidence: Evidence) -> dict[str, Any]:
    """Pseudo instances of an image in a small form, without its flip."""
    pseudo, (height, width) = evidence.pseudo_instances, evidence.img_shape[:2]
    bboxes, masks = flipped(pseudo.bboxes, pseudo.attention >= THRESHOLD, evidence)
    return {
        'bboxes': bboxes.cpu(),
        'labels': pseudo.labels.cpu(),
        'weights': pseudo.weights.cpu(),
        'masks': to_rles(masks),
        'stride': int(evidence.instance_stride),
        'img_shape': (int(height), int(width)),
    }


def unpacked(label: dict[str, Any], evidence: Evidence) -> Evidence:
    """The evidence of an image, at any size and flip, with its stored pseudo instances."""
    device, stride, (height, width) = evidence.image.device, label['stride'], label['img_shape']
    factors = evidence.img_shape[1] / width, evidence.img_shape[0] / height
    bboxes = stretch_boxes(label['bboxes'].to(device), factors)
    size = grid_size((height, width), stride)
    masks = torch.from_numpy(decode_all(label['masks'], size)).to(device, torch.float32)
    bboxes, masks = flipped(bboxes, masks, evidence)
    size = grid_size(evidence.img_shape, stride)
    attention = Maps(masks, stride * factors[1]).resample(stride, size).values
    weights = label['weights'].to(device)
    pseudo = InstanceData(
        bboxes=bboxes,
        labels=label['labels'].to(device),
        scores=weights,
        weights=weights,
        attention=attention,
    )
    return evidence.replace(pseudo_instances=pseudo, instance_stride=stride)


def flipped(bboxes: Tensor, masks: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Boxes [M, 4] xyxy and masks [M, h, w], flipped as their image is: there and back."""
    if not evidence.get('flip'):
        return bboxes, masks
    direction = evidence.get('flip_direction') or 'horizontal'
    return bbox_flip(bboxes, evidence.img_shape, direction), masks.flip(FLIPPED[direction])
