"""Data in which every second photo has no tag: it trains through all phases and is exported."""

import json
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from test_end_to_end import REPOSITORY, run_tool, small_config

from mmlabelpenet.testing import make_shapes

TAGS = 'configs/label_penet/label-penet_effnet-lite0_tags.py'
STAGES = ('attention', 'calibration', 'detection', 'refinement', 'segmentation')


def shapes_config():
    return small_config()


def tags_config():
    """The config of tagged folders, as small as that of Shapes."""
    cfg = Config.fromfile(REPOSITORY / TAGS)
    for name in ('train', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root='photos', tag_file='tags.csv')
        loader.dataset.pipeline[2].transforms[0].scale = (96, 80)
    cfg.data_root, cfg.tag_file = 'photos', 'tags.csv'
    cfg.model.num_classes = 2
    for name in ('detection', 'segmentation'):
        head = cfg.model.cascade[name].box_head
        head.update(num_samples=16)
        head.roi_features.update(roi_size=3, fc_channels=16)
    return cfg


def backwards(cfg):
    """Every phase for two steps of two photos, the joint one for four, in both directions."""
    for name, phase in cfg.train_cfg.phases.items():
        steps = 4 if name == 'joint' else 2
        phase.update(epochs=0, iterations=steps, warmup=0)
    cfg.train_cfg.phases.joint.update(alternate=1)
    cfg.model.calibration.mode = 'full'
    cfg.model.calibration.validation = 0.0
    cfg.train_dataloader.batch_size = 2
    return cfg


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Shapes of which every second photo is untagged, as VOC and as a folder with tags."""
    root = tmp_path_factory.mktemp('untagged')
    shapes = root / 'data/shapes/Shapes'
    make_shapes(shapes, num_train=4, num_val=2, image_size=(64, 96))
    for path in (shapes / 'ImageSets/Main').glob('*_train.txt'):
        path.write_text(re.sub(r'(?m)^(\w+[02]) +1$', r'\1 -1', path.read_text()))
    photos = root / 'photos'
    photos.mkdir()
    lines = []
    for index, path in enumerate(sorted((shapes / 'JPEGImages').glob('train_*.jpg'))):
        (photos / path.name).write_bytes(path.read_bytes())
        lines.append(f'{path.name},{"a b"[index - 1] if index % 2 else ""}')
    (root / 'tags.csv').write_text('\n'.join(lines) + '\n')
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ('config', 'stages'), [(shapes_config, STAGES), (tags_config, STAGES[1:2])]
)
def test_untagged_photos_train_through_all_phases_and_are_exported(
    root, monkeypatch, config, stages
):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.chdir(root)
    name, work = f'{config.__name__}.py', Path(config.__name__)
    backwards(config()).dump(name)
    run_tool('proposals/make_proposals', name, '--workers', 1)
    run_tool('train', name, '--work-dir', work)
    checkpoint = (work / 'last_checkpoint').read_text()
    for stage in stages:
        out = work / stage
        run_tool('export_pseudo_labels', name, checkpoint, '--stage', stage, '--out', out)
        [path] = out.rglob('*.json')
        exported = json.loads(path.read_text())
        assert len(exported['images']) == 4
        names = {one['id']: one['file_name'] for one in exported['images']}
        found = {names[one['image_id']] for one in exported['annotations']}
        if stage in ('attention', 'calibration'):
            assert {name for name in found if re.search(r'[02]\.jpg', name)} == set()
