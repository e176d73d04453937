dataset_type = 'VOCInstanceDataset'
# The folder that holds VOCdevkit/ may be named by the environment.
data_root = '{{$VOC12MINI_ROOT:../shared/voc12mini}}/VOCdevkit/VOC2012'
proposal_root = 'data/proposals'
# Short side 384, but no side above 640.
scale = (640, 384)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadRegionProposals', proposal_root=proposal_root),
    dict(
        type='ProposalBroadcaster',
        transforms=[
            dict(type='Resize', scale=scale, keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ]),
    dict(type='PackWeakInputs'),
]
# Ground truth is loaded after Resize: it stays in the image's own pixels.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadRegionProposals', proposal_root=proposal_root),
    dict(
        type='ProposalBroadcaster',
        transforms=[dict(type='Resize', scale=scale, keep_ratio=True)]),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='LoadInstanceMasks'),
    dict(type='PackWeakInputs'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Main/train.txt',
        supervision='tags',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Main/val.txt',
        supervision='full',
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
# CorLoc looks at the images that were trained on; only the metric sees their boxes.
corloc_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Main/train.txt',
        supervision='full',
        test_mode=True,
        pipeline=test_pipeline))

val_evaluator = [
    dict(type='VOCDetectionMetric'),
    dict(type='VOCInstanceMetric'),
    # The yardsticks beside this data set leave void pixels out.
    dict(type='VOCInstanceMetric', ignore_void=True, prefix='no_void'),
]
test_evaluator = val_evaluator
corloc_evaluator = [
    dict(type='CorLocMetric'),
    dict(type='PseudoMaskMetric'),
    dict(type='PseudoMaskMetric', ignore_void=True, prefix='no_void'),
]
