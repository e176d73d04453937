# The same on the generated images, measured like the cascade: true masks of the test images,
# VOC's procedure. --format coco --link --out data/pseudo/shapes.
_base_ = './mask-rcnn_effnet-lite0_export.py'
data_root = 'data/pseudo/shapes'
scale = (320, 272)
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[2].scale = scale
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ShapesDataset',
        data_root='data/shapes/Shapes',
        ann_file='ImageSets/Main/val.txt',
        supervision='full',
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=scale, keep_ratio=True),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='LoadInstanceMasks'),
            dict(type='PackWeakInputs'),
        ]))
test_dataloader = val_dataloader
val_evaluator = [dict(type='VOCDetectionMetric'), dict(type='VOCInstanceMetric')]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
