# E, mended as D is in d_fitted.py.
_base_ = './e_joint.py'
model = dict(cascade=dict(refinement=dict(propagate_refined_masks=True)))
