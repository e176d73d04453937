# ResNet-50 on VOC 2012 with the images of SBD: masks of val, and the server's semantic test.
_base_ = [
    '../_base_/models/label-penet_r50.py',
    '../_base_/datasets/voc12_multiscale.py',
    '../_base_/schedules/voc_sgd_r50.py',
    '../_base_/default_runtime.py',
]
train_aug = dict(dataset=dict(ann_file='ImageSets/Main/train_aug.txt'))
train_dataloader = train_aug
corloc_dataloader = train_aug
