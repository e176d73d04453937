# COCO 2017, or any data set in its form: the classes are those of the JSON file.
_base_ = './voc12.py'
dataset_type = 'COCOInstanceDataset'
data_root = 'data/coco'
train_ann_file = 'annotations/instances_train2017.json'
val_ann_file = 'annotations/instances_val2017.json'
train_images = 'train2017'
val_images = 'val2017'
skip = ''
# Whoever overrides one of these overrides it below as well.
shared_settings = dict(
    data_root=data_root, proposal_root=_base_.proposal_root, skip=skip)
# model.num_classes follows the JSON file.
classes_from_data = True

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=train_ann_file,
        data_prefix=dict(img=train_images),
        skip=skip))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=val_ann_file,
        data_prefix=dict(img=val_images),
        skip=skip))
test_dataloader = val_dataloader
# The metrics take what the data set gives: exclusive boxes, RLE masks, crowds left out.
corloc_dataloader = train_dataloader
