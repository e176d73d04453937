# The published setting: VOC 2007 trainval to train, test to measure; docs/paper/full_voc.md.
_base_ = [
    '../_base_/models/label-penet_vgg16.py',
    '../_base_/datasets/voc07_multiscale.py',
    '../_base_/schedules/voc_sgd.py',
    '../_base_/default_runtime.py',
]
