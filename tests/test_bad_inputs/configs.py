"""Configs: misspelt names, values out of range, parts that do not fit, idle overrides."""

import functools
import json
import tempfile
from pathlib import Path
from unittest import mock

from mmlabelpenet.apis import read_config
from mmlabelpenet.testing import make_shapes

from .table import REPOSITORY, BadInput, run_tool

SHAPES = 'configs/label_penet/label-penet_effnet-lite0_shapes.py'


@functools.cache
def shapes() -> Path:
    """A few generated photos, made once for all rows that read data."""
    root = Path(tempfile.mkdtemp()) / 'Shapes'
    make_shapes(root, num_train=1, num_val=1, image_size=(48, 64))
    return root


def write(root: Path, text: str, base: str = SHAPES) -> str:
    """Write a config that inherits one of the repository's."""
    path = root / 'mine.py'
    inherits = f'_base_ = {str(REPOSITORY / base)!r}\n' if base else ''
    path.write_text(inherits + text, encoding='utf-8')
    return str(path)


def config(name: str, text: str, sentence: str, base: str = SHAPES) -> BadInput:
    """A row: a config with these lines."""
    return BadInput(name, lambda root: read_config(write(root, text, base)), sentence)


def option(name: str, *options: str, sentence: str, base: str = SHAPES) -> BadInput:
    """A row: overrides of a config by a tool's command line."""

    def run(root: Path) -> None:
        run_tool('train', write(root, '', base), '--cfg-options', *options)

    return BadInput(name, run, sentence)


def steps(step: str) -> str:
    """Lines of a config that trains with this step between proposals and packing."""
    return (
        "train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), "
        f"dict(type='LoadRegionProposals', proposal_root='x'), {step}, "
        "dict(type='PackWeakInputs')]))"
    )


def trained(name: str, text: str, sentence: str) -> BadInput:
    """A row: a config that is wrong only beside its data."""

    return BadInput(name, lambda root: train(root, text, root / 'work'), sentence)


def train(root: Path, text: str, work_dir: Path | str) -> None:
    """Train by a config with these lines."""
    lines = f'data_root = {str(shapes())!r}\n{text}'
    # which takes seconds to list the compilers of a machine
    with mock.patch('mmengine.runner.runner.collect_env', return_value={}):
        run_tool('train', write(root, lines), '--work-dir', work_dir)


def used_number(root: Path) -> None:
    """Set a variable anew that a base has made a setting of."""
    Path(write(root, 'workers = 3\ntrain_dataloader = dict(num_workers=workers)')).rename('b.py')
    (root / 'mine.py').write_text("_base_ = 'b.py'\nworkers = 1\n")
    read_config(str(root / 'mine.py'))


def misspelt_json(root: Path) -> None:
    """Misspell a setting in JSON."""
    content = {'_base_': str(REPOSITORY / SHAPES), 'optim_wraper': {}}
    (root / 'mine.json').write_text(json.dumps(content))
    read_config(str(root / 'mine.json'))


# A cascade that learns proposals, the phase in which it does, and a pipeline that needs it.
LEARNS = 'dict(proposals=dict(type="LearnedProposals"))'
PHASE = (
    'dict(order=[*_base_.train_cfg.order, "p"], '
    'phases=dict(p=dict(epochs=1, stages=["proposals"])))'
)
LEFT_OUT = (
    '[dict(type="LoadImageFromFile"), dict(type="ProvideRegionProposals", source="learned"), '
    'dict(type="PackWeakInputs")]'
)


def learns(setting: str) -> str:
    """A cascade that learns proposals with a setting."""
    return LEARNS.replace('Proposals"', f'Proposals", {setting}')


