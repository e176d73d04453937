# With proposals that the cascade learns: none are searched or stored for the photos of a test.
_base_ = './label-penet_effnet-lite0_voc12-mini.py'

model = dict(proposals=dict(type='LearnedProposals'))

# A phase of its own after all others, whose weights stay what they are without it.
train_cfg = dict(
    order=[*_base_.train_cfg.order, 'proposals'],
    phases=dict(
        proposals=dict(epochs=2, stages=['proposals'], scales=False)))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'proposals.head': dict(lr_mult=2.5)}))

# To test on stored proposals all the same: tools/test.py --proposals stored.
load, propose, *further = _base_.test_pipeline
propose = dict(propose, type='ProvideRegionProposals', source='learned')
test_pipeline = [load, propose, *further]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = dict(dataset=dict(pipeline=test_pipeline))
