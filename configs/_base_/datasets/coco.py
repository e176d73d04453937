# COCO 2017, or any data set in its form: the classes are those of the JSON file.
dataset_type = 'COCOInstanceDataset'
data_root = 'data/coco'
train_ann_file = 'annotations/instances_train2017.json'
val_ann_file = 'annotations/instances_val2017.json'
train_images = 'train2017'
val_images = 'val2017'
proposal_root = 'data/proposals'
skip = ''
scale = (1000, 600)
# Whoever overrides one of these overrides it below as well.
shared_settings = dict(
    data_root=data_root, proposal_root=proposal_root, skip=skip)
# model.num_classes follows the JSON file.
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
        ann_file=train_ann_file,
        data_prefix=dict(img=train_images),
        supervision='tags',
        skip=skip,
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
        ann_file=val_ann_file,
        data_prefix=dict(img=val_images),
        supervision='full',
        skip=skip,
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
        ann_file=train_ann_file,
        data_prefix=dict(img=train_images),
        supervision='full',
        skip=skip,
        test_mode=True,
        pipeline=test_pipeline))

# Made of what the data set gives: inclusive boxes, RLE masks, crowds left out.
val_evaluator = [dict(type='VOCDetectionMetric'), dict(type='VOCInstanceMetric')]
test_evaluator = val_evaluator
corloc_evaluator = dict(type='CorLocMetric')
