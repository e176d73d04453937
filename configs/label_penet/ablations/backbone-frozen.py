# The backbone stays frozen to the end.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
train_cfg = dict(phases=dict(joint=dict(backbone=False)))
