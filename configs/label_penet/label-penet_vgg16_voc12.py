# The published setting on VOC 2012: 70,000 updates, a tenth of the rate after 50,000.
_base_ = [
    '../_base_/models/label-penet_vgg16.py',
    '../_base_/datasets/voc12_multiscale.py',
    '../_base_/schedules/voc_sgd.py',
    '../_base_/default_runtime.py',
]
updates = _base_.iterations
train_cfg = dict(
    phases=dict(
        classification=dict(iterations=round(14000 * updates)),
        detection=dict(iterations=round(7000 * updates)),
        refinement=dict(iterations=round(3500 * updates)),
        segmentation=dict(iterations=round(3500 * updates)),
        joint=dict(
            iterations=round(42000 * updates), steps=(22 / 42, ))))
