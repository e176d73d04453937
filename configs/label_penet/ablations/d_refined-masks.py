# D, but module 4 learns module 3's masks refined by colour, as those of a result are.
_base_ = './d_segmentation.py'
model = dict(cascade=dict(refinement=dict(propagate_refined_masks=True)))
