# Label-PEnet on ResNet-50, its last stage dilated: strides 8, 16 and 16.
_base_ = './label-penet_effnet-lite0.py'
in_channels = (512, 1024, 2048)
strides = (8, 16, 16)
levels = dict(in_channels=in_channels, strides=strides)
box_features = dict(roi_features=dict(fusion=levels))

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
        classification=dict(
            attention=levels,
            roi_features=dict(
                fusion=dict(**levels, levels=(1, 2), out_channels=128),
                roi_size=5,
                fc_channels=1024),
            loss_cls=dict(type='WSDDNLoss'),
            num_samples=128,
            score_proposals=True),
        detection=dict(box_head=box_features),
        refinement=dict(mask_head=dict(fusion=levels)),
        segmentation=dict(box_head=box_features, mask_head=dict(fusion=levels))),
    calibration=dict(sharpen=dict(strides=strides)))
