# Ten times VGG16's rate, for the backbone too; 2,048 standardised channels need small steps.
_base_ = './voc_sgd_long.py'
small = dict(lr_mult=0.05)
optim_wrapper = dict(
    optimizer=dict(lr=10 * _base_.optim_wrapper.optimizer.lr),
    paramwise_cfg=dict(
        custom_keys={
            'classification.attention': small,
            'calibration.semantic': small,
        }),
    clip_grad=dict(max_norm=10.0))
