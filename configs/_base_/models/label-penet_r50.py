# Label-PEnet for real images on ResNet-50, its last stage dilated: strides 8, 16 and 16.
_base_ = './label-penet_effnet-lite0_photos.py'
in_channels = (512, 1024, 2048)
levels = dict(in_channels=in_channels)
box_head = dict(
    roi_features=dict(
        fusion=dict(**levels, out_channels=256), roi_size=7))
# Mask R-CNN's head, one mask for each class.
mask_head = dict(
    fusion=dict(**levels, out_channels=256),
    num_convs=4,
    channels=256,
    class_agnostic=False)

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        out_indices=(1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/resnet50-11ad3fa6.pth')),
    cascade=dict(
        classification=dict(attention=levels),
        detection=dict(box_head=box_head),
        refinement=dict(mask_head=mask_head),
        segmentation=dict(box_head=box_head, mask_head=mask_head)),
    calibration=dict(semantic=levels))
