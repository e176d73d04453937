# VOC 2012 with the images of SBD: 10,582 to train on, listed by tools/dataset_converters/sbd.py.
_base_ = './voc12.py'
train = dict(ann_file='ImageSets/Main/train_aug.txt')
train_dataloader = dict(dataset=train)
corloc_dataloader = dict(dataset=train)
