_base_ = [
    '../_base_/models/label-penet_vgg16.py',
    '../_base_/datasets/voc07.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]
