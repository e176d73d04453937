"""Exporting by the tool: from a config's data set to files."""

import json

import numpy as np
import pytest
import torch
from mmdet.datasets import BaseDetDataset
from mmengine.config import Config
from PIL import Image
from pycocotools.coco import COCO
from test_tools.test_scripts import run_on_nodes

from mmlabelpenet.apis import LabelPEnetInferencer
from mmlabelpenet.datasets import ShapesDataset
from mmlabelpenet.registry import DATASETS

from .conftest import CLASSES, REPOSITORY


@DATASETS.register_module(force=True)
class TagsOnly(BaseDetDataset):
    """Images and tags, and nothing else to read."""

    METAINFO = dict(classes=CLASSES)

    def load_data_list(self):
        return [
            dict(
                img_id=f'sub {index}/photo',
                img_path=path,
                dataset_name='Mine',
                num_classes=3,
                tags=[index],
            )
            for index, path in enumerate(self.ann_file.split(';'))
        ]


def annotations_of(out, split='train'):
    """Annotations by the image's name."""
    coco = COCO(str(out / f'annotations/instances_{split}.json'))
    return {
        image['file_name']: coco.loadAnns(coco.getAnnIds(imgIds=[image['id']]))
        for image in coco.dataset['images']
    }


@pytest.mark.parametrize('stage', ['detection', 'calibration'])
def test_a_stages_instances_are_those_of_the_inferencer(
    export, config, checkpoint, images, shapes, stage
):
    out = export('--stage', stage, '--score-thr', 0.1)
    found = annotations_of(out)
    assert sorted(found) == [image.name for image in images]
    dataset = ShapesDataset(str(shapes), metainfo=dict(classes=CLASSES), serialize_data=False)
    tags = [info['tags'] for info in dataset.data_list]
    inferencer = LabelPEnetInferencer(config, checkpoint, 'cpu', stage, show_progress=False)
    expected = inferencer(images, tags=tags)['predictions']
    for image, wanted in zip(images, expected):
        annotations = found[image.name]
        scores = sorted((score for score in wanted['scores'] if score >= 0.1), reverse=True)
        np.testing.assert_allclose([one['score'] for one in annotations], scores, atol=1e-4)
        masks = [mask['counts'] for mask in wanted.get('masks', [])]
        for one in annotations:
            if masks:
                assert one['segmentation']['counts'] in masks
            else:
                assert one['segmentation'] == []
    assert any(found.values())
    info = json.loads((out / 'annotations/instances_train.json').read_text())['info']
    assert info['description'] == f'instances of {checkpoint.name}, stage {stage}'
    assert info['selection']['score_thr'] == 0.1


def test_limits_reach_the_instances_which_may_be_of_untagged_classes(export):
    limits = ('--score-thr', 0.1, '--max-per-class', 2, '--min-area', 200)
    found = annotations_of(export(*limits, '--all-classes')).values()
    assert {one['category_id'] for image in found for one in image} == {1, 2, 3}
    for image in found:
        assert all(one['score'] >= 0.1 and one['area'] >= 200 for one in image)
        labels = [one['category_id'] for one in image]
        assert max(map(labels.count, labels), default=0) <= 2


def test_tags_alone_are_enough_for_every_format(export, config, images, tmp_path, monkeypatch):
    """There is no ground truth to read, and classes and ids are not VOC's."""
    cfg = Config.fromfile(config)
    files = ';'.join(str(image) for image in images[:2])
    dataset = dict(type='TagsOnly', ann_file=files)
    for name in ('train', 'val', 'test', 'corloc'):
        cfg[f'{name}_dataloader'].dataset = dict(
            dataset, pipeline=cfg[f'{name}_dataloader'].dataset.pipeline
        )
    # training may repeat and choose images: each is exported once all the same
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=3, dataset=cfg.train_dataloader.dataset
    )
    cfg.dump(str(tmp_path / 'tags.py'))
    args = ('--stage', 'segmentation', '--score-thr', 0)
    for kind in ('coco', 'voc', 'yolo'):
        out = export('--format', kind, *args, config=tmp_path / 'tags.py')
    found = annotations_of(out)
    assert len(found) == 2
    for label, image in enumerate(images[:2], start=1):
        assert {one['category_id'] for one in found[image.name]} == {label}
    # subfolders are kept, and blanks where the format allows them
    names = ['sub_0/photo', 'sub_1/photo']
    assert (out / 'ImageSets/Main/train.txt').read_text().split() == names
    marks = (out / 'ImageSets/Main/star_train.txt').read_text().split()
    assert marks == [names[0], '1', names[1], '-1']
    for name, image in zip(names, images):
        spaced = name.replace('_', ' ')
        for copy in (f'JPEGImages/{name}.jpg', f'images/train/{spaced}.jpg'):
            assert (out / copy).read_bytes() == image.read_bytes()
    assert (out / 'labels/train/sub 1/photo.txt').read_text().startswith('1 ')


