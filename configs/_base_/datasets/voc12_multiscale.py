# VOC 2012 at the five scales of OICR and PCL, one image a process; tested at all of them by --tta.
_base_ = ['./voc12.py', './multiscale.py']
train_pipeline = _base_.train_pipeline
train_pipeline[1].max_num = _base_.max_proposals
train_pipeline[2].transforms[0] = dict(
    type='RandomChoiceResize',
    scales=[(2000, side) for side in _base_.short_sides],
    keep_ratio=True)
train_dataloader = dict(
    batch_size=1, dataset=dict(pipeline=train_pipeline))

test_pipeline = _base_.test_pipeline
test_pipeline[1].max_num = _base_.max_proposals
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = val_dataloader

tta_pipeline = [*test_pipeline[:2], *_base_.tta_pipeline]
tta_pipeline[2].transforms += [[step] for step in test_pipeline[3:]]
