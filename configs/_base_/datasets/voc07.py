# VOC 2007: learns from trainval, is tested on test.
_base_ = './voc12.py'
data_root = 'data/VOCdevkit/VOC2007'
# Masks exist for 632 of the 4,952 test images only, so only boxes are loaded and measured.
test_pipeline = [
    step for step in _base_.test_pipeline if step.type != 'LoadInstanceMasks'
]

train_dataloader = dict(
    dataset=dict(
        data_root=data_root, ann_file='ImageSets/Main/trainval.txt'))
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='ImageSets/Main/test.txt',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='ImageSets/Main/trainval.txt',
        pipeline=test_pipeline))

val_evaluator = [dict(type='VOCDetectionMetric', eval_mode='11points')]
test_evaluator = val_evaluator
