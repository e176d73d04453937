# Label-PEnet for real images: finer maps than the base's, and sharper attention.
_base_ = './label-penet_effnet-lite0.py'

# The last level keeps stride 16: attention sees finer, and so do the heads.
strides = (8, 16, 16)
last_level = dict(strides=strides, levels=(2,), standardise=True)
box_head = dict(roi_features=dict(fusion=dict(strides=strides)))
# Few images: one mask head for all classes.
mask_head = dict(fusion=dict(strides=strides), class_agnostic=True)
# Noise of dark or even ground is no edge, and an object has no specks and pinholes.
mask_results = dict(refine=dict(least_spread=0.2), least_part=0.2)

# Attention of the last level at two scales, a longer walk on each, and the peak of each tagged
# class as its one pseudo instance. The calibrated attention supervises a classifier of every cell,
# which then adds to the attention.
model = dict(
    attention_scales=(1.5,),
    backbone=dict(dilated=True),
    cascade=dict(
        classification=dict(attention=last_level),
        detection=dict(box_head=box_head),
        refinement=dict(mask_head=mask_head, mask_results=mask_results),
        segmentation=dict(
            box_head=box_head, mask_head=mask_head, mask_results=mask_results)),
    calibration=dict(
        sharpen=dict(strides=strides, steps=4),
        # Far first, then along the edges.
        refine=[
            dict(type='PixelAffinity', stride=6),
            dict(type='PixelAffinity', stride=3, dilations=(1, 2, 4), steps=3),
        ],
        seeds=dict(_delete_=True, type='AttentionSeeds'),
        semantic=dict(in_channels=(40, 112, 1280), **last_level)))
