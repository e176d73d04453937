# Your own images: --cfg-options data_root=... tag_file=..., or TAG_DATA_ROOT and TAG_FILE.
_base_ = [
    '../_base_/models/label-penet_effnet-lite0_photos.py',
    '../_base_/datasets/tag_folder.py',
    '../_base_/schedules/phases.py',
    '../_base_/default_runtime.py',
]

# Few images: steps of few images each, larger for all heads.
train_dataloader = dict(batch_size=2)
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
    # Fifty photos need as many steps as a few hundred.
    phases=dict(
        classification=dict(epochs=6, min_updates=600),
        semantic=dict(epochs=1, min_updates=150),
        detection=dict(min_updates=400),
        refinement=dict(min_updates=150),
        segmentation=dict(min_updates=150),
        joint=dict(min_updates=50)))
# A pass over few photos takes seconds.
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=200))
# No image has ground truth to validate with.
val_cfg = None
