"""Predictions dumped by tools/test.py and measured from the file."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from PIL import Image
from pycocotools import mask as mask_api

from mmlabelpenet.evaluation import METRICS_BY_NAME
from mmlabelpenet.utils import dump_arrays

from .conftest import run_tool, write_config
from .test_train_tool import expect_error
from .toy_model import ToyDetector

TOOL = 'analysis_tools/eval_metric'
MASKS = ('--cfg-options', 'model.masks=True', 'model.blind=[val_00001,train_00002]')
NAMES = [name for name in METRICS_BY_NAME if name != 'proposal']


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope='module')
def tested(tmp_path_factory, shapes):
    """A folder with a checkpoint's figures, and its predictions on test and training images.

    In one image of each it finds nothing.
    """
    folder = tmp_path_factory.mktemp('tested')
    checkpoint = folder / 'toy.pth'
    torch.save({'meta': {}, 'state_dict': ToyDetector().state_dict()}, checkpoint)
    options = ('--eval', *NAMES, '--out', folder / 'found.pkl', *MASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('LOCAL_RANK', raising=False)
        run_tool('test', write_config(folder, shapes), checkpoint, *options)
    return folder


@pytest.fixture
def dump(tested, tmp_path):
    return Path(shutil.copy(tested / 'found.pkl', tmp_path))


def test_a_file_gives_the_figures_of_the_model(tool, config, tested, dump, tmp_path):
    tested = read(tested / 'toy.metrics.json')
    tool(TOOL, config, dump, '--eval', *NAMES)
    measured = read(tmp_path / 'found.metrics.json')
    assert measured['figures'] == tested['figures']
    assert measured['classes'] == tested['classes']
    for name in ('bbox_mAP_50', 'corloc', 'segm_mAP_50', 'coco_segm_mAP', 'semseg_mIoU'):
        assert 0 < tested['figures'][name] < 1, name


def test_the_file_has_no_ground_truth_and_no_uncompressed_masks(dump):
    samples = pickle.loads(dump.read_bytes())
    assert len(samples) == 6
    assert not {name for name in samples[0] if name.startswith('gt_') or 'ignored' in name}
    assert 'tags' not in samples[0]
    assert samples[0]['classes'] == samples[5]['classes']
    assert all(isinstance(mask, dict) for s in samples for mask in s['pred_instances']['masks'])
    assert samples[0]['pred_sem_seg']['sem_seg'].dtype == torch.uint8


def test_neither_images_nor_proposals_are_read(tool, config, dump, tmp_path):
    step = "    dict(type='LoadImageFromFile'),\n"
    proposals = f"    dict(type='LoadRegionProposals', proposal_root={str(tmp_path)!r}),\n"
    config.write_text(config.read_text().replace(step, step + proposals))
    tool(TOOL, config, dump, '--eval', 'segm')
    assert read(tmp_path / 'found.metrics.json')['figures']['segm_mAP_50'] > 0


def test_training_images_are_measured_by_any_metric(tool, config, dump, tmp_path):
    tool(TOOL, config, dump, '--eval', 'bbox', 'segm', '--split', 'train')
    figures = read(tmp_path / 'found.train.metrics.json')['figures']
    assert 0 < figures['segm_mAP_50'] < 1
    assert 'bbox_mAP_50' in figures


def test_tables_are_written_in_markdown(tool, config, dump, tmp_path):
    tool(TOOL, config, dump, '--eval', 'segm', '--markdown', tmp_path / 'tables.md')
    lines = (tmp_path / 'tables.md').read_text().splitlines()
    assert lines[0].startswith('| masks | ')
    assert any(line.startswith('| AP@0.7 | ') for line in lines)
    assert any(line.startswith('| segm_ABO | 0.') for line in lines)


def as_coco(config):
    """The ground-truth boxes and masks of the test images in COCO's format."""
    from mmlabelpenet.datasets import ShapesDataset
    from mmlabelpenet.datasets.transforms import LoadInstanceMasks

    settings = Config.fromfile(config).test_dataloader.dataset
    dataset = ShapesDataset(
        settings.data_root, settings.ann_file, supervision='full', test_mode=True
    )
    names = dataset.metainfo['classes']
    content = {'images': [], 'annotations': []}
    content['categories'] = [{'id': 7 + i, 'name': name} for i, name in enumerate(names[::-1])]
    ids = {one['name']: one['id'] for one in content['categories']}
    for number in range(len(dataset)):
        info = dataset.get_data_info(number)
        true = LoadInstanceMasks()(dict(info))['gt_mask_instances']
        size = {'height': info['height'], 'width': info['width']}
        content['images'].append({'id': number, 'file_name': f'{info["img_id"]}.jpg', **size})
        for label, rle in zip(true.labels.tolist(), true.masks):
            content['annotations'].append(
                {
                    'id': len(content['annotations']) + 1,
                    'image_id': number,
                    'category_id': ids[names[label]],
                    'bbox': mask_api.toBbox(rle).tolist(),
                    'segmentation': {**rle, 'counts': rle['counts'].decode()},
                }
            )
    return content


