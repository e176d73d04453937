# Label-PEnet on EfficientNet-Lite0: strides 8, 16 and 32, the last one non-negative.
in_channels = (40, 112, 1280)
strides = (8, 16, 32)
levels = dict(in_channels=in_channels, strides=strides)
roi_features = dict(
    fusion=dict(**levels, levels=(1, 2), out_channels=128),
    roi_size=5,
    fc_channels=1024)
box_head = dict(roi_features=roi_features, num_samples=128, neg_iou=(0.0, 0.5))
mask_head = dict(
    fusion=dict(**levels, out_channels=96), num_convs=2, channels=96)
# The best masks follow the colour edges of the image, and boxes follow the masks.
mask_results = dict(
    refine=dict(type='PixelAffinity'), tighten=0.5, part_penalty=0.5)
selection = dict(iou_threshold=0.3, score_threshold=0.005, max_per_image=100)

model = dict(
    type='LabelPEnet',
    num_classes=20,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        non_blocking=True),
    backbone=dict(
        type='EfficientNetLite',
        variant='lite0',
        out_indices=(2, 4, 7),
        frozen_stages=1,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite://lite0')),
    cascade=dict(
        classification=dict(
            type='ClassificationStage',
            attention=dict(type='CAMAttention', **levels, levels=(1, 2)),
            # On this backbone WSDDN's proposal streams localise nothing: the image's own
            # classifier gives attention, and energy alone scores proposals.
            score_proposals=False,
            test_cfg=selection),
        detection=dict(
            type='DetectionStage',
            box_head=box_head,
            test_cfg=selection),
        refinement=dict(
            type='RefinementStage',
            mask_head=mask_head,
            mask_results=mask_results,
            mask_supervision=dict(foreground=0.6, background=0.4)),
        segmentation=dict(
            type='SegmentationStage',
            box_head=box_head,
            mask_head=mask_head,
            mask_results=mask_results,
            test_cfg=selection)),
    calibration=dict(
        type='ProposalCalibration',
        mode='full',
        sharpen=dict(type='RandomWalk', strides=strides, levels=(1,), steps=3),
        threshold=0.3,
        refine=dict(type='PixelAffinity'),
        seeds=dict(type='ProposalSeeds', tighten=0.5)),
    test_cfg=dict(stage='segmentation'))
