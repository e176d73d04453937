dataset_type = 'VOCInstanceDataset'
data_root = 'data/VOCdevkit/VOC2012'
proposal_root = 'data/proposals'
scale = (1000, 600)

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
        ann_file='ImageSets/Segmentation/val.txt',
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

val_evaluator = [dict(type='VOCDetectionMetric'), dict(type='VOCInstanceMetric')]
test_evaluator = val_evaluator
corloc_evaluator = dict(type='CorLocMetric')
