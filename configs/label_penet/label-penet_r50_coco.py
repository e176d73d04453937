# ResNet-50 on COCO 2017 (or data in its form), whose annotations give the tags.
_base_ = [
    '../_base_/models/label-penet_r50.py',
    '../_base_/datasets/coco_multiscale.py',
    '../_base_/schedules/voc_sgd_r50.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=80)

# Twice as many updates in each phase: 118,287 images are seen five times.
train_cfg = dict(
    phases={
        name: dict(iterations=2 * phase.iterations)
        for name, phase in _base_.train_cfg.phases.items()
    })
