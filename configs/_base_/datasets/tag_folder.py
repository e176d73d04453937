# A folder of images and a file of tags; both may be named by the environment as well.
dataset_type = 'TagFileDataset'
data_root = '{{$TAG_DATA_ROOT:data/photos}}'
tag_file = '{{$TAG_FILE:data/photos/tags.csv}}'
proposal_root = 'data/proposals'
# A text file of images to leave out: '' for none.
skip = ''
scale = (640, 384)
# Whoever overrides one of these overrides it below as well.
shared_settings = dict(
    data_root=data_root,
    tag_file=tag_file,
    proposal_root=proposal_root,
    skip=skip)
# model.num_classes follows the file of tags.
classes_from_data = True

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
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadRegionProposals', proposal_root=proposal_root),
    dict(
        type='ProposalBroadcaster',
        transforms=[dict(type='Resize', scale=scale, keep_ratio=True)]),
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
        tag_file=tag_file,
        skip=skip,
        pipeline=train_pipeline))
val_dataloader = None
# The same images: what is to be had of them are masks. Nothing finer than tags is known.
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        tag_file=tag_file,
        skip=skip,
        test_mode=True,
        pipeline=test_pipeline))

val_evaluator = None
test_evaluator = dict(type='ImageClassificationMetric')
