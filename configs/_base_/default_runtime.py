default_scope = 'mmlabelpenet'
# for mmdet's own tools; a config with custom_imports of its own names this module too
custom_imports = dict(imports=['mmlabelpenet.registration'])

default_hooks = dict(
    # a line a phase and a progress bar; verbose=True (or --verbose) shows the whole log
    screen=dict(type='ScreenHook', verbose=False),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        backend_args=dict(backend='atomic')),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    feature_statistics=dict(type='FeatureStatisticsHook'),
    finite_loss=dict(type='FiniteLossHook'),
    # labels of so many training images after each phase, see docs/guide/evaluate.md; 0 for off
    label_curve=dict(type='LabelCurveHook', num_images=0),
    visualization=dict(type='CascadeVisualizationHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='DetLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(
    type='LogProcessor',
    window_size=50,
    by_epoch=True,
    mean_pattern=r'.*(loss|time|data_time|grad_norm|pseudo).*')

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)

# parameters that a phase of the cascade freezes get no gradient
find_unused_parameters = True
