_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

model = dict(num_classes=6)
