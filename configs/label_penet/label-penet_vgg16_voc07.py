# The published setting: VOC 2007 trainval to train, test to measure; docs/paper/full_voc.md.
_base_ = [
    '../_base_/models/label-penet_vgg16.py',
    '../_base_/datasets/voc07_multiscale.py',
    '../_base_/schedules/voc_sgd.py',
    '../_base_/default_runtime.py',
]
starts = dict(
    detection=dict(
        start_from={
            'detection.box_head.roi_features': 'classification.roi_features'
        }),
    # Module 4 has one branch, module 2 has three.
    segmentation=dict(
        start_from={
            '_delete_': True,
            'segmentation.box_head.roi_features':
            'detection.box_head.roi_features',
            'segmentation.box_head.fc_reg': 'detection.box_head.fc_reg',
            'segmentation.mask_head': 'refinement.mask_head',
        }))
train_cfg = dict(phases=starts)
