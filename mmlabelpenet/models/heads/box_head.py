"""Fast R-CNN type head that learns from weighted pseudo boxes."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures.boxes import decode_boxes, encode_boxes

from ..task_modules import IGNORED, assign_pseudo_labels, sample_rois


@MODELS.register_module()
class WeakBoxHead(BaseModule):
    """Classifier of C + 1 classes and class-agnostic box regression on region vectors.

    Every region is weighted by the pseudo instance that it is assigned to (OICR, Tang et al.,
    CVPR 2017); class-agnostic regression does better than class-specific under weak labels.

    Args:
        num_classes: C.
        roi_features: Arguments of :class:`RoIFeatures`.
        num_branches: K classifiers on the same vectors (OICR refines three times).
        with_regression: Whether boxes are regressed.
        num_samples: Regions drawn from an image for the loss; None takes all.
        pos_fraction: Greatest share of foreground among them.
        pos_iou: Least IoU of foreground.
        neg_iou: Least and greatest IoU of background.
        regression_weight: Factor of the regression loss.
        loss_clusters: Whether the regions around a pseudo box learn as one bag
            (:func:`cluster_likelihood`) instead of each for itself.
        init_cfg: mmengine's initialisation. By default the output layers are drawn narrowly, as
            in Fast R-CNN, so that training starts flat.

    Attributes:
        assign: :func:`assign_pseudo_labels` with this head's classes and thresholds.

    Raises:
        ValueError: If bags shall be made of a sample of their regions.
    """

    def __init__(
        self,
        num_classes: int,
        roi_features: dict,
        num_branches: int = 1,
        with_regression: bool = True,
        num_samples: int | None = 128,
        pos_fraction: float = 0.25,
        pos_iou: float = 0.5,
        neg_iou: tuple[float, float] = (0.1, 0.5),
        regression_weight: float = 1.0,
        loss_clusters: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        narrow = [dict(type='Normal', std=0.01, override=dict(name='fc_cls'))]
        if with_regression:
            narrow.append(dict(type='Normal', std=0.001, override=dict(name='fc_reg')))
        super().__init__(init_cfg or narrow)
        self.num_classes = num_classes
        self.num_branches = num_branches
        self.num_samples = num_samples
        self.pos_fraction = pos_fraction
        self.assign = partial(
            assign_pseudo_labels, num_classes=num_classes, pos_iou=pos_iou, neg_iou=neg_iou
        )
        self.regression_weight = regression_weight
        self.loss_clusters = loss_clusters
        if loss_clusters and num_samples is not None:
            raise ValueError('loss_clusters needs num_samples=None: a bag holds all its regions')
        self.roi_features = MODELS.build(dict(type='RoIFeatures', **roi_features))
        width = self.roi_features.out_channels
        self.fc_cls = nn.Linear(width, num_branches * (num_classes + 1))
        self.fc_reg = nn.Linear(width, 4) if with_regression else None

    def forward(
        self, feats: Sequence[Tensor], bboxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Logits and deltas of regions.

        Args:
            feats: Backbone maps of a batch of B images.
            bboxes: For each image its regions [N_i, 4] xyxy in input pixels.

        Returns:
            Logits [sum N_i, K, C + 1] and deltas [sum N_i, 4] (None without regression).
        """
        vectors = self.roi_features(feats, bbox2roi(list(bboxes)))
        logits = self.fc_cls(vectors).view(-1, self.num_branches, self.num_classes + 1)
        return logits, None if self.fc_reg is None else self.fc_reg(vectors)

    def sample(
        self, bboxes: Sequence[Tensor], pseudo_instances: Sequence[InstanceData]
    ) -> list[InstanceData]:
        """Assign the regions of images and draw those that learn.

        Args:
            bboxes: For each image [N_i, 4] xyxy; the pseudo boxes themselves are added.
            pseudo_instances: For each image M_i instances with ``bboxes``, ``labels``,
                ``weights``.

        Returns:
            For each image regions as :func:`assign_pseudo_labels` describes them.
        """
        both = [torch.cat([own.bboxes, one]) for own, one in zip(pseudo_instances, bboxes)]
        assigned = self.assign(both, pseudo_instances)
        if self.num_samples is None:
            return assigned
        return sample_rois(assigned, self.num_classes, self.num_samples, self.pos_fraction)

    def loss(
        self, logits: Tensor, deltas: Tensor | None, regions: Sequence[InstanceData]
    ) -> dict[str, Tensor]:
        """Weighted losses of one branch.

        Args:
            logits: [N, C + 1] of one branch for the regions of all images.
            deltas: [N, 4], or None where boxes do not learn.
            regions: For each image those that :meth:`sample` drew, N in all.

        Returns:
            ``loss_cls`` and, with deltas, ``loss_bbox``: sums over all regions, divided by the
            number of regions that are not ignored.
        """
        region = InstanceData.cat(list(regions))
        valid = region.labels != IGNORED
        count = valid.sum().clamp(min=1)
        cross_entropy = F.cross_entropy(
            logits.float(), region.labels.clamp(min=0), reduction='none'
        )
        if self.loss_clusters:
            cross_entropy = -cluster_likelihood(-cross_entropy, regions, self.num_classes)
        losses = dict(loss_cls=(cross_entropy * region.weights).sum() / count)
        if deltas is not None:
            foreground = valid & (region.labels < self.num_classes)
            # Only foreground surely has an area, without which deltas are not finite.
            encoded = encode_boxes(region.bboxes, region.targets)
            targets = encoded.masked_fill(~foreground[:, None], 0)
            distance = F.smooth_l1_loss(deltas.float(), targets, reduction='none').sum(1)
            total = (distance * (region.weights * foreground)).sum()
            losses['loss_bbox'] = self.regression_weight * total / count
        return losses

    def scores_and_boxes(
        self, feats: Sequence[Tensor], bboxes: Sequence[Tensor], img_shapes: Sequence[tuple]
    ) -> list[tuple[Tensor, Tensor]]:
        """Class scores (mean of the branches) and regressed boxes of every region.

        Args:
            feats: Backbone maps of a batch.
            bboxes: For each image its regions [N_i, 4].
            img_shapes: For each image (h, w) of its unpadded input, to clip boxes to.

        Returns:
            For each image scores [N_i, C] and boxes [N_i, 4].
        """
        logits, deltas = self(feats, bboxes)
        sizes = [len(boxes) for boxes in bboxes]
        scores = logits.float().softmax(-1).mean(1)[:, :-1].split(sizes)
        if deltas is None:
            return list(zip(scores, bboxes))
        decoded = [
            decode_boxes(boxes, delta.float(), shape)
            for boxes, delta, shape in zip(bboxes, deltas.split(sizes), img_shapes)
        ]
        return list(zip(scores, decoded))