HEAD = 'model = dict(cascade=dict(detection=dict(box_head='
# Wrong types and old names: what is wrong, the line, the sentence.
LINES = [
    (
        'a switch as text',
        "train_dataloader = dict(sampler=dict(shuffle='False'))",
        "train_dataloader.sampler.shuffle must be True or False, not 'False'.",
    ),
    (
        'a switch of mmengine as text',
        "env_cfg = dict(cudnn_benchmark='no')",
        "env_cfg.cudnn_benchmark must be True or False, not 'no'.",
    ),
    (
        'a switch of a backbone of mmdet as text',
        "model = dict(backbone=dict(_delete_=True, type='mmdet.ResNet', depth=50, "
        "norm_eval='False'))",
        "model.backbone.norm_eval must be True or False or None, not 'False'.",
    ),
    (
        'a switch of the preprocessor as text',
        "model = dict(data_preprocessor=dict(bgr_to_rgb='False'))",
        "model.data_preprocessor.bgr_to_rgb must be True or False, not 'False'.",
    ),
    (
        'a switch without a default as text',
        "auto_scale_lr = dict(enable='False')",
        "auto_scale_lr.enable must be True or False, not 'False'.",
    ),
    (
        'two learning rates',
        'optim_wrapper = dict(optimizer=dict(lr=[0, 1]))',
        'optim_wrapper.optimizer.lr must be a number, not [0, 1]: a comma makes a list, '
        'and decimals are written with a point.',
    ),
    (
        'two factors of a learning rate',
        'optim_wrapper = '
        'dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=(0, 1)))))',
        'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult must be a number, not '
        '(0, 1): a comma makes a list, and decimals are written with a point.',
    ),
    (
        'two batch sizes',
        'train_dataloader = dict(batch_size=(1, 2))',
        'train_dataloader.batch_size must be a whole number or None, not (1, 2): a comma '
        'makes a list, and decimals are written with a point.',
    ),
    (
        'a batch size with a fraction',
        'train_dataloader = dict(batch_size=4.0)',
        'train_dataloader.batch_size must be a whole number or None, not 4.0.',
    ),
    (
        'no number of workers',
        'train_dataloader = dict(num_workers=None)',
        'train_dataloader.num_workers must be a whole number, not None.',
    ),
    (
        'a seed that is true',
        'randomness = dict(seed=True)',
        'randomness.seed must be a whole number or None, not True.',
    ),
    (
        'half an interval',
        'default_hooks = dict(checkpoint=dict(interval=0.5))',
        'default_hooks.checkpoint.interval must be a whole number, not 0.5.',
    ),
    (
        'a model with a comma behind it',
        'model = dict(num_classes=6),',
        "model must be a dict, not ({'num_classes': 6},): delete the comma at the end of "
        'its line, which makes a list of it.',
    ),
    (
        'a dict of custom hooks',
        "custom_hooks = dict(type='NumClassCheckHook')",
        "custom_hooks must be a list or None, not {'type': 'NumClassCheckHook'}.",
    ),
    (
        'custom hooks by their names',
        "custom_hooks = ['NumClassCheckHook']",
        "custom_hooks.0 must be a dict with a type, not 'NumClassCheckHook'.",
    ),
    (
        'a sampler by its name',
        "train_dataloader = dict(sampler='DefaultSampler')",
        "train_dataloader.sampler must be a dict with a type, not 'DefaultSampler'.",
    ),
    (
        'metrics by their names',
        "val_evaluator = ['VOCDetectionMetric']",
        "val_evaluator.0 must be a dict with a type, not 'VOCDetectionMetric'.",
    ),
    (
        'no pipeline',
        'train_dataloader = dict(dataset=dict(pipeline=None))',
        'train_dataloader.dataset.pipeline must be a list, not None.',
    ),
    (
        'a pipeline of names',
        "train_dataloader = dict(dataset=dict(pipeline=['Resize']))",
        "train_dataloader.dataset.pipeline.0 must be a dict with a type, not 'Resize'.",
    ),
    (
        'one milestone',
        "param_scheduler = [dict(type='MultiStepLR', milestones=3)]",
        'param_scheduler.0.milestones must be a list, not 3.',
    ),
    (
        'an image size of three numbers',
        'scale = (640, 480, 3)',
        'train_dataloader.dataset.pipeline.2.transforms.0.scale must be a number or a '
        'list of 2 or None, not (640, 480, 3).',
    ),
    (
        'a misspelt log level',
        "log_level = 'INF'",
        "log_level must be 'CRITICAL' or 'FATAL' or 'ERROR' or 'WARN' or 'WARNING' or "
        "'INFO' or 'DEBUG' or 'NOTSET' or a whole number, not 'INF'.",
    ),
    (
        'shared settings as a list',
        "shared_settings = ['scale']",
        "shared_settings must be a dict, not ['scale'].",
    ),
    (
        'MMDetection 2: optimizer',
        "optimizer = dict(type='SGD', lr=0.1)",
        "nothing reads 'optimizer', which is of MMDetection 2: set "
        'optim_wrapper.optimizer instead.',
    ),
    (
        'MMDetection 2: data',
        'data = dict(samples_per_gpu=2)',
        "nothing reads 'data', which is of MMDetection 2: set train_dataloader, "
        'val_dataloader and test_dataloader instead.',
    ),
    (
        'MMDetection 2: lr_config',
        "lr_config = dict(policy='step')",
        "nothing reads 'lr_config', which is of MMDetection 2: set param_scheduler, or "
        'train_cfg.phases where there are phases, instead.',
    ),
    (
        'MMDetection 2: total_epochs',
        'total_epochs = 12',
        "nothing reads 'total_epochs', which is of MMDetection 2: set train_cfg instead.",
    ),
    (
        'MMDetection 2: runner',
        "runner = dict(type='EpochBasedRunner')",
        "nothing reads 'runner', which is of MMDetection 2: set train_cfg instead.",
    ),
    (
        'MMDetection 2: evaluation',
        'evaluation = dict(interval=1)',
        "nothing reads 'evaluation', which is of MMDetection 2: set val_evaluator and "
        'train_cfg.val_interval instead.',
    ),
    (
        'MMDetection 2: checkpoint_config',
        'checkpoint_config = dict(interval=1)',
        "nothing reads 'checkpoint_config', which is of MMDetection 2: set "
        'default_hooks.checkpoint instead.',
    ),
    (
        'MMDetection 2: log_config',
        'log_config = dict(interval=50)',
        "nothing reads 'log_config', which is of MMDetection 2: set default_hooks.logger "
        'and visualizer.vis_backends instead.',
    ),
    (
        'MMDetection 2: optimizer_config',
        'optimizer_config = dict(grad_clip=None)',
        "nothing reads 'optimizer_config', which is of MMDetection 2: set "
        'optim_wrapper.clip_grad instead.',
    ),
    (
        'MMDetection 2: workflow',
        "workflow = [('train', 1)]",
        "nothing reads 'workflow', which is of MMDetection 2: set train_cfg.val_interval instead.",
    ),
    (
        'MMDetection 2: dist_params',
        "dist_params = dict(backend='nccl')",
        "nothing reads 'dist_params', which is of MMDetection 2: set env_cfg.dist_cfg instead.",
    ),
    (
        'MMDetection 2: seed',
        'seed = 3',
        "nothing reads 'seed', which is of MMDetection 2: set randomness.seed instead.",
    ),
    (
        'MMDetection 2: resume_from',
        "resume_from = 'a.pth'",
        "nothing reads 'resume_from', which is of MMDetection 2: set load_from with "
        'resume=True instead.',
    ),
    (
        'MMDetection 2: fp16',
        'fp16 = dict()',
        "nothing reads 'fp16', which is of MMDetection 2: set "
        "optim_wrapper.type='AmpOptimWrapper' instead.",
    ),
]


