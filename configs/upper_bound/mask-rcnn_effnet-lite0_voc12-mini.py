# The fully supervised bound: the same stages, heads, losses and number of images seen as
# Label-PEnet, supervised by ground truth. The classifier's epochs go to detection.
_base_ = '../label_penet/label-penet_effnet-lite0_voc12-mini.py'
model = dict(
    attention_scales=(),
    calibration=dict(_delete_=True, type='TrueInstances'))
train_dataloader = dict(
    dataset=dict(
        supervision='full',
        pipeline=[
            *_base_.train_pipeline[:2],
            dict(type='LoadTrueInstances'),
            *_base_.train_pipeline[2:],
        ]))
phases = _base_.train_cfg.phases
train_cfg = dict(
    phases=dict(
        classification=None,
        semantic=None,
        detection=dict(
            # The classifier learns beside it, only for the image mAP.
            stages=['classification', 'detection'],
            epochs=phases.classification.epochs + phases.semantic.epochs +
            phases.detection.epochs),
        # Nothing to label anew, to be sure of or to validate.
        lap=dict(relabel=False, threshold=0.0),
        joint=dict(ramp=0.0, threshold=0.0, alternate=0)))
