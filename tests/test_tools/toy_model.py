"""A detector that takes a moment to train and answers the truth, for tests of the tools."""

import torch
from mmdet.models import BaseDetector
from mmengine.structures import InstanceData
from torch import nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence


@MODELS.register_module(force=True)
class ToyDetector(BaseDetector):
    def __init__(self, blind=(), data_preprocessor=None):
        super().__init__(data_preprocessor=data_preprocessor)
        self.layer = nn.Linear(3, 1)
        self.dtypes = set()
        # photos in which it finds nothing
        self.blind = blind

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
        return batch_data_samples

    def explain(self, data):
        return [
            Evidence(tags=sample.tags, metainfo={'img_shape': sample.img_shape})
            for sample in data['data_samples']
        ]
