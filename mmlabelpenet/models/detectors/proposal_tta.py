"""Testing at several scales and flipped, scores of each proposal averaged."""

from collections.abc import Mapping, Sequence

import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..task_modules import select_detections
from .label_penet import LabelPEnet
from .painting import add_image_results

View = tuple[tuple[Tensor, ...], list[Evidence]]


@MODELS.register_module()
class ProposalTTA(BaseTTAModel):
    """Averages what :class:`LabelPEnet` gives to each proposal over the views of an image.

    The views of mmcv's ``TestTimeAug`` hold the same proposals in the same order, so that scores
    and boxes are averaged before NMS, as WSDDN, OICR and PCL test; masks are averaged within the
    boxes that are found. ``tools/test.py --tta`` wraps the model in it.
    """

    @torch.no_grad()
    def test_step(self, data: Mapping) -> list[DetDataSample]:
        """Results of a batch of images, each seen in several views.

        Args:
            data: ``inputs`` and ``data_samples``, lists over views of lists over images.

        Returns:
            The samples of the first view with the results, as :meth:`LabelPEnet.predict` gives
            them.
        """
        views = [dict(zip(data, view)) for view in zip(*data.values())]
        model = self.module.module if is_model_wrapper(self.module) else self.module
        return self.merge_preds([[model.read(view) for view in views], views])

    def merge_preds(self, data_samples_list: Sequence) -> list[DetDataSample]:
        """Average over views.

        Args:
            data_samples_list: What :meth:`LabelPEnet.read` made of each view, and the views.
        """
        read, views = data_samples_list
        model = self.module.module if is_model_wrapper(self.module) else self.module
        results = self._boxes(model, read)
        if model.cascade[model.tested].makes_masks:
            results = self._masks(model, read, results)
        scores = _image_scores(model, read)
        samples = views[0]['data_samples']
        for sample, result, score in zip(samples, results, scores):
            sample.pred_instances = result
            add_image_results(sample, result, score)
        return samples

    @staticmethod
    def _boxes(model: LabelPEnet, read: Sequence[View]) -> list[InstanceData]:
        """Detections of each image, in its own pixels."""
        scored = [model.score_regions(*view, model.tested) for view in read]
        stage = model.cascade[model.tested]
        selection = model.cascade[stage.needs or model.tested].test_cfg
        results = []
        for index in range(len(scored[0])):
            scores = torch.stack([view[index][0] for view in scored]).mean(0)
            boxes = [
                to_image(view[index][1], evidence[index])
                for view, (_, evidence) in zip(scored, read)
            ]
            results.append(select_detections(torch.stack(boxes).mean(0), scores, **selection))
        return results

    @staticmethod
    def _masks(
        model: LabelPEnet, read: Sequence[View], results: Sequence[InstanceData]
    ) -> list[InstanceData]:
        """The detections with masks."""
        head = model.cascade[model.tested].mask_head
        labels = torch.cat([result.labels for result in results])
        counts = [len(result) for result in results]
        views = []
        for feats, evidence in read:
            boxes = [to_view(result.bboxes, one) for result, one in zip(results, evidence)]
            probabilities = head.label_logits(feats, boxes, labels).sigmoid().split(counts)
            views.append(
                torch.cat(
                    [p.flip(-1) if e.get('flip') else p for p, e in zip(probabilities, evidence)]
                )
            )
        means = torch.stack(views).mean(0).split(counts)
        return [
            head.finish(soft, result, one) for soft, result, one in zip(means, results, read[0][1])
        ]


def _image_scores(model: LabelPEnet, read: Sequence[View]) -> Tensor:
    """Mean probability [B, C] that a class is in the image."""
    stage = model.cascade['classification']
    scores = [
        stage.image_scores(feats, [e.img_shape for e in evidence]) for feats, evidence in read
    ]
    return torch.stack(scores).mean(0)


def to_image(bboxes: Tensor, evidence: Evidence) -> Tensor:
    """Boxes [N, 4] from the pixels of a view, flipped or not, to those of the image."""
    return _unflip(bboxes, evidence) / bboxes.new_tensor(evidence.scale_factor * 2)


def to_view(bboxes: Tensor, evidence: Evidence) -> Tensor:
    """Boxes [N, 4] from the pixels of the image to those of a view."""
    return _unflip(bboxes * bboxes.new_tensor(evidence.scale_factor * 2), evidence)


def _unflip(bboxes: Tensor, evidence: Evidence) -> Tensor:
    if not evidence.get('flip'):
        return bboxes
    width = evidence.img_shape[1]
    x1, y1, x2, y2 = bboxes.unbind(1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=1)
