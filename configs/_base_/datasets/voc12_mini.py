_base_ = './voc12.py'
# The folder that holds VOCdevkit/ may be named by the environment.
data_root = '{{$VOC12MINI_ROOT:../shared/voc12mini}}/VOCdevkit/VOC2012'
# Short side 384, but no side above 640.
scale = (640, 384)

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].transforms[0].scale = scale
test_pipeline[2].transforms[0].scale = scale

train_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='ImageSets/Main/val.txt',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline))

val_evaluator = [
    *_base_.val_evaluator,
    # The reference figures of this data set leave void pixels out.
    dict(type='VOCInstanceMetric', ignore_void=True, prefix='no_void'),
]
test_evaluator = val_evaluator
corloc_evaluator = [
    _base_.corloc_evaluator,
    dict(type='PseudoMaskMetric'),
    dict(type='PseudoMaskMetric', ignore_void=True, prefix='no_void'),
]
