_base_ = './label-penet_effnet-lite0_voc12-mini.py'
model = dict(
    backbone=dict(
        variant='lite1',
        init_cfg=dict(checkpoint='efficientnet-lite://lite1')))
