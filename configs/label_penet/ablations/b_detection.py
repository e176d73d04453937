# B: A, and module 2.
_base_ = './d_segmentation.py'
model = dict(test_cfg=dict(stage='detection'))
val_evaluator = [dict(type='VOCDetectionMetric')]
test_evaluator = val_evaluator
