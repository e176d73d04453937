_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/voc12_mini.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]
train_cfg = dict(
    phases=dict(
        classification=dict(epochs=2),
        detection=dict(epochs=4),
        refinement=dict(epochs=2),
        segmentation=dict(epochs=4),
        joint=dict(epochs=1)))
