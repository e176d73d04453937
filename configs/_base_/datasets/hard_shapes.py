# Shapes that touch, stand on a ground of their class, and show it in one part alone.
_base_ = './shapes.py'
dataset_type = 'HardShapesDataset'
data_root = 'data/shapes/HardShapes'
dataset = dict(type=dataset_type, data_root=data_root)

train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
corloc_dataloader = dict(dataset=dataset)
