"""Configs: misspelt names, values out of range, parts that do not fit, overrides that do nothing."""

import functools
import tempfile
from pathlib import Path

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


def trained(name: str, text: str, sentence: str) -> BadInput:
    """A row: a config that is wrong only beside its data."""

    def run(root: Path) -> None:
        lines = f'data_root = {str(shapes())!r}\n{text}'
        run_tool('train', write(root, lines), '--work-dir', root / 'work')

    return BadInput(name, run, sentence)


HEAD = 'model = dict(cascade=dict(detection=dict(box_head='
ROWS = [
    config('not Python', 'model = dict(', ''),
    config('an unknown name is used', 'model = dict(num_classes=classes)', ''),
    config('a base that does not exist', "_base_ = 'gone.py'", '', base=''),
    config('two bases with the same names', f"_base_ = [{str(REPOSITORY / SHAPES)!r}] * 2", '', base=''),
    config('import of a module', 'import torch\nmodel = dict(num_classes=torch.ones(1))', ''),
    BadInput('a config of JSON that is damaged', lambda root: read_config(broken_json(root)), ''),
    BadInput('a config that does not exist', lambda root: read_config('no/such/config.py'), ''),
    BadInput('a folder for a config', lambda root: read_config(str(root)), ''),
    BadInput('a photo for a config', lambda root: read_config(photo(root)), ''),
    config('misspelt type of the model', "model = dict(type='LabelPEnt')", ''),
    config('misspelt type of the backbone', "model = dict(backbone=dict(type='EfficentNetLite'))", ''),
    config('misspelt type of a stage', "model = dict(cascade=dict(detection=dict(type='DetectionStag')))", ''),
    config('misspelt type of a refiner', "model = dict(calibration=dict(refine=dict(type='PixelAfinity')))", ''),
    config('misspelt type of a loss', "model = dict(cascade=dict(classification=dict(loss_cls=dict(type='WSDNLoss'))))", ''),
    config('misspelt metric', "val_evaluator = dict(type='VOCDetectonMetric')", ''),
    config('misspelt hook', "custom_hooks = [dict(type='PseudoLabelHok')]", ''),
    config('misspelt data set', "train_dataloader = dict(dataset=dict(type='ShapeDataset'))", ''),
    config('misspelt transform', "train_dataloader = dict(dataset=dict(pipeline=[dict(type='Rezise')]))", ''),
    config('misspelt loop', "train_cfg = dict(type='CuriculumTrainLoop')", ''),
    config('misspelt optimiser', "optim_wrapper = dict(optimizer=dict(type='AdamV'))", ''),
    config('a hook without a type', 'custom_hooks = [dict(interval=5)]', ''),
    config('misspelt setting of the model', 'model = dict(num_clases=6)', ''),
    config('misspelt setting of a stage', 'model = dict(cascade=dict(detection=dict(mineing=dict())))', ''),
    config('misspelt setting of a head', f'{HEAD}dict(num_sample=64))))', ''),
    config('misspelt setting of mining', 'model = dict(cascade=dict(detection=dict(mining=dict(keep_ration=0.5))))', ''),
    config('misspelt test setting', "model = dict(test_cfg=dict(stag='detection'))", ''),
    config('misspelt stage to test', "model = dict(test_cfg=dict(stage='detecton'))", ''),
    config('misspelt stage of the cascade', 'model = dict(cascade=dict(detecton=dict()))', ''),
    config('a stage left out in the middle', 'model = dict(cascade=dict(detection=None))', ''),
    config('misspelt phase', 'train_cfg = dict(phases=dict(detecton=dict(epochs=1)))', ''),
    config('misspelt field of a phase', 'train_cfg = dict(phases=dict(detection=dict(epoch=1)))', ''),
    config('misspelt stage of a phase', "train_cfg = dict(phases=dict(detection=dict(stages=['detecton'])))", ''),
    config('a phase of a stage that the model lacks', 'model = dict(cascade=dict(segmentation=None), test_cfg=dict(stage="detection"))', ''),
    config('negative epochs', 'train_cfg = dict(phases=dict(detection=dict(epochs=-1)))', ''),
    config('no phase of any length', 'train_cfg = dict(phases=dict(classification=None, detection=None, refinement=None, segmentation=None, joint=None))', ''),
    config('epochs as text', "train_cfg = dict(phases=dict(detection=dict(epochs='two')))", ''),
    config('a weight of a stage that does not learn', 'train_cfg = dict(phases=dict(detection=dict(weights=dict(joint=1.0))))', ''),
    config('curriculum threshold above 1', 'train_cfg = dict(phases=dict(joint=dict(threshold=(1.7, 0.3))))', ''),
    config('negative size of the cache', 'train_cfg = dict(feature_cache=dict(max_gigabytes=-5))', ''),
    config('no IoU to measure at', 'val_evaluator = dict(type="VOCDetectionMetric", iou_thrs=[])', ''),
    config('IoU above 1', 'val_evaluator = dict(type="VOCDetectionMetric", iou_thrs=[50])', ''),
    config('batch size 0', 'train_dataloader = dict(batch_size=0)', ''),
    config('batch size 2.5', 'train_dataloader = dict(batch_size=2.5)', ''),
    config('negative number of workers', 'train_dataloader = dict(num_workers=-1)', ''),
    config('learning rate nan', "optim_wrapper = dict(optimizer=dict(lr=float('nan')))", ''),
    config('negative learning rate', 'optim_wrapper = dict(optimizer=dict(lr=-0.1))', ''),
    config('learning rate as text', "optim_wrapper = dict(optimizer=dict(lr='0,01'))", ''),
    config('misspelt setting of the optimiser', 'optim_wrapper = dict(optimizer=dict(weight_decey=0.1))', ''),
    config('misspelt clipping', 'optim_wrapper = dict(clip_grad=dict(maxnorm=1.0))', ''),
    config('misspelt data loader', 'train_dataloder = dict(batch_size=1)', ''),
    config('misspelt setting of a data loader', 'train_dataloader = dict(bach_size=1)', ''),
    config('misspelt setting of a data set', 'train_dataloader = dict(dataset=dict(dataroot="x"))', ''),
    config('misspelt setting of a checkpoint hook', 'default_hooks = dict(checkpoint=dict(intervall=2))', ''),
    config('a pipeline that loads no proposals', 'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFromFile"), dict(type="PackWeakInputs")]))', ''),
    config('a pipeline that packs nothing', 'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadRegionProposals", proposal_root="x")]))', ''),
    config('proposals before the photo', 'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadRegionProposals", proposal_root="x"), dict(type="LoadImageFromFile"), dict(type="PackWeakInputs")]))', ''),
    config('proposals without their folder', 'train_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadRegionProposals")]))', ''),
    config('a list of epochs', 'train_cfg = dict(phases=dict(detection=dict(epochs=[1, 2])))', ''),
    config('a model that is a list', 'model = [1]', '', base='configs/_base_/datasets/shapes.py'),
    config('a calibration mode that is unknown', "model = dict(calibration=dict(mode='ful'))", ''),
    config('a variable of the base that nothing reads', 'scale = (320, 256)\ntrain_pipeline = [1]', ''),
    config('a module to import that does not exist', "custom_imports = dict(imports=['my_missing_parts'])", ''),
    option('an override that nothing reads', 'learning_rate=3', sentence=''),
    option('an override of a setting without its place', 'lr=0.1', sentence=''),
    option('a misspelt override of the model', 'model.test_cfg.stag=detection', sentence=''),
    option('an override of a variable', 'train_pipeline.2.transforms.0.scale=(320,256)', sentence=''),
    option('an override below None', 'val_dataloader.batch_size=2', sentence='', base='configs/label_penet/label-penet_effnet-lite0_tags.py'),
    option('an override beyond a list', 'val_evaluator.7.iou_thrs=[0.5]', sentence=''),
    option('an override of part of a number', 'model.num_classes.x=3', sentence=''),
    option('an override of text for a number', 'train_dataloader.batch_size=two', sentence=''),
    option('a misspelt factor of a learning rate', 'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mul=0.1', sentence=''),
    trained('a wrong number of classes', 'model = dict(num_classes=20)', ''),
    trained('no model', 'model = None', ''),
    trained('a validation without a metric', 'val_evaluator = None', ''),
    trained('a part copied that does not exist', "train_cfg = dict(phases=dict(segmentation=dict(start_from={'segmentation.box_hed': 'detection.box_head'})))", ''),
    trained('levels that the backbone does not have', 'model = dict(backbone=dict(out_indices=(2, 4, 9)))', ''),
]


def broken_json(root: Path) -> str:
    """A JSON config that ends early."""
    (root / 'mine.json').write_text('{"model": ')
    return str(root / 'mine.json')


def photo(root: Path) -> str:
    """A photo."""
    (root / 'a.jpg').write_bytes(bytes(range(256)))
    return str(root / 'a.jpg')
