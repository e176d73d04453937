# The phases of VOC12-mini with its lap, for many images.
_base_ = './phases.py'
train_cfg = dict(
    order=[*_base_.train_cfg.order[:-1], 'lap', 'joint'],
    phases=dict(
        semantic=dict(epochs=0.5),
        lap=dict(
            epochs=1,
            stages=['detection', 'refinement', 'segmentation'],
            relabel=True,
            threshold=0.3),
        joint=dict(epochs=2, stored_labels=False)))
# Standardised channels learn in smaller steps.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'classification.attention': dict(lr_mult=3.5)}))
