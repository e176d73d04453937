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

# 50,000 updates as on VOC 2007; a tenth of the rate after 35,000.
train_cfg = dict(
    phases=dict(
        classification=dict(
            epochs=0, iterations=round(10000 * iterations), steps=(0.7, )),
        detection=dict(
            epochs=0, iterations=round(5000 * iterations), steps=()),
        refinement=dict(
            epochs=0, iterations=round(2500 * iterations), steps=()),
        segmentation=dict(
            epochs=0, iterations=round(2500 * iterations), steps=()),
        joint=dict(
            epochs=0,
            iterations=round(30000 * iterations),
            steps=(0.5, ),
            lr_factor=1.0)))

backbone = dict(lr_mult=0.1)
backbone_bias = dict(lr_mult=0.2, decay_mult=0.0)
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
            'backbone': backbone,
            # VGG's convolutions, which are the only part of a backbone with biases.
            **{f'backbone.features.{i}.bias': backbone_bias for i in range(30)},
            # A linear classifier from zero: it takes larger steps.
            'classification.attention': dict(lr_mult=10.0),
        }))
