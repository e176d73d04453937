_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/voc12_mini.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]
