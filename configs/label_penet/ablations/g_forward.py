# G: F with forward calibration, in pre-training too.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
model = dict(calibration=dict(mode='forward'))
train_cfg = dict(phases=dict(joint=dict(alternate=0)))