def plain(name: str, file: str, text: str, sentence: str) -> BadInput:
    """A row: a config in YAML or JSON."""

    def run(root: Path) -> None:
        base = str(REPOSITORY / SHAPES)
        (root / file).write_text(text.replace('BASE', base), encoding='utf-8')
        read_config(str(root / file))

    return BadInput(name, run, f'{{root}}/{file}{sentence}')


# What is wrong with a config that inherits another, its lines, the end of the sentence.
SILENT = [
    (
        'a misspelt variable of a base',
        "data_rot = 'mine'",
        ": nothing reads 'data_rot': did you mean 'data_root'?",
    ),
    (
        'a variable of a base in capitals',
        "DATA_ROOT = 'mine'",
        ": nothing reads 'DATA_ROOT': did you mean 'data_root'?",
    ),
    (
        'a colon instead of =',
        "data_root: 'mine'",
        ", line 2 (data_root: 'mine') sets nothing: write = instead of ':'.",
    ),
    (
        '== instead of =',
        "data_root == 'mine'",
        ", line 2 (data_root == 'mine') sets nothing: write = instead of '=='.",
    ),
    (
        'a key twice',
        "optim_wrapper = {'optimizer': {'lr': 0.1,\n    'lr': 0.3}}",
        ", line 3: 'lr' is given twice in one dict: delete one.",
    ),
    (
        'MMDetection 2: img_norm_cfg',
        'img_norm_cfg = dict(mean=[1, 2, 3])',
        ": nothing reads 'img_norm_cfg', which is of MMDetection 2: set "
        'model.data_preprocessor.mean and std instead.',
    ),
    (
        'a path object',
        "from pathlib import Path\ndata_root = Path('mine')",
        ": data_root must be text, not PosixPath('mine'): write 'mine'.",
    ),
    (
        'the scope of mmdet',
        "default_scope = 'mmdet'",
        ': model: LabelPEnet is a class of this package, which '
        "default_scope='mmdet' leaves out: set default_scope='mmlabelpenet'.",
    ),
    (
        'mean and std of colours from 0 to 1',
        'model = dict(data_preprocessor=dict(mean=[0.5, 0.5, 0.4], std=[0.2, 0.2, 0.2]))',
        ': model.data_preprocessor has mean=[0.5, 0.5, 0.4] and std=[0.2, 0.2, 0.2], which are '
        'for colours from 0 to 1, but photos are read with colours from 0 to 255: multiply both '
        'by 255.',
    ),
    (
        'a warm-up from a rate of 0',
        "param_scheduler = [dict(type='LinearLR', start_factor=0.0, by_epoch=False)]",
        ': param_scheduler.0.start_factor must not be 0, not 0.0.',
    ),
    (
        'a negative factor of the rate',
        "param_scheduler = [dict(type='MultiStepLR', milestones=[1], gamma=-0.1)]",
        ': param_scheduler.0.gamma must be a number of at least 0, not -0.1.',
    ),
    (
        'a cosine of no length',
        "param_scheduler = [dict(type='CosineAnnealingLR', T_max=0)]",
        ': param_scheduler.0.T_max must be a whole number of at least 1, not 0.',
    ),
    (
        'a flip of photos without their proposals',
        steps("dict(type='RandomFlip', prob=0.5)"),
        ': train_dataloader.dataset.pipeline has RandomFlip where it moves the photo but not its '
        "proposals: write it into dict(type='ProposalBroadcaster', transforms=[...]).",
    ),
    (
        'a rotation at random without proposals',
        steps("dict(type='RandomChoice', transforms=[[dict(type='Rotate')], []])"),
        ': train_dataloader.dataset.pipeline has Rotate where it moves the photo but not its '
        "proposals: write it into dict(type='ProposalBroadcaster', transforms=[...]).",
    ),
    (
        'a mosaic of photos',
        steps("dict(type='ProposalBroadcaster', transforms=[dict(type='Mosaic')])"),
        ': train_dataloader.dataset.pipeline has Mosaic, which mixes photos, but neither their '
        'proposals nor their tags: remove it.',
    ),
    (
        'a learning rate that the phases set',
        "param_scheduler = [dict(type='PolyLR', power=0.9)]",
        ': param_scheduler has PolyLR, but the phases set the learning rate: remove it, and set '
        'lr_factor, warmup, final_factor or steps of train_cfg.phases.',
    ),
    (
        'a setting of a scheduler that is not there',
        "param_scheduler = {'0': dict(gamma=0.1)}",
        ': param_scheduler has no type, but the phases set the learning rate: remove it, and set '
        'lr_factor, warmup, final_factor or steps of train_cfg.phases.',
    ),
    (
        'a level beyond the last one',
        'model = dict(cascade=dict(classification=dict(attention=dict(levels=(1, 5)))))',
        ': model.cascade.classification.attention.levels is [1, 5], but there are 3 levels, '
        'counted from 0: choose some of [0, 1, 2].',
    ),
    (
        'a preprocessor of no detector',
        "model = dict(data_preprocessor=dict(type='ImgDataPreprocessor'))",
        ": model.data_preprocessor has the type 'ImgDataPreprocessor', which does not tell a "
        'detector the sizes of its photos: set '
        "model.data_preprocessor.type='DetDataPreprocessor'.",
    ),
    (
        'a mean that no colour has',
        'model = dict(data_preprocessor=dict(mean=[300, 300, 300]))',
        ': model.data_preprocessor.mean must be a number from 0 to 255, not [300, 300, 300].',
    ),
    (
        'limits of background in the wrong order',
        'model = dict(cascade=dict(detection=dict(box_head=dict(neg_iou=(0.5, 0.0)))))',
        ': model.cascade.detection.box_head.neg_iou must be the least and the greatest share, in '
        'this order, not (0.5, 0.0).',
    ),
    (
        'a negative number of steps',
        'model = dict(calibration=dict(sharpen=dict(steps=-1)))',
        ': model.calibration.sharpen.steps must be a number of at least 0, not -1.',
    ),
    (
        'a phase that names a stage twice',
        "train_cfg = dict(phases=dict(detection=dict(stages=['detection', 'detection'])))",
        ": phase 'detection' names a stage twice: detection, detection.",
    ),
]
ROWS = [
    BadInput(
        'an address as work folder',
        lambda root: train(root, '', 's3://bucket/x'),
        's3://bucket/x is an address: name a path of this machine.',
    ),
    trained(
        'a scheduler that cannot be built',
        "param_scheduler = [dict(type='CosineAnnealingMomentum', T_max=5, by_epoch=False, "
        'convert_to_iter_based=True)]',
        '{root}/mine.py: a part of it cannot be built: Only epoch-based parameter scheduler can '
        'be converted to iter-based, and `epoch_length` should be set; fix its settings.',
    ),
    *(config(name, text, f'{{root}}/mine.py{end}') for name, text, end in SILENT),
    trained(
        'foreground that is also background',
        'model = dict(cascade=dict(refinement=dict(mask_supervision=dict(background=0.8))))',
        '{root}/mine.py: MaskSupervision cannot be built: mask_supervision.background 0.8 is '
        'above foreground 0.6; fix its settings.',
    ),
    trained(
        'more frozen stages than there are',
        'model = dict(backbone=dict(frozen_stages=99))',
        '{root}/mine.py: EfficientNetLite cannot be built: frozen_stages 99 goes beyond 7; fix '
        'its settings.',
    ),
    config(
        'a base by a variable',
        "folder = '/configs'\n_base_ = f'{folder}/mine.py'",
        "{root}/mine.py: _base_ is computed (name 'folder' is not defined): write it as a text, "
        'or a list of texts.',
        base='',
    ),
    config(
        'a number as base',
        '_base_ = 5',
        '{root}/mine.py: _base_ must be a text or a list of texts, not 5.',
        base='',
    ),
    config(
        'a base within another statement',
        "if True:\n    _base_ = 'mine.py'",
        '{root}/mine.py, line 2: _base_ is set within another statement: set it at the beginning '
        'of a line of its own.',
        base='',
    ),
    plain(
        'YAML: a list',
        'mine.yaml',
        '- a',
        ' holds a list instead of settings by their names: write them as NAME: VALUE.',
    ),
    plain(
        'YAML: nothing',
        'mine.yaml',
        '',
        ' holds nothing instead of settings by their names: write them as NAME: VALUE.',
    ),
    plain(
        'YAML: a key twice',
        'mine.yaml',
        '_base_: BASE\nrandomness:\n  seed: 1\n  seed: 2\n',
        ", line 4: 'seed' is given twice in one dict: delete one.",
    ),
    plain(
        'JSON: a key twice',
        'mine.json',
        '{"_base_": "BASE",\n\t"randomness": {},\n\t"randomness": {"seed": 2}}',
        ", line 3: 'randomness' is given twice in one dict: delete one.",
    ),
    config(
        'not Python',
        'model = dict(',
        "{root}/mine.py cannot be read as a config (SyntaxError: '(' was never closed "
        '(<unknown>, line 2)): fix it or the --cfg-options.',
    ),
    config(
        'an unknown name is used',
        'model = dict(num_classes=classes)',
        "{root}/mine.py cannot be read as a config (NameError: name 'classes' is not "
        'defined): fix it or the --cfg-options.',
    ),
    config(
        'a base that does not exist',
        "_base_ = 'gone.py'",
        '{root}/mine.py cannot be read as a config (FileNotFoundError: [Errno 2] No such file'
        " or directory: '{root}/gone.py'): fix it or the --cfg-options.",
        base='',
    ),
    config(
        'two bases with the same names',
        f'_base_ = [{str(REPOSITORY / SHAPES)!r}] * 2',
        "{root}/mine.py has two bases that both set 'auto_scale_lr': inherit one of them.",
        base='',
    ),
    config(
        'import of a module',
        'import torch\nmodel = dict(num_classes=torch.ones(1))',
        '{root}/mine.py: model.num_classes must be a whole number, not tensor([1.]).',
    ),
    BadInput(
        'a config of JSON that is damaged',
        lambda root: read_config(broken_json(root)),
        '{root}/mine.json cannot be read as a config (JSONDecodeError: Expecting value: line '
        '1 column 11 (char 10)): fix it or the --cfg-options.',
    ),
    BadInput(
        'a config that does not exist',
        lambda root: read_config('no/such/config.py'),
        'There is no config no/such/config.py; see configs/ for those there are.',
    ),
    BadInput(
        'a folder for a config',
        lambda root: read_config(str(root)),
        'There is no config {root}; see configs/ for those there are.',
    ),
    BadInput(
        'a photo for a config',
        lambda root: read_config(photo(root)),
        '{root}/a.jpg is no config, which ends in .py, .json, .yaml, .yml: name the config '
        'first, then a checkpoint or other files.',
    ),
    config(
        'misspelt type of the model',
        "model = dict(type='LabelPEnt')",
        "{root}/mine.py: model: no model is registered as 'LabelPEnt': did you mean 'LabelPEnet'?",
    ),
    config(
        'misspelt type of the backbone',
        "model = dict(backbone=dict(type='EfficentNetLite'))",
        "{root}/mine.py: model.backbone: no model is registered as 'EfficentNetLite': did you"
        " mean 'EfficientNetLite'?",
    ),
    config(
        'misspelt type of a stage',
        "model = dict(cascade=dict(detection=dict(type='DetectionStag')))",
        "{root}/mine.py: model.cascade.detection: no model is registered as 'DetectionStag': "
        "did you mean 'DetectionStage'?",
    ),
    config(
        'misspelt type of a refiner',
        "model = dict(calibration=dict(refine=dict(type='PixelAfinity')))",
        "{root}/mine.py: model.calibration.refine: no model is registered as 'PixelAfinity': "
        "did you mean 'PixelAffinity'?",
    ),
    config(
        'misspelt type of a loss',
        "model = dict(cascade=dict(classification=dict(loss_cls=dict(type='WSDNLoss'))))",
        '{root}/mine.py: model.cascade.classification.loss_cls: no model is registered as '
        "'WSDNLoss': did you mean 'WSDDNLoss'?",
    ),
    config(
        'misspelt metric',
        "val_evaluator = [dict(type='VOCDetectonMetric')]",
        "{root}/mine.py: val_evaluator.0: no metric is registered as 'VOCDetectonMetric': did"
        " you mean 'VOCDetectionMetric'?",
    ),
    config(
        'misspelt hook',
        "custom_hooks = [dict(type='PseudoLabelHok')]",
        "{root}/mine.py: custom_hooks.0: no hook is registered as 'PseudoLabelHok': did you "
        "mean 'PseudoLabelHook'?",
    ),
    config(
        'misspelt data set',
        "train_dataloader = dict(dataset=dict(type='ShapeDataset'))",
        '{root}/mine.py: train_dataloader.dataset: no dataset is registered as '
        "'ShapeDataset': did you mean 'ShapesDataset'?",
    ),
    config(
        'misspelt transform',
        "train_dataloader = dict(dataset=dict(pipeline=[dict(type='Rezise')]))",
        '{root}/mine.py: train_dataloader.dataset.pipeline.0: no transform is registered as '
        "'Rezise': did you mean 'Resize'?",
    ),
    config(
        'misspelt loop',
        "train_cfg = dict(type='CuriculumTrainLoop')",
        "{root}/mine.py: train_cfg: no loop is registered as 'CuriculumTrainLoop': did you "
        "mean 'CurriculumTrainLoop'?",
    ),
    config(
        'misspelt optimiser',
        "optim_wrapper = dict(optimizer=dict(type='AdamV'))",
        "{root}/mine.py: optim_wrapper.optimizer: no optimizer is registered as 'AdamV': did "
        "you mean 'Adam'?",
    ),
    config(
        'a hook without a type',
        'custom_hooks = [dict(interval=5)]',
        '{root}/mine.py: custom_hooks.0 has no type: name the class to build.',
    ),
    config(
        'misspelt setting of the model',
        'model = dict(num_clases=6)',
        "{root}/mine.py: model (LabelPEnet) has no setting 'num_clases': did you mean "
        "'num_classes'?",
    ),
    config(
        'misspelt setting of a stage',
        'model = dict(cascade=dict(detection=dict(mineing=dict())))',
        "{root}/mine.py: model.cascade.detection (DetectionStage) has no setting 'mineing': "
        "did you mean 'mining'?",
    ),
    config(
        'misspelt setting of a head',
        f'{HEAD}dict(num_sample=64))))',
        "{root}/mine.py: model.cascade.detection.box_head has no setting 'num_sample': did "
        "you mean 'num_samples'?",
    ),
    config(
        'misspelt setting of mining',
        'model = dict(cascade=dict(detection=dict(mining=dict(keep_ration=0.5))))',
        "{root}/mine.py: model.cascade.detection.mining has no setting 'keep_ration': did you"
        " mean 'keep_ratio'?",
    ),
    config(
        'misspelt test setting',
        "model = dict(test_cfg=dict(stag='detection'))",
        "{root}/mine.py: model.test_cfg has no setting 'stag': did you mean 'stage'?",
    ),
    config(
        'misspelt stage to test',
        "model = dict(test_cfg=dict(stage='detecton'))",
        "{root}/mine.py: model.test_cfg.stage 'detecton' is not in the model: did you mean "
        "'detection'?",
    ),
    config(
        'misspelt stage of the cascade',
        'model = dict(cascade=dict(detecton=dict()))',
        '{root}/mine.py: model.cascade.detecton is no stage of model.order: did you mean '
        "'detection'?",
    ),
    config(
        'a stage left out in the middle',
        'model = dict(cascade=dict(detection=None))',
        '{root}/mine.py: model.cascade lacks the stage detection, which the later ones need: '
        'configure it, or set all stages after it to None.',
    ),
    config(
        'misspelt phase',
        'train_cfg = dict(phases=dict(detecton=dict(epochs=1)))',
        '{root}/mine.py: train_cfg.phases.detecton is not in train_cfg.order: did you mean '
        "'detection'?",
    ),
    config(
        'misspelt field of a phase',
        'train_cfg = dict(phases=dict(detection=dict(epoch=1)))',
        "{root}/mine.py: train_cfg.phases.detection has no setting 'epoch': did you mean "
        "'epochs'?",
    ),
    config(
        'misspelt stage of a phase',
        "train_cfg = dict(phases=dict(detection=dict(stages=['detecton'])))",
        "{root}/mine.py: train_cfg.phases.detection.stages: 'detecton' is no stage: did you "
        "mean 'detection'?",
    ),
    config(
        'a phase of a stage that the model lacks',
        'model = dict(cascade=dict(segmentation=None), test_cfg=dict(stage="detection"))',
        '{root}/mine.py: train_cfg.phases.segmentation.stages: the model has no stage '
        "'segmentation' to train; it has classification, detection, refinement: set "
        'train_cfg.phases.segmentation=None, or its stages.',
    ),
    config(
        'negative epochs',
        'train_cfg = dict(phases=dict(detection=dict(epochs=-1)))',
        '{root}/mine.py: train_cfg.phases.detection.epochs must be a number of at least 0, '
        'not -1.',
    ),
    config(
        'no phase of any length',
        'train_cfg = dict(phases=dict(classification=None, detection=None, refi'
        'nement=None, segmentation=None, joint=None))',
        '{root}/mine.py: train_cfg.phases holds no phase of any length.',
    ),
    config(
        'epochs as text',
        "train_cfg = dict(phases=dict(detection=dict(epochs='two')))",
        '{root}/mine.py: train_cfg.phases.detection.epochs must be a number of at least 0, not '
        "'two'.",
    ),
    config(
        'a weight of a stage that does not learn',
        'train_cfg = dict(phases=dict(detection=dict(weights=dict(joint=1.0))))',
        "{root}/mine.py: phase 'detection' weighs stages ['joint'] that do not learn in it.",
    ),
    config(
        'curriculum threshold above 1',
        'train_cfg = dict(phases=dict(joint=dict(threshold=(1.7, 0.3))))',
        '{root}/mine.py: train_cfg.phases.joint.threshold must be a number from 0 to 1, not '
        '(1.7, 0.3).',
    ),
    config(
        'negative size of the cache',
        'train_cfg = dict(feature_cache=dict(max_gigabytes=-5))',
        '{root}/mine.py: train_cfg.feature_cache.max_gigabytes must be a number of at least '
        '0, not -5.',
    ),
    config(
        'no IoU to measure at',
        'val_evaluator = [dict(type="VOCDetectionMetric", iou_thrs=[])]',
        '{root}/mine.py: val_evaluator.0.iou_thrs must have at least one value, not [].',
    ),
    config(
        'IoU above 1',
        'val_evaluator = [dict(type="VOCDetectionMetric", iou_thrs=[50])]',
        '{root}/mine.py: val_evaluator.0.iou_thrs must be a number from 0 to 1, not [50].',
    ),
    config(
        'batch size 0',
        'train_dataloader = dict(batch_size=0)',
        '{root}/mine.py: train_dataloader.batch_size must be a whole number of at least 1, not 0.',
    ),
    config(
        'batch size 2.5',
        'train_dataloader = dict(batch_size=2.5)',
        '{root}/mine.py: train_dataloader.batch_size must be a whole number, not 2.5.',
    ),
    config(
        'negative number of workers',
        'train_dataloader = dict(num_workers=-1)',
        '{root}/mine.py: train_dataloader.num_workers must be a whole number of at least 0, '
        'not -1.',
    ),
    config(
        'learning rate nan',
        "optim_wrapper = dict(optimizer=dict(lr=float('nan')))",
        '{root}/mine.py: optim_wrapper.optimizer.lr must be a finite number, not nan.',
    ),
    config(
        'negative learning rate',
        'optim_wrapper = dict(optimizer=dict(lr=-0.1))',
        '{root}/mine.py: optim_wrapper.optimizer.lr must be a number of at least 0, not -0.1.',
    ),
    config(
        'learning rate as text',
        "optim_wrapper = dict(optimizer=dict(lr='0,01'))",
        "{root}/mine.py: optim_wrapper.optimizer.lr must be a number of at least 0, not '0,01'.",
    ),
    config(
        'misspelt setting of the optimiser',
        'optim_wrapper = dict(optimizer=dict(weight_decey=0.1))',
        "{root}/mine.py: optim_wrapper.optimizer (AdamW) has no setting 'weight_decey': did "
        "you mean 'weight_decay'?",
    ),
    config(
        'misspelt clipping',
        'optim_wrapper = dict(clip_grad=dict(maxnorm=1.0))',
        "{root}/mine.py: optim_wrapper.clip_grad has no setting 'maxnorm': did you mean "
        "'max_norm'?",
    ),
    config(
        'misspelt data loader',
        'train_dataloder = dict(batch_size=1)',
        "{root}/mine.py: nothing reads 'train_dataloder': did you mean 'train_dataloader'?",
    ),
    config(
        'misspelt setting of a data loader',
        'train_dataloader = dict(bach_size=1)',
        "{root}/mine.py: train_dataloader has no setting 'bach_size': did you mean 'batch_size'?",
    ),
    config(
        'misspelt setting of a data set',
        'train_dataloader = dict(dataset=dict(dataroot="x"))',
        "{root}/mine.py: train_dataloader.dataset (ShapesDataset) has no setting 'dataroot': "
        "did you mean 'data_root'?",
    ),
    config(
        'misspelt setting of a checkpoint hook',
        'default_hooks = dict(checkpoint=dict(intervall=2))',
        '{root}/mine.py: default_hooks.checkpoint (CheckpointHook) has no setting '
        "'intervall': did you mean 'interval'?",
    ),
    config(
        'a pipeline that loads no proposals',
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFro'
        'mFile"), dict(type="PackWeakInputs")]))',
        '{root}/mine.py: train_dataloader.dataset.pipeline lacks a step that the model needs:'
        " add dict(type='LoadRegionProposals', proposal_root=...).",
    ),
    config(
        'a pipeline that packs nothing',
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFro'
        'mFile"), dict(type="LoadRegionProposals", proposal_root="x")]))',
        '{root}/mine.py: train_dataloader.dataset.pipeline lacks a step that the model needs:'
        " add dict(type='PackWeakInputs').",
    ),
    config(
        'proposals before the photo',
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadRegionPr'
        'oposals", proposal_root="x"), dict(type="LoadImageFromFile"), dict(typ'
        'e="PackWeakInputs")]))',
        '{root}/mine.py: train_dataloader.dataset.pipeline has '
        "dict(type='LoadRegionProposals', proposal_root=...) too early: the order is load, "
        'propose, pack.',
    ),
    config(
        'proposals without their folder',
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadRegionProposals")]))',
        '{root}/mine.py: train_dataloader.dataset.pipeline.0 (LoadRegionProposals) lacks '
        'proposal_root: set train_dataloader.dataset.pipeline.0.proposal_root.',
    ),
    config(
        'a list of epochs',
        'train_cfg = dict(phases=dict(detection=dict(epochs=[1, 2])))',
        '{root}/mine.py: train_cfg.phases.detection.epochs must be a number, not [1, 2]: a '
        'comma makes a list, and decimals are written with a point.',
    ),
    config(
        'a model that is a list',
        'model = [1]',
        '{root}/mine.py: model must be a dict, not [1].',
        base='configs/_base_/datasets/shapes.py',
    ),
    config(
        'a calibration mode that is unknown',
        "model = dict(calibration=dict(mode='ful'))",
        "{root}/mine.py: model.calibration.mode must be 'forward' or 'full', not 'ful'.",
    ),
    config(
        'a variable of the base that nothing reads',
        'scale = (320, 256)\ntrain_pipeline = [1]',
        "{root}/mine.py: 'train_pipeline' is a variable of a config, from which settings were"
        ' made: to change it afterwards sets nothing; set what was made of it, such as '
        'train_dataloader.dataset.pipeline.',
    ),
    config(
        'a module to import that does not exist',
        "custom_imports = dict(imports=['my_missing_parts'])",
        '{root}/mine.py imports a module that cannot be imported (Failed to import '
        'my_missing_parts): fix its name, or set PYTHONPATH to its folder.',
    ),
    option(
        'an override that nothing reads',
        'learning_rate=3',
        sentence="{root}/mine.py: --cfg-options learning_rate: nothing reads 'learning_r"
        "ate': known "
        'are activation_checkpointing, auto_scale_lr, classes_from_data, compile, '
        'corloc_dataloader, corloc_evaluator, custom_hooks, custom_imports, '
        'data_preprocessor, default_hooks, default_scope, efficient_conv_bn_eval and 29 more.',
    ),
    option(
        'an override of a setting without its place',
        'lr=0.1',
        sentence="{root}/mine.py: --cfg-options lr: nothing reads 'lr': did you mean "
        'optim_wrapper.optimizer.lr?',
    ),
    option(
        'a misspelt override of the model',
        'model.test_cfg.stag=detection',
        sentence="{root}/mine.py: model.test_cfg has no setting 'stag': did you mean 'stage'?",
    ),
    option(
        'an override of a variable',
        'train_pipeline.2.transforms.0.scale=(320,256)',
        sentence="{root}/mine.py: 'train_pipeline' is a variable of a config, from which"
        ' settings were'
        ' made: to change it afterwards sets nothing; set what was made of it, such as '
        'train_dataloader.dataset.pipeline.',
    ),
    option(
        'an override below None',
        'val_dataloader.batch_size=2',
        sentence='{root}/mine.py: --cfg-options val_dataloader.batch_size: val_dataloade'
        'r is None in '
        "this config and holds no 'batch_size': set val_dataloader as a whole in a config of "
        'your own.',
        base='configs/label_penet/label-penet_effnet-lite0_tags.py',
    ),
    option(
        'an override beyond a list',
        'val_evaluator.7.iou_thrs=[0.5]',
        sentence="{root}/mine.py: --cfg-options val_evaluator.7.iou_thrs: '7' is no plac"
        'e in a list of'
        ' 2, which are counted from 0.',
    ),
    option(
        'an override of part of a number',
        'model.num_classes.x=3',
        sentence='{root}/mine.py: --cfg-options model.num_classes.x: model.num_classes i'
        's 6 in this '
        "config and holds no 'x': set model.num_classes as a whole in a config of your own.",
    ),
    option(
        'an override of text for a number',
        'train_dataloader.batch_size=two',
        sentence='{root}/mine.py: train_dataloader.batch_size must be a whole number of '
        'at least 1, '
        "not 'two'.",
    ),
    option(
        'a misspelt factor of a learning rate',
        'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mul=0.1',
        sentence='{root}/mine.py: optim_wrapper.paramwise_cfg.custom_keys.backbone has no setting '
        "'lr_mul': did you mean 'lr_mult'?",
    ),
    trained(
        'a wrong number of classes',
        'model = dict(num_classes=20)',
        '{root}/mine.py: model.num_classes is 20, but the data of train_dataloader have 6 '
        'classes: set model.num_classes=6.',
    ),
    trained(
        'no model',
        'model = None',
        '{root}/mine.py has no model: inherit one of configs/_base_/models, or set model.',
    ),
    trained(
        'a validation without a metric',
        'val_evaluator = None',
        '{root}/mine.py has val_dataloader but no val_evaluator: set both, or both to None.',
    ),
    trained(
        'a part copied that does not exist',
        "train_cfg = dict(phases=dict(segmentation=dict(start_from={'segmentati"
        "on.box_hed': 'detection.box_head'})))",
        "Phase segmentation copies 'segmentation.box_hed', no part of the model: did you mean"
        " 'segmentation.box_head'?",
    ),
    config(
        'a metric for a list of metrics',
        "val_evaluator = dict(type='VOCDetectionMetric')",
        "{root}/mine.py cannot be read as a config (TypeError: val_evaluator={'type': "
        "'VOCDetectionMetric'} in child config cannot inherit from base because val_evaluator"
        " is a dict in the child config but is of type <class 'list'> in base config. You may"
        ' set `_delete_=True` to ignore the base config.): fix it or the --cfg-options.',
    ),
    config(
        'a phase that is a number',
        'train_cfg = dict(phases=dict(detection=3))',
        '{root}/mine.py: train_cfg.phases.detection must be a dict or None, not 3.',
    ),
    config(
        'three curriculum thresholds',
        'train_cfg = dict(phases=dict(joint=dict(threshold=(0.7, 0.5, 0.3))))',
        '{root}/mine.py: train_cfg.phases.joint.threshold must be a number or a list of 2, '
        'not (0.7, 0.5, 0.3).',
    ),
    config(
        'no checkpoint ever',
        'default_hooks = dict(checkpoint=dict(interval=0))',
        '{root}/mine.py: default_hooks.checkpoint.interval must not be 0, not 0.',
    ),
    config(
        'pixels divided by 0',
        'model = dict(data_preprocessor=dict(std=[0.0, 0.0, 0.0]))',
        '{root}/mine.py: model.data_preprocessor.std must not be 0, not [0.0, 0.0, 0.0].',
    ),
    config(
        'a number for a folder',
        'work_dir = 2024',
        '{root}/mine.py: work_dir must be text or None, not 2024.',
    ),
    config(
        'misspelt scope',
        "default_scope = 'mmlabelpnet'",
        "{root}/mine.py: default_scope 'mmlabelpnet' is unknown: did you mean 'mmlabelpenet'?",
    ),
    config(
        'a cache without a folder',
        'train_cfg = dict(feature_cache=dict(_delete_=True, max_gigabytes=5))',
        '{root}/mine.py: train_cfg.feature_cache lacks root: set train_cfg.feature_cache.root.',
    ),
    config(
        'the end of the program',
        'import sys\nsys.exit(3)',
        '{root}/mine.py, or a base of it, ends the program: a config sets values only; change '
        'that line.',
    ),
    BadInput(
        'a config that is its own base',
        lambda root: read_config(write(root, "_base_ = 'mine.py'", '')),
        '{root}/mine.py, or a base of it, is its own base: a config sets values only; '
        'change that line.',
    ),
    BadInput(
        'a number that a base has used already',
        used_number,
        "{root}/mine.py: 'workers' is a variable of a config, from which settings were "
        'made: to change it afterwards sets nothing; set what was made of it, such as '
        'train_dataloader.dataset.pipeline.',
    ),
    BadInput(
        'a misspelt setting in JSON',
        misspelt_json,
        "{root}/mine.json: nothing reads 'optim_wraper': did you mean 'optim_wrapper'?",
    ),
    option(
        'an override of MMDetection 2',
        'total_epochs=3',
        sentence="{root}/mine.py: --cfg-options total_epochs: nothing reads 'total_epochs': set "
        'train_cfg instead.',
    ),
    option(
        'a decimal comma',
        'optim_wrapper.optimizer.lr=0,01',
        sentence='{root}/mine.py: optim_wrapper.optimizer.lr must be a number, not [0, 1]: a comma'
        ' makes a list, and decimals are written with a point.',
    ),
    *(config(name, text, f'{{root}}/mine.py: {sentence}') for name, text, sentence in LINES),
    trained(
        'channels of another backbone',
        "model = dict(backbone=dict(variant='lite2', init_cfg=None))",
        '{root}/mine.py: model.cascade.classification.attention.in_channels is [40, 112, '
        '1280], but the maps of this backbone have [48, 120, 1280]: set it to these.',
    ),
    BadInput(
        'a work folder that cannot be written',
        lambda root: train(root, '', '/proc/x'),
        '/proc/x cannot be written (No such file or directory): free space, get the permission, '
        'or choose another path.',
    ),
    trained(
        'levels that the backbone does not have',
        'model = dict(backbone=dict(out_indices=(2, 4, 9)))',
        '{root}/mine.py: EfficientNetLite cannot be built: out_indices (2, 4, 9) go beyond '
        '0..7; fix its settings.',
    ),
    config(
        'learned proposals that no phase trains',
        f'model = {LEARNS}',
        "{root}/mine.py: model.proposals learns in no phase: add one with stages=['proposals'] "
        'after all others, or set model.proposals=None.',
    ),
    config(
        'a phase of proposals that no model learns',
        f'train_cfg = {PHASE}',
        "{root}/mine.py: train_cfg.phases.p.stages: the model has no stage 'proposals' to train; "
        'it has classification, detection, refinement, segmentation: set '
        'train_cfg.phases.p=None, or its stages.',
    ),
    config(
        'a test that leaves proposals to a model without any',
        f'test_dataloader = dict(dataset=dict(pipeline={LEFT_OUT}))',
        '{root}/mine.py: test_dataloader.dataset.pipeline leaves proposals to the model, which '
        "makes none here: add dict(type='LoadRegionProposals', proposal_root=...), or for a test "
        'set model.proposals.',
    ),
    config(
        'a training that leaves proposals to the model',
        f'train_dataloader = dict(dataset=dict(pipeline={LEFT_OUT}))\n'
        f'model = {LEARNS}\ntrain_cfg = {PHASE}',
        '{root}/mine.py: train_dataloader.dataset.pipeline leaves proposals to the model, which '
        "makes none here: add dict(type='LoadRegionProposals', proposal_root=...), or for a test "
        'set model.proposals.',
    ),
    config(
        'an unknown source of proposals',
        f'test_dataloader = dict(dataset=dict(pipeline={LEFT_OUT.replace("learned", "made")}))',
        "{root}/mine.py: test_dataloader.dataset.pipeline.1.source must be 'learned' or 'stored' "
        "or 'search', not 'made'.",
    ),
    config(
        'misspelt setting of learned proposals',
        f'model = {learns("num_proposal=9")}\ntrain_cfg = {PHASE}',
        "{root}/mine.py: model.proposals (LearnedProposals) has no setting 'num_proposal': did "
        "you mean 'num_proposals'?",
    ),
    config(
        'no proposals at all',
        f'model = {learns("num_proposals=0")}\ntrain_cfg = {PHASE}',
        '{root}/mine.py: model.proposals.num_proposals must be a whole number of at least 1, not '
        '0.',
    ),
    config(
        'an IoU above 1 among learned proposals',
        f'model = {learns("nms_iou=7")}\ntrain_cfg = {PHASE}',
        '{root}/mine.py: model.proposals.nms_iou must be a number from 0 to 1, not 7.',
    ),
]


def broken_json(root: Path) -> str:
    """A JSON config that ends early."""
    (root / 'mine.json').write_text('{"model": ')
    return str(root / 'mine.json')


def photo(root: Path) -> str:
    """A photo."""
    (root / 'a.jpg').write_bytes(bytes(range(256)))
    return str(root / 'a.jpg')
