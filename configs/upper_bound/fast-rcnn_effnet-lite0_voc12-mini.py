# The bound for boxes: ground-truth boxes alone, all epochs for the one detection module.
_base_ = './mask-rcnn_effnet-lite0_voc12-mini.py'
model = dict(
    cascade=dict(refinement=None, segmentation=None),
    test_cfg=dict(stage='detection'))
phases = _base_.train_cfg.phases
train_cfg = dict(
    phases=dict(
        detection=dict(
            epochs=phases.detection.epochs + phases.refinement.epochs +
            phases.segmentation.epochs + phases.lap.epochs),
        lap=None,
        refinement=None,
        segmentation=None,
        joint=dict(stages=['classification', 'detection'])))
val_evaluator = [dict(type='VOCDetectionMetric')]
test_evaluator = val_evaluator
