# OICR (Tang et al., CVPR 2017): the best box of WSDDN's streams supervises the first of
# three branches, each branch the next one. It sees as many images as Label-PEnet does.
_base_ = '../label_penet/label-penet_effnet-lite0_voc12-mini.py'
best_box = dict(max_per_class=1)
model = dict(
    cascade=dict(
        classification=dict(
            roi_features=_base_.model.cascade.detection.box_head.roi_features,
            num_samples=256,
            score_proposals=True),
        detection=dict(
            box_head=dict(num_branches=3, num_samples=None, with_regression=False),
            mining=best_box,
            max_proposals=512),
        refinement=None,
        segmentation=None),
    attention_scales=(),
    calibration=dict(_delete_=True, type='MinedProposals', mining=best_box),
    test_cfg=dict(stage='detection'))

# The epochs of the modules that are left out go to detection.
phases = _base_.train_cfg.phases
train_cfg = dict(
    phases=dict(
        detection=dict(
            epochs=phases.semantic.epochs + phases.detection.epochs +
            phases.refinement.epochs + phases.segmentation.epochs +
            phases.lap.epochs),
        semantic=None,
        refinement=None,
        segmentation=None,
        lap=None,
        joint=dict(
            stages=['classification', 'detection'],
            ramp=0.0,
            threshold=0.0,
            alternate=0)))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'cascade.classification': dict(lr_mult=2.5)}))
val_evaluator = [dict(type='VOCDetectionMetric')]
test_evaluator = val_evaluator
