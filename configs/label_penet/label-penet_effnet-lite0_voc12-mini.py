_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/voc12_mini.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Before the backbone learns, its maps are computed once: on a CPU that is most of an epoch.
train_cfg = dict(
    feature_cache=dict(root='work_dirs/feature_cache'),
    # After two epochs the linear classifier's loss still falls by half.
    phases=dict(classification=dict(epochs=6)))
