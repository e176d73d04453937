# The demo's config on images that are hard in the way in which photos are.
_base_ = './label-penet_effnet-lite0_shapes.py'
dataset_type = 'HardShapesDataset'
data_root = 'data/shapes/HardShapes'
dataset = dict(type=dataset_type, data_root=data_root)

train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
corloc_dataloader = dict(dataset=dataset)
