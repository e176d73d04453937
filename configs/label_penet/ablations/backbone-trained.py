# The backbone learns from the second module on.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
train_cfg = dict(
    phases=dict(
        detection=dict(backbone=True),
        refinement=dict(backbone=True),
        segmentation=dict(backbone=True)))
