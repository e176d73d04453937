_base_ = [
    '../_base_/models/label-penet_r50.py',
    '../_base_/datasets/voc12.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]
train_cfg = dict(phases=dict(semantic=dict(epochs=1)))
# Standardised channels learn in smaller steps.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'classification.attention': dict(lr_mult=3.5)}))
