# ResNet-50 on VOC 2012 with the images of SBD: masks of val, and the server's semantic test.
_base_ = [
    '../_base_/models/label-penet_r50.py',
    '../_base_/datasets/voc12_multiscale.py',
    '../_base_/schedules/voc_sgd.py',
    '../_base_/default_runtime.py',
]
train_aug = dict(dataset=dict(ann_file='ImageSets/Main/train_aug.txt'))
train_dataloader = train_aug
corloc_dataloader = train_aug
updates = _base_.iterations
train_cfg = dict(
    phases=dict(
        classification=dict(iterations=round(14000 * updates)),
        detection=dict(iterations=round(7000 * updates)),
        refinement=dict(iterations=round(3500 * updates)),
        segmentation=dict(iterations=round(3500 * updates)),
        joint=dict(
            iterations=round(42000 * updates), steps=(22 / 42, ))))
