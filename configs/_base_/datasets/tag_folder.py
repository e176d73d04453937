# A folder of images and a file of tags; both may be named by the environment as well.
_base_ = './tagged_images.py'
dataset_type = 'TagFileDataset'
data_root = '{{$TAG_DATA_ROOT:data/photos}}'
tag_file = '{{$TAG_FILE:data/photos/tags.csv}}'
# A text file of images to leave out: '' for none.
skip = ''
scale = (640, 384)
# Whoever overrides one of these overrides it below as well.
shared_settings = dict(
    data_root=data_root,
    tag_file=tag_file,
    proposal_root=_base_.proposal_root,
    skip=skip)
# model.num_classes follows the file of tags.
classes_from_data = True

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].transforms[0].scale = scale
test_pipeline[2].transforms[0].scale = scale

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        tag_file=tag_file,
        skip=skip,
        pipeline=train_pipeline))
val_dataloader = None
# The same images: their masks are the result. Nothing finer than tags is known of them.
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        tag_file=tag_file,
        skip=skip,
        pipeline=test_pipeline))

val_evaluator = None
test_evaluator = dict(type='ImageClassificationMetric')
