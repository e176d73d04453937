_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Textures tell these classes apart: the classifier and the walk read finer levels too.
model = dict(
    num_classes=6,
    cascade=dict(classification=dict(attention=dict(levels=(1, 2)))),
    calibration=dict(sharpen=dict(levels=(0, 1), steps=1)))

# Before the backbone learns, its maps are computed once: on a CPU that is most of an epoch.
train_cfg = dict(feature_cache=dict(root='work_dirs/feature_cache'))