def cluster_likelihood(
    likelihood: Tensor, regions: Sequence[InstanceData], num_classes: int
) -> Tensor:
    """Log likelihood of every region, that of its whole cluster for foreground (PCL, eq. 9).

    A cluster is a bag: it is enough that its regions have the class on average, so a region
    that shows only a part of the object need not.

    Args:
        likelihood: [N], log probability of its label for each region of all images.
        regions: For each image those that :meth:`WeakBoxHead.sample` drew, the pseudo boxes among
            them.
        num_classes: C, the label of background.

    Returns:
        [N]: the logarithm of the mean probability over the regions of the same image that are
        foreground of the same pseudo instance; elsewhere ``likelihood``.
    """
    labels = torch.cat([region.labels for region in regions])
    foreground = ((labels != IGNORED) & (labels < num_classes)).to(likelihood)
    # An image has no more pseudo instances than regions, so that no two share a bag.
    starts = [0, *accumulate(len(region) for region in regions)]
    bags = torch.cat([region.assigned + start for region, start in zip(regions, starts)])
    empty = likelihood.new_zeros(starts[-1])
    total = empty.index_add(0, bags, likelihood.exp() * foreground)
    count = empty.index_add(0, bags, foreground)
    mean = (total / count.clamp(min=1))[bags].clamp(min=1e-12).log()
    return torch.where(foreground > 0, mean, likelihood)
