# ResNet-50 on VOC 2012 with the images of SBD: masks of val, and the server's semantic test.
_base_ = [
    '../_base_/models/label-penet_r50.py',
    '../_base_/datasets/voc12_multiscale.py',
    '../_base_/schedules/voc_sgd_long.py',
    '../_base_/default_runtime.py',
]
train_aug = dict(dataset=dict(ann_file='ImageSets/Main/train_aug.txt'))
train_dataloader = train_aug
corloc_dataloader = train_aug

# Ten times VGG16's rate, also for the backbone; 2,048 standardised channels need small steps.
small = dict(lr_mult=0.05)
optim_wrapper = dict(
    optimizer=dict(lr=10 * _base_.optim_wrapper.optimizer.lr),
    paramwise_cfg=dict(
        custom_keys={
            'classification.attention': small,
            'calibration.semantic': small,
        }),
    clip_grad=dict(max_norm=10.0))
