"""Losses that learn scores of proposals from image-level tags (docs/paper/method.md)."""

import torch
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS

# Image scores are kept within [EPS, 1 - EPS] before the logarithm.
EPS = 1e-6


class TagLoss(nn.Module):
    """A loss of proposal scores against tags.

    Args:
        loss_weight: Factor of the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight


@MODELS.register_module()
class WSDDNLoss(TagLoss):
    """Two-stream multiple-instance loss of WSDDN (Bilen and Vedaldi, CVPR 2016).

    Args:
        loss_weight: Factor of the loss.
    """

    def proposal_scores(self, class_logits: Tensor, weight_logits: Tensor) -> Tensor:
        """Softmax over classes times softmax over proposals.

        Args:
            class_logits: x^c, [N, C].
            weight_logits: x^p, [N, C].

        Returns:
            x^1, [N, C] in 0..1; its sum over the proposals is the image score, in 0..1 too.
        """
        return class_logits.softmax(1) * weight_logits.softmax(0)

    def forward(
        self, proposal_scores: Tensor, tags: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """Binary cross entropy between the image scores and the tags, summed over classes.

        Args:
            proposal_scores: [N, C] of one image.
            tags: [C] in {0, 1}.
            known: [C] in {0, 1}, 0 where a class is neither tagged nor known to be absent;
                None takes all as known.

        Returns:
            The loss, a scalar.
        """
        image_scores = proposal_scores.sum(0).clamp(EPS, 1 - EPS)
        # Written out: torch forbids its own under CUDA's autocast.
        likelihood = tags * image_scores.log() + (1 - tags) * (-image_scores).log1p()
        if known is not None:
            likelihood = likelihood * known
        return -self.loss_weight * likelihood.sum()


@MODELS.register_module()
class SoftmaxTagLoss(TagLoss):
    """Softmax cross-entropy of image scores against evenly shared tags (docs/paper/method.md).

    Args:
        loss_weight: Factor of the loss.
    """

    def proposal_scores(self, class_logits: Tensor, weight_logits: Tensor) -> Tensor:
        """Class scores [N, C] times a softmax over proposals of the weights [N, C]."""
        return class_logits * weight_logits.softmax(0)

    def forward(
        self, proposal_scores: Tensor, tags: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """``-sum_c y_c / |y| log softmax(s)_c``; zero for an image without tags.

        Args:
            proposal_scores: x^1, [N, C] of one image.
            tags: y, [C] in {0, 1}.
            known: [C] in {0, 1}, 0 where a class is neither tagged nor known to be absent: the
                softmax leaves it out. None takes all as known.

        Returns:
            The loss, a scalar.
        """
        logits = proposal_scores.sum(0)
        if known is not None:
            # finite, since infinity times a share of zero is not a number
            logits = logits.masked_fill(known == 0, torch.finfo(logits.dtype).min / 2)
        shares = tags / tags.sum().clamp(min=1)
        return -self.loss_weight * (shares * torch.log_softmax(logits, dim=0)).sum()
