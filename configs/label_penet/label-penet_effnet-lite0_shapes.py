_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Textures tell these classes apart: the walk reads a finer level too.
model = dict(
    num_classes=6,
    calibration=dict(sharpen=dict(levels=(0, 1), steps=1), threshold=0.4))

# Before the backbone learns, its maps are computed once: on a CPU that is most of an epoch.
train_cfg = dict(feature_cache=dict(root='work_dirs/feature_cache'))
