"""mmdet's own Mask R-CNN trains on exported labels."""

import json
import math

import pytest
from mmdet.datasets import CocoDataset
from mmdet.models import MaskRCNN
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmlabelpenet.apis.configs.reading import read_config
from mmlabelpenet.export import write_coco
from mmlabelpenet.registry import DATASETS, MODELS
from mmlabelpenet.utils import UserError, register_all_modules

from .conftest import CLASSES, REPOSITORY

MASK_RCNN = REPOSITORY / 'configs/pseudo_label/mask-rcnn_effnet-lite0_coco-export.py'
PLAIN = MASK_RCNN.with_name('mask-rcnn_effnet-lite0_export.py')


@pytest.mark.slow
def test_mask_rcnn_trains_on_an_export_and_is_tested(tool, export, shapes, tmp_path):
    out = export(
        '--stage', 'segmentation', '--score-thr', 0, '--segmentation', 'polygon', '--link'
    )
    cfg = Config.fromfile(MASK_RCNN)
    cfg.train_dataloader.dataset.data_root = str(out)
    for dataset in (cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        dataset.update(data_root=str(shapes), metainfo=dict(classes=CLASSES))
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg.train_cfg.update(max_epochs=2, val_interval=10)
    cfg.dump(str(tmp_path / 'mask_rcnn.py'))
    work = ('--work-dir', tmp_path / 'mask_rcnn')
    scale = 'train_dataloader.dataset.pipeline.2.scale=(96,80)'
    tool('tools/train', tmp_path / 'mask_rcnn.py', *work, '--cfg-options', scale)
    checkpoint = (tmp_path / 'mask_rcnn/last_checkpoint').read_text()
    assert checkpoint.endswith('epoch_2.pth')
    tool('tools/test', tmp_path / 'mask_rcnn.py', checkpoint, *work)
    metrics = json.loads((tmp_path / 'mask_rcnn/metrics.json').read_text())
    assert {'bbox_mAP_50', 'segm_mAP_50', 'segm_ABO'} <= metrics.keys()
    assert all(math.isfinite(value) for value in metrics.values())


def test_names_and_number_of_classes_are_those_of_the_exported_file(tmp_path):
    write_coco([], ('zebra', 'ant', 'old cow'), tmp_path)
    cfg = read_config(str(PLAIN), {'data_root': str(tmp_path)})
    heads = cfg.model.roi_head
    assert (heads.bbox_head.num_classes, heads.mask_head.num_classes) == (3, 3)
    dataset = cfg.train_dataloader.dataset
    assert tuple(dataset.metainfo.classes) == ('zebra', 'ant', 'old cow')
    with pytest.raises(UserError, match=r'gone.*cannot be read as a COCO JSON file'):
        read_config(str(PLAIN), {'data_root': str(tmp_path / 'gone')})


def test_the_config_is_mmdets_own_model_and_data_set():
    register_all_modules()
    cfg = Config.fromfile(MASK_RCNN)
    cfg.model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmlabelpenet'):
        assert type(MODELS.build(cfg.model)) is MaskRCNN
        assert DATASETS.get(cfg.train_dataloader.dataset.type) is CocoDataset
