_base_ = './voc12.py'
dataset_type = 'ShapesDataset'
data_root = 'data/shapes/Shapes'
scale = (480, 384)

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].transforms[0].scale = scale
test_pipeline[2].transforms[0].scale = scale

train_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Main/val.txt',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, pipeline=test_pipeline))
