# With proposals that the cascade learns: none are searched or stored for the photos of a test.
_base_ = './label-penet_effnet-lite0_voc12-mini.py'

# Background as for the box heads of this config.
model = dict(
    proposals=dict(type='LearnedProposals', neg_iou=(0.0, 0.5)))

# A phase of its own after all others, whose weights stay what they are without it.
train_cfg = dict(
    order=[*_base_.train_cfg.order, 'proposals'],
    phases=dict(
        proposals=dict(epochs=6, stages=['proposals'], scales=False)))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'proposals.head': dict(lr_mult=5.0)}))

# tools/test.py --proposals stored tests on stored ones all the same.
test_pipeline = _base_.test_pipeline
test_pipeline[1].update(type='ProvideRegionProposals', source='learned')
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = dict(dataset=dict(pipeline=test_pipeline))
