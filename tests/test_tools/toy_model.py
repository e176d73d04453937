"""A detector that predicts the ground truth and trains quickly, for tests of the tools."""

import torch
from mmdet.models import BaseDetector
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as mask_api
from torch import nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence


@MODELS.register_module(force=True)
class ToyDetector(BaseDetector):
    def __init__(self, blind=(), masks=False, guess=False, data_preprocessor=None):
        super().__init__(data_preprocessor=data_preprocessor)
        self.layer = nn.Linear(3, 1)
        self.dtypes = set()
        # images without predictions
        self.blind = blind
        self.masks = masks
        # the same box is predicted for every image
        self.guess = guess

    def extract_feat(self, batch_inputs):
        return batch_inputs.float().mean(dim=(2, 3))

    def _forward(self, batch_inputs, batch_data_samples=None):
        return self.layer(self.extract_feat(batch_inputs))

    def loss(self, batch_inputs, batch_data_samples):
        answer = self._forward(batch_inputs / 255)
        self.dtypes.add(answer.dtype)
        return {'loss_toy': answer.float().square().mean()}

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        for sample in batch_data_samples:
            true = sample.gt_instances
            true = true[:0] if sample.img_id in self.blind else true
            sample.pred_instances = InstanceData(
                bboxes=true.bboxes, labels=true.labels, scores=torch.ones(len(true.labels))
            )
            sample.pred_image_scores = torch.arange(6) / 10
            if self.guess:
                sample.pred_instances = InstanceData(
                    bboxes=torch.tensor([[2, 3, 10, 20.5]]),
                    labels=torch.zeros(1, dtype=torch.long),
                    scores=torch.tensor([0.5]),
                )
            if self.masks:
                add_masks(sample, self.blind)
        return batch_data_samples

    def explain(self, data):
        return [
            Evidence(tags=sample.tags, metainfo={'img_shape': sample.img_shape})
            for sample in data['data_samples']
        ]


def add_masks(sample, blind):
    """The ground truth as tensors, with masks if there are any; empty without ground truth."""
    height, width = sample.ori_shape
    true = sample.get('gt_mask_instances', [])
    true = true[:0] if sample.img_id in blind else true
    masks = [torch.from_numpy(mask_api.decode(rle)).bool() for rle in getattr(true, 'masks', [])]
    labels = getattr(true, 'labels', torch.zeros(0, dtype=torch.long))
    sample.pred_instances = InstanceData(
        # from exclusive to inclusive corners
        bboxes=getattr(true, 'bboxes', torch.zeros(0, 4)) - torch.tensor([0.0, 0, 1, 1]),
        labels=labels,
        scores=1 - torch.arange(len(labels)) / 10,
        masks=torch.stack(masks) if masks else torch.zeros(0, height, width, dtype=torch.bool),
    )
    painted = torch.zeros(1, height, width, dtype=torch.long)
    for label, mask in zip(labels, masks):
        painted[0, mask] = label + 1
    sample.pred_sem_seg = PixelData(sem_seg=painted)
