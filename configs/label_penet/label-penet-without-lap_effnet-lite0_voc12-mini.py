_base_ = [
    '../_base_/models/label-penet_effnet-lite0_photos.py',
    '../_base_/datasets/voc12_mini.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Few images: larger steps for all heads.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'box_head': dict(lr_mult=2.5),
            'calibration.semantic': dict(lr_mult=2.5),
            'classification.attention': dict(lr_mult=3.5),
            'mask_head': dict(lr_mult=5.0),
        }))

# Before the backbone learns, its maps are computed once: on a CPU that is most of an epoch.
train_cfg = dict(
    feature_cache=dict(root='work_dirs/feature_cache'),
    # After two epochs the linear classifier's loss still falls by half.
    phases=dict(classification=dict(epochs=6), semantic=dict(epochs=1)))