@pytest.mark.parametrize('folder', ['', 'Shapes/JPEGImages/'])
def test_labels_in_coco_s_format_are_measured(tool, config, tmp_path, folder):
    path = tmp_path / 'labels.json'
    content = as_coco(config)
    for image in content['images']:
        image['file_name'] = folder + image['file_name']
    path.write_text(json.dumps(content))
    tool(TOOL, config, path, '--eval', 'bbox', 'segm')
    figures = read(tmp_path / 'labels.metrics.json')['figures']
    assert figures['segm_ABO'] == figures['segm_mAP_75'] == 1
    assert figures['bbox_mAP_50'] == 1


def ids_as_text(content):
    for entry in (*content['images'], *content['categories']):
        entry['id'] = str(entry['id'])
    for one in content['annotations']:
        one.update(image_id=str(one['image_id']), category_id=str(one['category_id']))


def some_ids_as_text(content):
    content['annotations'][0]['category_id'] = f' {content["annotations"][0]["category_id"]}'
    content['annotations'][1]['category_id'] = float(content['annotations'][1]['category_id'])
    content['images'][0].update(height=str(content['images'][0]['height']))


def names_for_ids(content):
    names = {one['id']: one['name'] for one in content['categories']}
    for one in content['annotations']:
        one['category_id'] = names[one['category_id']]
        del one['id']


def scores_as_text(content):
    for one in content['annotations']:
        one['score'] = '0.75'


@pytest.mark.parametrize(
    'write', [ids_as_text, some_ids_as_text, names_for_ids, scores_as_text, lambda content: None]
)
def test_labels_of_one_meaning_are_understood(tool, config, tmp_path, write, caplog):
    path = tmp_path / 'labels.json'
    content = as_coco(config)
    write(content)
    path.write_text(json.dumps(content))
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    tool(TOOL, config, path, '--eval', 'bbox', 'segm')
    logger.removeHandler(caplog.handler)
    figures = read(tmp_path / 'labels.metrics.json')['figures']
    assert figures['segm_mAP_75'] == figures['bbox_mAP_50'] == 1
    warned = 'no annotation has a score, so that all count' in caplog.text
    assert warned == (write is not scores_as_text)


def test_labels_of_an_unknown_class_are_refused(tool, capsys, config, tmp_path):
    content = as_coco(config)
    content['categories'][0]['name'] = 'zebra'
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(content))
    assert '(zebra)' in expect_error(capsys, tool, TOOL, config, path, '--eval', 'bbox')


def test_unreadable_files_are_explained(tool, capsys, config, tmp_path):
    path = tmp_path / 'gone.pkl'
    assert 'no predictions' in expect_error(capsys, tool, TOOL, config, path)
    for content in (b'torn', pickle.dumps([{'masks': 1}])):
        path.write_bytes(content)
        error = expect_error(capsys, tool, TOOL, config, path)
        assert 'gone.pkl cannot be read as predictions' in error
        assert 'tools/test.py CONFIG CHECKPOINT --out' in error


def change(dump, action, write=dump_arrays):
    samples = pickle.loads(dump.read_bytes())
    action(samples)
    write(samples, dump)


