_base_ = './label-penet_effnet-lite0_voc12-mini.py'
levels = dict(in_channels=(48, 120, 1280))
box_features = dict(roi_features=dict(fusion=levels))
model = dict(
    backbone=dict(
        variant='lite2',
        init_cfg=dict(checkpoint='efficientnet-lite://lite2')),
    cascade=dict(
        classification=dict(attention=levels),
        detection=dict(box_head=box_features),
        refinement=dict(mask_head=dict(fusion=levels)),
        segmentation=dict(box_head=box_features, mask_head=dict(fusion=levels))),
    calibration=dict(semantic=levels))
