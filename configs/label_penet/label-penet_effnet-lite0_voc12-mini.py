_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/voc12_mini.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Few photos: one mask head for all classes, and larger steps for all heads.
mask_head = dict(class_agnostic=True)
# Attention of the last level at two sizes of the photo, and a longer walk on each.
model = dict(
    attention_scales=(1.5,),
    cascade=dict(
        classification=dict(attention=dict(levels=(2,))),
        refinement=dict(mask_head=mask_head),
        segmentation=dict(mask_head=mask_head)),
    calibration=dict(sharpen=dict(steps=4)))
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'box_head': dict(lr_mult=2.5),
            'mask_head': dict(lr_mult=5.0),
        }))

# Before the backbone learns, its maps are computed once: on a CPU that is most of an epoch.
train_cfg = dict(
    feature_cache=dict(root='work_dirs/feature_cache'),
    # After two epochs the linear classifier's loss still falls by half.
    phases=dict(classification=dict(epochs=6)))
