# A: module 1; its proposals, scored by the classifier's raw attention.
_base_ = './d_segmentation.py'
model = dict(test_cfg=dict(stage='classification'))
val_evaluator = [dict(type='VOCDetectionMetric')]
test_evaluator = val_evaluator
