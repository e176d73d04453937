# E: D, then all modules learn with the backbone, without calibration and curriculum.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
masks = dict(mask_results=dict(tighten=0.0, part_penalty=0.0))
cascade = dict(classification=dict(energy_threshold=0.3), refinement=masks, segmentation=masks)
labels = dict(_delete_=True, type='MinedProposals')
model = dict(attention_scales=(), cascade=cascade, calibration=labels)
joint = dict(ramp=0.0, threshold=0.0, alternate=0)
train_cfg = dict(phases=dict(classification=dict(epochs=7), semantic=None, joint=joint))
