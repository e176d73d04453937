# Learns from trainval, for CorLoc there and for the test server; masks of val are no test then.
_base_ = './label-penet_vgg16_voc12.py'
trainval = dict(dataset=dict(ann_file='ImageSets/Main/trainval.txt'))
train_dataloader = trainval
corloc_dataloader = trainval
