"""Testing at several scales and flipped, scores of each proposal averaged."""

from collections.abc import Mapping, Sequence

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence
from mmlabelpenet.structures.boxes import shrink_boxes, stretch_boxes
from mmlabelpenet.utils import unwrap_model

from ..task_modules import select_detections
from .cascade import Cascade
from .results import add_image_results


@MODELS.register_module()
class ProposalTTA(BaseTTAModel):
    """Averages the scores that :class:`LabelPEnet` gives each proposal over views of an image.

    The views of mmcv's ``TestTimeAug`` hold the same proposals in the same order, so that scores
    and boxes are averaged before NMS, as WSDDN, OICR and PCL test; masks are averaged within the
    detected boxes. ``tools/test.py --tta`` wraps the model in it.
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
        model = unwrap_model(self.module)
        learned = 'proposals' not in views[0]['data_samples'][0]
        evidence = [model.read_evidence(view, tagged=False) for view in views]
        if learned:
            share_proposals(*evidence)
        return self.merge_preds([evidence, views[0]['data_samples']])

    def merge_preds(self, data_samples_list: Sequence) -> list[DetDataSample]:
        """Average over views.

        Args:
            data_samples_list: The evidence of each view, and the samples of the first one.
        """
        views, samples = data_samples_list
        model = unwrap_model(self.module)
        cascade, name = model.cascade, model.test_stage
        results = average_boxes(cascade, name, views)
        if cascade[name].makes_masks:
            results = average_masks(cascade, name, views, results)
        scores = torch.stack([cascade.image_scores(view) for view in views]).mean(0)
        for sample, result, score in zip(samples, results, scores):
            sample.pred_instances = result
            add_image_results(sample, result, score)
        return samples


def share_proposals(first: Sequence[Evidence], *others: Sequence[Evidence]) -> None:
    """Give all views, in place, the proposals that the model has made in the first one."""
    for view in others:
        for source, one in zip(first, view):
            one.proposals = source.proposals.clone()
            one.proposals.bboxes = to_view(to_original(source.proposals.bboxes, source), one)


def average_boxes(
    cascade: Cascade, name: str, views: Sequence[list[Evidence]]
) -> list[InstanceData]:
    """Detections of each image by the mean over views, in pixels of the original image.

    Args:
        cascade: Of the model.
        name: Of a stage; where it has no boxes of its own, those that it starts from.
        views: The evidence of the images in each view, before stage 1.
    """
    boxes_by = cascade.region_stage(name)
    stage = cascade[boxes_by]
    scored = [
        stage.score_regions(view[0].batch_feats, cascade.infer(boxes_by, view)) for view in views
    ]
    moved = [
        [(scores, to_original(boxes, one)) for (scores, boxes), one in zip(pairs, view)]
        for pairs, view in zip(scored, views)
    ]
    means = [[torch.stack(part).mean(0) for part in zip(*image)] for image in zip(*moved)]
    return [select_detections(boxes, scores, **stage.test_cfg) for scores, boxes in means]


def average_masks(
    cascade: Cascade, name: str, views: Sequence[list[Evidence]], results: Sequence[InstanceData]
) -> list[InstanceData]:
    """The detections with masks, whose probabilities are averaged over views."""
    stage = cascade[name]
    probabilities = []
    for view in views:
        instances = [
            InstanceData(bboxes=to_view(result.bboxes, one), labels=result.labels)
            for result, one in zip(results, view)
        ]
        soft = stage.soft_masks(view[0].batch_feats, instances)
        probabilities.append(
            torch.cat([p.flip(-1) if e.get('flip') else p for p, e in zip(soft, view)])
        )
    means = torch.stack(probabilities).mean(0).split([len(result) for result in results])
    return [stage.finish(*parts) for parts in zip(means, results, views[0])]


def to_original(bboxes: Tensor, evidence: Evidence) -> Tensor:
    """Boxes [N, 4] from the pixels of a view, flipped or not, to those of the original image."""
    return shrink_boxes(_unflip(bboxes, evidence), evidence.scale_factor)


def to_view(bboxes: Tensor, evidence: Evidence) -> Tensor:
    """Boxes [N, 4] from the pixels of the original image to those of a view."""
    return _unflip(stretch_boxes(bboxes, evidence.scale_factor), evidence)


def _unflip(bboxes: Tensor, evidence: Evidence) -> Tensor:
    return bbox_flip(bboxes, evidence.img_shape) if evidence.get('flip') else bboxes