@pytest.mark.parametrize(
    ('action', 'message'),
    [
        (lambda samples: samples.pop(0), 'no predictions for photo val_00000 of this split'),
        (lambda samples: samples.append(samples[0]), 'holds photo val_00000 twice'),
        (lambda samples: samples[1].update(classes=('cat',)), 'predictions of other classes'),
    ],
)
def test_files_that_do_not_match_are_refused(tool, capsys, config, dump, action, message):
    change(dump, action)
    assert message in expect_error(capsys, tool, TOOL, config, dump, '--eval', 'bbox')


def test_a_dump_of_mmdet_itself_is_measured(tool, capsys, config, dump, tmp_path):
    # DumpDetResults stores neither data set nor classes, but some ground truth, and tensors
    # by a function that executes what they hold
    def write_tensors(samples, path):
        path.write_bytes(pickle.dumps(samples))

    def make_plain(samples):
        for sample in samples:
            del sample['dataset_name'], sample['classes']
            sample['gt_mask_instances'] = {'labels': np.zeros(0), 'masks': []}

    tool(TOOL, config, dump, '--eval', 'segm')
    before = read(tmp_path / 'found.metrics.json')['figures']
    change(dump, make_plain, write_tensors)
    error = expect_error(capsys, tool, TOOL, config, dump, '--eval', 'segm')
    assert 'if you trust its author, add --trust-checkpoint' in error
    tool(TOOL, config, dump, '--eval', 'segm', '--trust-checkpoint')
    assert read(tmp_path / 'found.metrics.json')['figures'] == before


def coco_set(tmp_path, config, order):
    """The test images as a COCO set of files 1.jpg, 2.jpg, ..., with ids in some order."""
    settings = Config.fromfile(config).test_dataloader.dataset
    content = as_coco(config)
    (tmp_path / 'zoo/photos').mkdir(parents=True, exist_ok=True)
    for place, image in enumerate(content['images'], start=1):
        source = Path(settings.data_root) / 'JPEGImages' / image['file_name']
        shutil.copy(source, tmp_path / f'zoo/photos/{place}.jpg')
        image.update(file_name=f'{place}.jpg', id=order[place - 1])
    for one in content['annotations']:
        one['image_id'] = order[one['image_id']]
    (tmp_path / 'zoo/a.json').write_text(json.dumps(content))
    text = config.read_text() + (
        f"\ntest_dataloader['dataset'] = dict(type='COCOInstanceDataset', "
        f"data_root={str(tmp_path / 'zoo')!r}, ann_file='a.json', data_prefix=dict(img='photos'), "
        "supervision='full', test_mode=True, pipeline=pipeline)\n"
    )
    path = tmp_path / 'zoo.py'
    path.write_text(text)
    return path


@pytest.mark.parametrize('order', [(3, 2, 1), (7, 8, 9)])
def test_labels_exported_from_a_coco_set_are_measured_on_its_photos(tool, config, tmp_path, order):
    zoo = coco_set(tmp_path, config, order)
    out = tmp_path / 'out'
    tool('dataset_converters/export_ground_truth', zoo, '--split', 'test', '--out', out)
    path = out / 'annotations/instances_test.json'
    assert json.loads(path.read_text())['images'][0]['file_name'] == '1.jpg'
    tool(TOOL, zoo, path, '--eval', 'bbox', 'segm')
    figures = read(path.with_suffix('.metrics.json'))['figures']
    assert figures['segm_mAP_75'] == figures['bbox_mAP_50'] == 1
    tool('dataset_converters/export_ground_truth', zoo, '--split', 'test', '--format', 'voc',
         '--out', out / 'VOC')  # fmt: skip
    names = [f'{name}.jpg' for name in (out / 'VOC/ImageSets/Main/test.txt').read_text().split()]
    assert names == ['1.jpg', '2.jpg', '3.jpg']
    # the same names in another folder are other photos
    other = coco_set(tmp_path / 'other', config, (1, 2, 3))
    for name in names:
        noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f'other/zoo/photos/{name}')
    with pytest.raises(SystemExit):
        tool(TOOL, other, path, '--eval', 'bbox')
