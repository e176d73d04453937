"""Small models and fabricated images for the tests of models."""

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch.nn.modules.batchnorm import _BatchNorm

from mmlabelpenet.engine import freeze
from mmlabelpenet.models import STAGES
from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Step

NUM_CLASSES = 3
CHANNELS, STRIDES = (24, 40, 112), (4, 8, 16)
LEVELS = dict(in_channels=CHANNELS, strides=STRIDES)
FUSION = dict(**LEVELS, levels=(1, 2), out_channels=8)
ROI_FEATURES = dict(fusion=FUSION, roi_size=3, fc_channels=8)
BOX_HEAD = dict(roi_features=ROI_FEATURES, num_samples=8)
LEARNED = dict(
    type='LearnedProposals', channels=8, sides=(16, 32, 64), num_samples=400, num_proposals=20
)
MASK_HEAD = dict(fusion=dict(**LEVELS, out_channels=8), roi_size=7, num_convs=1, channels=8)


def model_cfg(**changes):
    """Config of the whole cascade in small, random weights; ``changes`` replace its parts."""
    cascade = dict(
        classification=dict(
            type='ClassificationStage',
            attention=dict(type='CAMAttention', **LEVELS),
            roi_features=ROI_FEATURES,
            num_samples=6,
            score_proposals=False,
        ),
        detection=dict(type='DetectionStage', box_head=BOX_HEAD),
        refinement=dict(type='RefinementStage', mask_head=MASK_HEAD),
        segmentation=dict(type='SegmentationStage', box_head=BOX_HEAD, mask_head=MASK_HEAD),
    )
    calibration = dict(
        type='ProposalCalibration',
        sharpen=dict(type='RandomWalk', strides=STRIDES, levels=(1,), steps=1),
        seeds=dict(type='ProposalSeeds', tighten=0.5),
    )
    return dict(
        type='LabelPEnet',
        num_classes=NUM_CLASSES,
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[127.0] * 3, std=[128.0] * 3, pad_size_divisor=32
        ),
        backbone=dict(type='EfficientNetLite', out_indices=(1, 2, 4), frozen_stages=0),
        cascade=cascade | changes.pop('cascade', {}),
        calibration=calibration | changes.pop('calibration', {}),
        **changes,
    )


def build_model(seed=0, **changes):
    """The small model; its classifier draws random maps, so that attention is not empty."""
    return build_from(model_cfg(**changes), seed)


def build_uncalibrated(seed=0, mining=None, **changes):
    """The small model whose pseudo instances are the mined proposals of stage 1."""
    source = dict(type='MinedProposals', mining=mining)
    return build_from(model_cfg(**changes) | dict(calibration=source), seed)


def build_from(cfg, seed=0):
    """The model of a config, as :func:`build_model` makes it."""
    torch.manual_seed(seed)
    model = MODELS.build(cfg)
    for classifier in model.cascade['classification'].attention.classifiers:
        torch.nn.init.normal_(classifier.weight, std=0.3)
    settle_statistics(model.backbone)
    return model


@torch.no_grad()
def settle_statistics(backbone):
    """Give batch norm the statistics of noise, or features of random weights fade to nothing."""
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    backbone(torch.randn(2, 3, 96, 96))
    backbone.eval()


def boxes_in(height, width, count, seed=0):
    """Random boxes [count, 4] of at least a third of the image's sides."""
    generator = torch.Generator().manual_seed(seed)
    near = torch.rand(count, 2, generator=generator) / 3
    far = 2 / 3 + torch.rand(count, 2, generator=generator) / 3
    return torch.cat([near, far], dim=1) * torch.tensor([width, height] * 2)


def image(height=64, width=96, tags=(1, 0, 1), count=8, seed=0, bboxes=None, img=None):
    """One image as a data loader gives it: (inputs [3, H, W] uint8, data sample)."""
    generator = torch.Generator().manual_seed(seed)
    if img is None:
        img = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    sample = DetDataSample(
        metainfo=dict(
            img_id=f'image_{seed}',
            ori_shape=(height * 2, width * 2),
            img_shape=(height, width),
            scale_factor=(0.5, 0.5),
        )
    )
    if bboxes is None:
        bboxes = boxes_in(height, width, count, seed)
    sample.proposals = InstanceData(bboxes=bboxes)
    sample.tags = torch.tensor(tags, dtype=torch.float32)
    return img, sample


def collate(*images):
    """A batch of images, before the data preprocessor."""
    return dict(
        inputs=[img for img, _ in images], data_samples=[sample.clone() for _, sample in images]
    )


def losses_of(model, *images, seed=0):
    """Losses of a batch with the random numbers of ``seed``."""
    torch.manual_seed(seed)
    data = model.data_preprocessor(collate(*images), True)
    return model(**data, mode='loss')


def predictions_of(model, *images):
    """Results of a batch."""
    model.eval()
    return model.test_step(collate(*images))


def read_stage(model, stage, *images):
    """Results of a batch by a stage, or of its labels."""
    return model.eval().read(collate(*images), stage)


def train_as(model, **step):
    """Prepare the model for training steps of a kind: arguments of ``Step``, all stages learn."""
    freeze(model, Step(**(dict(learning=STAGES) | step)))
    model.train()
    model.zero_grad()
    return model


def learning_parts(model):
    """Names of backbone and stages of which some parameter has a gradient."""
    return {
        name.split('.')[1] if name.startswith('cascade') else name.split('.')[0]
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def pseudo_of(bboxes, labels, weights=None):
    """Pseudo instances of given boxes and labels, of weight 1 by default."""
    labels = torch.as_tensor(labels, dtype=torch.long)
    weights = torch.ones(len(labels)) if weights is None else torch.tensor(weights)
    return InstanceData(
        bboxes=torch.as_tensor(bboxes, dtype=torch.float32).view(-1, 4),
        labels=labels,
        scores=weights.clone(),
        weights=weights,
    )


def evidence_of(height, width, feats=None, **fields):
    """Evidence of an image of one size that was not resized, the first one of ``feats``."""
    evidence = Evidence(
        metainfo=dict(
            img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0)
        )
    )
    evidence.set_metainfo(fields.pop('metainfo', {}))
    evidence.set_data(fields if feats is None else dict(fields, batch_feats=feats))
    return evidence


def with_feats(feats, evidence):
    """The evidence of a batch, each image with its slice of the batch's maps."""
    for index, one in enumerate(evidence):
        one.batch_feats, one.index = feats, index
    return evidence


def random_feats(height=64, width=96, batch=1, seed=0):
    """Backbone maps of the small model's shapes, not negative."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.rand(batch, channels, height // stride, width // stride, generator=generator)
        for channels, stride in zip(CHANNELS, STRIDES)
    )
