# The protocol of OICR and PCL on VOC: SGD, batches of 4 images, one a process. A single process
# accumulates four of them; from 8 processes on batches are larger, updates fewer and the rate
# higher in proportion, so that as many images are seen.
_base_ = './phases.py'
# Of torch's launcher, else of Slurm's. (A config with `import os` is refused by mmengine 0.10.7.)
world_size = int('{{$WORLD_SIZE:0}}') or int('{{$SLURM_NTASKS:1}}')
accumulative_counts = max(4 // world_size, 1)
batch_size = world_size * accumulative_counts
# Iterations of a process for each update of the protocol.
iterations = 4 / world_size

# 50,000 updates as on VOC 2007, a tenth of the rate after 35,000; the backbone learns in all but
# the first 10,000. Images learn at many sizes but get their labels at one, for many updates: by
# attention before modules 2 to 4 learn, by all modules for a lap, by attention again, which
# validation then merges with the last module's instances.
pretraining = dict(epochs=0, steps=(), scales=False)
together = dict(
    epochs=0,
    steps=(),
    stages=['classification', 'detection', 'refinement', 'segmentation'],
    backbone=True,
    scales=False,
    relabel='calibration',
    alternate=10)
train_cfg = dict(
    label_size=480,
    order=[
        'classification', 'semantic', 'detection', 'refinement',
        'segmentation', 'lap', 'joint', 'final'
    ],
    phases=dict(
        classification=dict(
            **pretraining, iterations=round(4000 * iterations)),
        semantic=dict(
            **pretraining,
            iterations=round(500 * iterations),
            relabel='calibration'),
        detection=dict(
            **pretraining,
            iterations=round(2500 * iterations),
            relabel='calibration'),
        refinement=dict(**pretraining, iterations=round(1000 * iterations)),
        segmentation=dict(**pretraining, iterations=round(1000 * iterations)),
        lap=dict(
            **pretraining,
            stages=['detection', 'refinement', 'segmentation'],
            iterations=round(1000 * iterations),
            relabel=True),
        joint=dict(
            **together,
            iterations=round(25000 * iterations),
            lr_factor=1.0,
            ramp=0.1,
            threshold=(0.7, 0.3)),
        final=dict(
            **together,
            iterations=round(15000 * iterations),
            lr_factor=0.1,
            threshold=0.3)))

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=1e-3 * batch_size / 4, momentum=0.9, weight_decay=5e-4),
    accumulative_counts=accumulative_counts,
    # Biases learn twice as fast and do not decay.
    paramwise_cfg=dict(
        bias_lr_mult=2.0,
        bias_decay_mult=0.0,
        custom_keys={
            # Standardised channels: a linear classifier of many of them takes small steps.
            'classification.attention': dict(lr_mult=1.0),
        }))
