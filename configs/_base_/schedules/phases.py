# Cascaded pre-training with a frozen backbone, one module after the other, then all together.
train_cfg = dict(
    type='CurriculumTrainLoop',
    # In words, since a config that mmengine writes down has its keys sorted.
    order=[
        'classification', 'semantic', 'detection', 'refinement', 'segmentation', 'joint'
    ],
    phases=dict(
        classification=dict(epochs=2, stages=['classification']),
        # Only where calibration has semantic attention.
        semantic=dict(epochs=0, stages=['semantic']),
        detection=dict(epochs=3, stages=['detection']),
        refinement=dict(epochs=1, stages=['refinement']),
        segmentation=dict(
            epochs=1,
            stages=['segmentation'],
            # The finer module begins with what the coarser ones have learnt.
            start_from={
                'segmentation.box_head': 'detection.box_head',
                'segmentation.mask_head': 'refinement.mask_head',
            }),
        joint=dict(
            epochs=1,
            stages=['classification', 'detection', 'refinement', 'segmentation'],
            backbone=True,
            # A further size of the image would cost more than half a step again.
            scales=False,
            lr_factor=0.3,
            # Modules fade in, pseudo instances of high weight come first; directions alternate.
            ramp=0.5,
            threshold=(0.7, 0.3),
            alternate=10)),
    val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', fused=True, lr=2e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            # A linear classifier from zero: it takes larger steps.
            'classification.attention': dict(lr_mult=25.0),
        }),
    clip_grad=dict(max_norm=10.0))
auto_scale_lr = dict(enable=False, base_batch_size=4)
