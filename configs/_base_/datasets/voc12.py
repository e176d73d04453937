# VOC 2012, and the base of all data sets that have boxes to test with.
_base_ = './tagged_images.py'
dataset_type = 'VOCInstanceDataset'
data_root = 'data/VOCdevkit/VOC2012'

# Ground truth is loaded after Resize: it stays in the image's own pixels.
test_pipeline = [
    *_base_.test_pipeline[:3],
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='LoadInstanceMasks'),
    dict(type='PackWeakInputs'),
]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Main/train.txt',
        supervision='tags'))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        supervision='full',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
# CorLoc is measured on the training images; only the metric sees their boxes.
corloc_dataloader = dict(
    _base_.val_dataloader,
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
