# D: C, and module 4: the whole cascade after pre-training, the backbone frozen throughout.
_base_ = './e_joint.py'
train_cfg = dict(phases=dict(joint=None))
