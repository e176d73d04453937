# Label-PEnet on VGG16 with a dilated conv5: one level of stride 8, fc6 and fc7 on 7 x 7 regions.
levels = dict(in_channels=(512, ), strides=(8, ))
roi_features = dict(
    fusion=dict(**levels, out_channels=None),
    roi_size=7,
    fc_channels=4096,
    dropout=0.5)
box_head = dict(roi_features=roi_features)
mask_head = dict(fusion=dict(**levels, out_channels=256))
selection = dict(iou_threshold=0.3, score_threshold=1e-3, max_per_image=100)

model = dict(
    type='LabelPEnet',
    num_classes=20,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        non_blocking=True),
    backbone=dict(
        type='DilatedVGG',
        depth=16,
        frozen_stages=2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth')),
    cascade=dict(
        classification=dict(
            type='ClassificationStage',
            attention=dict(type='CAMAttention', **levels),
            roi_features=roi_features,
            loss_cls=dict(type='WSDDNLoss'),
            test_cfg=selection),
        detection=dict(
            type='DetectionStage', box_head=box_head, test_cfg=selection),
        refinement=dict(
            type='RefinementStage',
            mask_head=mask_head,
            mask_supervision=dict(foreground=0.6, background=0.4)),
        segmentation=dict(
            type='SegmentationStage',
            box_head=box_head,
            mask_head=mask_head,
            test_cfg=selection)),
    calibration=dict(
        type='ProposalCalibration',
        mode='full',
        sharpen=dict(type='RandomWalk', strides=(8, ), levels=(0, ), steps=3),
        threshold=0.4,
        score_power=0.5,
        refine=dict(type='PixelAffinity'),
        seeds=dict(type='ProposalSeeds', tighten=0.5)),
    test_cfg=dict(stage='segmentation'))
