# OICR on a map whose receptive field has the ratio to the image that VGG16's has: stride 16 with
# 80 channels. Proposals that are small beside it are left out. The regions of WSDDN's streams are
# in contrast with the rings around them, both mean pooled.
_base_ = './oicr_effnet-lite0_voc12-mini.py'
mid_level = dict(in_channels=(40, 80), strides=(8, 16), levels=(1, ))
box_features = dict(fusion=mid_level)
model = dict(
    backbone=dict(out_indices=(2, 3)),
    cascade=dict(
        classification=dict(
            attention=mid_level,
            roi_features=dict(
                **box_features, context=1.8, with_avg_pool=True),
            contrast_classes=True),
        detection=dict(box_head=dict(roi_features=box_features))))

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].min_bbox_size = 32
test_pipeline[2].min_bbox_size = 32
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = val_dataloader
