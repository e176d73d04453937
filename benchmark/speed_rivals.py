"""mmdet's own detectors with the backbone and the head sizes of the voc12-mini config."""

from collections.abc import Sequence

from mmengine.config import ConfigDict

WIDTH, ROI_SIZE, NUM_CLASSES = 128, 5, 20


def _extractor(size: int, strides: Sequence[int]) -> dict:
    return dict(
        type='mmdet.SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=2),
        out_channels=WIDTH,
        featmap_strides=list(strides),
    )


def _roi_head(masks: bool, strides: Sequence[int]) -> dict:
    head: dict = dict(
        type='mmdet.StandardRoIHead',
        bbox_roi_extractor=_extractor(ROI_SIZE, strides),
        bbox_head=dict(
            type='mmdet.Shared2FCBBoxHead',
            in_channels=WIDTH,
            fc_out_channels=1024,
            roi_feat_size=ROI_SIZE,
            num_classes=NUM_CLASSES,
            reg_class_agnostic=True,
            bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder', target_stds=(0.1, 0.1, 0.2, 0.2)),
        ),
    )
    if masks:
        head['mask_roi_extractor'] = _extractor(14, strides)
        head['mask_head'] = dict(
            type='mmdet.FCNMaskHead',
            num_convs=2,
            in_channels=WIDTH,
            conv_out_channels=96,
            num_classes=NUM_CLASSES,
            class_agnostic=True,
            loss_mask=dict(type='mmdet.CrossEntropyLoss', use_mask=True),
        )
    return head


def _detector(kind: str, masks: bool, model: ConfigDict) -> dict:
    levels = model.cascade.detection.box_head.roi_features.fusion
    return dict(
        type=f'mmdet.{kind}',
        data_preprocessor=dict(
            type='mmdet.DetDataPreprocessor',
            mean=[127.0] * 3,
            std=[128.0] * 3,
            pad_size_divisor=32,
            pad_mask=True,
        ),
        backbone=dict(model.backbone, type=f'mmlabelpenet.{model.backbone.type}', init_cfg=None),
        neck=dict(
            type='mmdet.FPN',
            in_channels=list(levels.in_channels),
            out_channels=WIDTH,
            num_outs=len(levels.in_channels),
        ),
        roi_head=_roi_head(masks, levels.strides),
        train_cfg=None,
        test_cfg=dict(
            rcnn=dict(
                score_thr=0.005,
                nms=dict(type='nms', iou_threshold=0.3),
                max_per_img=100,
                mask_thr_binary=0.5,
            )
        ),
    )


def _assigner(high: float, low: float, least: float) -> dict:
    return dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=high, neg_iou_thr=low, min_pos_iou=least)


def _sampler(num: int, fraction: float, add_gt: bool) -> dict:
    return dict(
        type='mmdet.RandomSampler',
        num=num,
        pos_fraction=fraction,
        neg_pos_ub=-1,
        add_gt_as_proposals=add_gt,
    )


def fast_rcnn(model: ConfigDict, masks: bool) -> ConfigDict:
    """Config of Fast R-CNN on given RoIs, with a mask head or without.

    Args:
        model: That of Label-PEnet, whose backbone and levels it has.
        masks: Whether it has a mask head.
    """
    return ConfigDict(_detector('FastRCNN', masks, model))


def mask_rcnn(model: ConfigDict) -> ConfigDict:
    """Config of Mask R-CNN with its region proposal network, as mmdet trains it.

    Args:
        model: As of :func:`fast_rcnn`.
    """
    cfg = _detector('MaskRCNN', True, model)
    strides = model.cascade.detection.box_head.roi_features.fusion.strides
    cfg['rpn_head'] = dict(
        type='mmdet.RPNHead',
        in_channels=WIDTH,
        feat_channels=WIDTH,
        anchor_generator=dict(
            type='mmdet.AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=list(strides)
        ),
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
        loss_bbox=dict(type='mmdet.L1Loss'),
    )
    rpn = dict(
        assigner=_assigner(0.7, 0.3, 0.3),
        sampler=_sampler(256, 0.5, False),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    )
    proposals = dict(
        nms_pre=2000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0
    )
    rcnn = dict(
        assigner=_assigner(0.5, 0.5, 0.5),
        sampler=_sampler(128, 0.25, True),
        mask_size=28,
        pos_weight=-1,
        debug=False,
    )
    cfg['train_cfg'] = dict(rpn=rpn, rpn_proposal=proposals, rcnn=rcnn)
    cfg['test_cfg']['rpn'] = dict(proposals, nms_pre=1000)
    return ConfigDict(cfg)
