# F: E with the curriculum: modules fade in, and surer pseudo instances come first.
_base_ = './e_joint.py'
train_cfg = dict(phases=dict(joint=dict(ramp=0.5, threshold=(0.7, 0.3))))
