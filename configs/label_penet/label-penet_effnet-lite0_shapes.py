_base_ = [
    '../_base_/models/label-penet_effnet-lite0.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Few images: one mask head for all classes, and small steps of few images each.
mask_head = dict(class_agnostic=True)
model = dict(
    num_classes=6,
    cascade=dict(
        refinement=dict(mask_head=mask_head),
        segmentation=dict(mask_head=mask_head)),
    calibration=dict(sharpen=dict(steps=1), threshold=0.4))
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'mask_head': dict(lr_mult=5.0)}))

# Before the backbone learns, its maps are computed once: on a CPU that is most of an epoch.
train_cfg = dict(
    feature_cache=dict(root='work_dirs/feature_cache'),
    phases=dict(detection=dict(epochs=2)))
