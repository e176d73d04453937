_base_ = './oicr-mid-level_effnet-lite0_voc12-mini.py'
model = dict(cascade=dict(detection=dict(box_head=dict(with_regression=True))))
