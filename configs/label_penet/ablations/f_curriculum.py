# F: E with the curriculum: modules fade in, pseudo instances of high weight come first.
_base_ = './e_joint.py'
train_cfg = dict(phases=dict(joint=dict(ramp=0.5, threshold=(0.7, 0.3))))
