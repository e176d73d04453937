# E, with the masks of d_refined-masks.py.
_base_ = './e_joint.py'
model = dict(cascade=dict(refinement=dict(propagate_refined_masks=True)))
