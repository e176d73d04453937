# C: B, and module 3.
_base_ = './d_segmentation.py'
model = dict(test_cfg=dict(stage='refinement'))