def test_a_split_of_several_data_sets_is_one_export(export, config, tmp_path):
    cfg = Config.fromfile(config)
    parts = [cfg.train_dataloader.dataset, cfg.val_dataloader.dataset]
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=parts)
    cfg.dump(str(tmp_path / 'both.py'))
    out = export('--stage', 'calibration', config=tmp_path / 'both.py')
    assert len(annotations_of(out)) == 6


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='two processes need two GPUs')
@pytest.mark.parametrize('nodes', [1, 2])
def test_two_processes_export_the_file_of_one(export, config, checkpoint, tmp_path, nodes):
    """Three images: the sampler gives the first one to both processes, on one or two nodes."""
    cfg = Config.fromfile(config)
    cfg.train_dataloader.dataset.indices = 3
    cfg.dump(str(tmp_path / 'three.py'))
    args = ('--stage', 'segmentation', '--score-thr', '0.1')
    name = 'annotations/instances_train.json'
    expected = (export(*args, config=tmp_path / 'three.py') / name).read_bytes()
    export_tool = [
        str(REPOSITORY / 'tools/export_pseudo_labels.py'), 'three.py', str(checkpoint),
        '--out', 'two', '--work-dir', 'work', '--launcher', 'pytorch', *args,
    ]  # fmt: skip
    run_on_nodes(nodes, 'misc/launch.py', 2 // nodes, *export_tool, cwd=tmp_path)
    assert (tmp_path / 'two' / name).read_bytes() == expected
    assert len(json.loads(expected)['images']) == 3


def error_of(capsys, run, *args, **kwargs):
    with pytest.raises(SystemExit) as caught:
        run(*args, **kwargs)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert 'Traceback' not in error
    return error


def test_wrong_arguments_are_reported(export, capsys, config, tmp_path):
    assert "no stage 'masks'" in error_of(capsys, export, '--stage', 'masks')
    yolo = ('--format', 'yolo', '--stage', 'detection')
    assert 'YOLO-seg needs masks' in error_of(capsys, export, *yolo)
    cfg = Config.fromfile(config)
    cfg.corloc_dataloader = None
    cfg.dump(str(tmp_path / 'less.py'))
    split = ('--split', 'corloc')
    error = error_of(capsys, export, *split, config=tmp_path / 'less.py')
    assert 'no corloc_dataloader; --split may be train, val, test' in error


def test_ground_truth_masks_are_exported_as_they_are(tool, config, shapes, tmp_path, capsys):
    tool('tools/dataset_converters/export_ground_truth', config, '--out', tmp_path / 'out')
    found = annotations_of(tmp_path / 'out')
    assert 'instances of 4 photos' in capsys.readouterr().out
    coco = COCO(str(tmp_path / 'out/annotations/instances_train.json'))
    for name, annotations in found.items():
        objects = np.asarray(Image.open(shapes / f'SegmentationObject/{name[:-4]}.png'))
        classes = np.asarray(Image.open(shapes / f'SegmentationClass/{name[:-4]}.png'))
        # this config has the first three of six classes
        wanted = {
            (objects == value).tobytes(): int(classes[objects == value][0])
            for value in np.unique(objects[(objects > 0) & (classes <= 3)])
        }
        masks = {
            coco.annToMask(one).astype(bool).tobytes(): one['category_id'] for one in annotations
        }
        assert masks == wanted


def test_missing_ground_truth_is_reported(tool, config, tmp_path, capsys):
    error = error_of(
        capsys, tool, 'tools/dataset_converters/export_ground_truth', config,
        '--out', tmp_path / 'out', '--split', 'train',
    )  # fmt: skip
    assert 'has no ground-truth masks: choose a --split' in error
