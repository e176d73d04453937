# E: D, then all modules learn with the backbone, without calibration and curriculum.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
model = dict(
    cascade=dict(classification=dict(energy_threshold=0.3)),
    calibration=dict(mode='off'))
joint = dict(ramp=0.0, threshold=0.0, alternate=0)
phases = dict(classification=dict(epochs=7), semantic=None, joint=joint)
train_cfg = dict(phases=phases)
