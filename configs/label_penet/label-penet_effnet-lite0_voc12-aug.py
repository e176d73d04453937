# The recipe of VOC12-mini, with its lap and at its size, on VOC 2012 with the images of SBD.
# Its ImageNet weights come with a package, so that no other download is needed.
_base_ = [
    '../_base_/models/label-penet_effnet-lite0_photos.py',
    '../_base_/datasets/voc12_aug.py',
    '../_base_/schedules/phases_lap.py',
    '../_base_/default_runtime.py',
]
# Short side 384, but no side above 640.
scale = (640, 384)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].transforms[0].scale = scale
test_pipeline[2].transforms[0].scale = scale
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = val_dataloader
