# H: G with full calibration, as the base has it: what the last module finds is validated on its
# way up and fed back.
_base_ = './g_forward.py'
model = dict(calibration=dict(mode='full'))
train_cfg = dict(phases=dict(joint=dict(alternate=10)))
