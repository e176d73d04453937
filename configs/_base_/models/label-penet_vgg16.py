# Label-PEnet on VGG16 with a dilated conv5: one level of stride 8, fc6 and fc7 on 7 x 7 regions.
imagenet = 'https://download.pytorch.org/models/vgg16-397923af.pth'
levels = dict(in_channels=(512, ), strides=(8, ))
roi_features = dict(
    fusion=dict(**levels, out_channels=None),
    # fc6 has learned on what a max pooling gives, and RoIPool has no CPU kernel.
    roi_layer=dict(type='RoIAlign', sampling_ratio=2, pool_mode='max'),
    roi_size=7,
    fc_channels=4096,
    dropout=0.5)
mask_head = dict(fusion=dict(**levels, out_channels=256))
# The best masks follow the colour edges of the image, and boxes follow the masks.
mask_results = dict(
    refine=dict(type='PixelAffinity'), tighten=0.5, part_penalty=0.5)
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
            checkpoint=imagenet)),
    cascade=dict(
        classification=dict(
            type='ClassificationStage',
            attention=dict(type='CAMAttention', **levels, standardise=True),
            # ImageNet's fc6 and fc7; module 2 starts from this module's, module 4 from module 2's.
            roi_features=dict(
                **roi_features,
                fc_init_cfg=dict(
                    type='Pretrained',
                    checkpoint=imagenet,
                    prefix='classifier.')),
            key_regions=10,
            loss_cls=dict(type='WSDDNLoss'),
            test_cfg=selection),
        detection=dict(
            type='DetectionStage',
            # Three branches, each supervised by the one before (OICR).
            box_head=dict(
                roi_features=roi_features, num_branches=3, num_samples=None),
            max_proposals=1000,
            test_cfg=selection),
        refinement=dict(
            type='RefinementStage',
            mask_head=mask_head,
            mask_results=mask_results,
            mask_supervision=dict(foreground=0.6, background=0.4)),
        segmentation=dict(
            type='SegmentationStage',
            box_head=dict(roi_features=roi_features),
            mask_head=mask_head,
            mask_results=mask_results,
            test_cfg=selection)),
    # Labels are made at two scales: that of train_cfg.label_size, and half as large again.
    attention_scales=(1.5, ),
    calibration=dict(
        type='ProposalCalibration',
        mode='full',
        sharpen=dict(type='RandomWalk', strides=(8, ), levels=(0, ), steps=3),
        threshold=0.4,
        score_power=0.5,
        # Far first, then along the edges.
        refine=[
            dict(type='PixelAffinity', stride=6),
            dict(type='PixelAffinity', stride=3, dilations=(1, 2, 4), steps=3),
        ],
        semantic=dict(**levels, standardise=True),
        seeds=dict(type='ProposalSeeds', tighten=0.5)),
    test_cfg=dict(stage='segmentation'))
