import unicodedata
from pathlib import Path

import image_kinds
import numpy as np
import pytest
import torch
from PIL import Image

from mmlabelpenet.apis import read_config
from mmlabelpenet.datasets import LoadImageFromFile, TagFileDataset, require_distinct_names
from mmlabelpenet.proposals import Job, image_proposal_path, jobs, run_job
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, read_image

from .conftest import store_boxes

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/label_penet/label-penet_effnet-lite0_tags.py')


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'pets'
    (folder / 'sub').mkdir(parents=True)
    for name in ('a.jpg', 'b.png', 'sub/c.jpg'):
        Image.new('RGB', (30, 20)).save(folder / name)
    (folder / 'tags.csv').write_text('a.jpg,dog\nb.png,cat;?dog\nsub/c.jpg,\n')
    return folder


def load(folder, **kwargs):
    return TagFileDataset(data_root=str(folder), tag_file='tags.csv', **kwargs)


def test_a_line_is_an_image_and_classes_are_those_of_the_file(images):
    dataset = load(images, serialize_data=False)
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert dataset.metainfo['palette'] == [(128, 0, 0), (0, 128, 0)]
    assert dataset.data_list == [
        {
            'img_id': name,
            'img_path': str(images / file),
            'dataset_name': 'pets',
            'num_classes': 2,
            'tags': tags,
            'ignored_tags': unsure,
        }
        for name, file, tags, unsure in (
            ('a', 'a.jpg', [1], []),
            ('b', 'b.png', [0], [1]),
            ('sub/c', 'sub/c.jpg', [], []),
        )
    ]
    assert dataset.get_cat_ids(1) == [0]


def test_names_match_in_any_unicode_normalisation(images):
    composed = unicodedata.normalize('NFC', 'Zoë.jpg')
    Image.new('RGB', (3, 2)).save(images / unicodedata.normalize('NFD', composed))
    (images / 'tags.csv').write_text(f'{composed},dog\n', encoding='utf-8')
    info = load(images).get_data_info(0)
    assert read_image(info['img_path']).shape == (2, 3, 3)
    assert info['img_id'] == 'Zoë'


def test_a_skip_list_removes_images_even_missing_ones(images, tmp_path):
    (images / 'a.jpg').unlink()
    with pytest.raises(UserError, match=r'pets/a\.jpg is missing \(1 of 3 in .*tags\.csv\)'):
        load(images)
    (tmp_path / 'skip.txt').write_text('a.jpg\n\nsub/c\n')
    dataset = load(images, skip=str(tmp_path / 'skip.txt'))
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == ['b']
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    with pytest.raises(UserError, match=r'no\.txt cannot be read as a skip list'):
        load(images, skip='no.txt')


def test_images_that_differ_only_in_their_suffix_are_refused(images):
    Image.new('RGB', (3, 2)).save(images / 'a.png')
    (images / 'tags.csv').write_text('a.jpg,dog\na.png,cat\n')
    with pytest.raises(UserError, match='2 photos a that differ only in their suffix'):
        load(images)


@pytest.mark.parametrize('name', ['../pets/a.jpg', '/pets/a.jpg', 'sub/../../a.jpg'])
def test_names_outside_the_folder_are_refused(images, name):
    (images / 'tags.csv').write_text(f'{name},dog\n')
    with pytest.raises(UserError, match=r'which is not within .*pets: name photos relative'):
        load(images)


def test_problems_are_collected_if_not_strict(images):
    (images / 'tags.csv').write_text('a.jpg,dog\na.jpg,dog\nno.jpg,cat\nnone.jpg,cat\n')
    dataset = load(images, strict=False)
    assert len(dataset) == 3
    assert [p.split(' ')[-1] for p in dataset.problems] == ['it.', 'data_root.', 'data_root.']
    assert 'no.jpg is missing' in dataset.problems[1]


def test_test_images_have_the_classes_of_the_training_images(images):
    (images / 'test.csv').write_text('a.jpg,dog\n')
    dataset = TagFileDataset(str(images), 'test.csv', class_file='tags.csv')
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert dataset.get_data_info(0)['tags'] == [1]
    (images / 'test.csv').write_text('a.jpg,emu\n')
    with pytest.raises(UserError, match='has tags emu that the file of classes lacks'):
        TagFileDataset(str(images), 'test.csv', class_file='tags.csv')


def test_wrong_settings_are_explained(images):
    with pytest.raises(UserError, match="contains tags only: set supervision='tags'"):
        load(images, supervision='full')
    with pytest.raises(UserError, match="no class 'emu': choose from cat, dog"):
        load(images, metainfo={'classes': ['emu']})
    with pytest.raises(UserError, match='no folder of photos at nowhere'):
        TagFileDataset('nowhere', str(images / 'tags.csv'))
    assert load(images, metainfo={'classes': ['dog']}).get_data_info(1)['ignored_tags'] == [0]


def test_the_model_has_the_number_of_classes_of_the_file(images, monkeypatch):
    options = {'data_root': str(images), 'tag_file': 'tags.csv', 'proposal_root': '/p'}
    cfg = read_config(CONFIG, options)
    assert cfg.model.num_classes == 2
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        assert (loader.dataset.data_root, loader.dataset.tag_file) == (str(images), 'tags.csv')
        assert loader.dataset.pipeline[1].proposal_root == '/p'
        assert len(DATASETS.build({**loader.dataset, 'pipeline': []})) == 3
    monkeypatch.setenv('TAG_DATA_ROOT', str(images))
    monkeypatch.setenv('TAG_FILE', str(images / 'tags.csv'))
    assert read_config(CONFIG).model.num_classes == 2


def test_an_inheriting_config_sets_the_data_in_two_lines(images, tmp_path, formatted_configs):
    child = tmp_path / 'mine.py'
    child.write_text(f'_base_ = {CONFIG!r}\ndata_root = {str(images)!r}\ntag_file = "tags.csv"\n')
    cfg = read_config(str(child))
    assert cfg.model.num_classes == 2
    assert cfg.test_dataloader.dataset.data_root == str(images)
    # The config that the runner dumps into the work folder gives the same.
    cfg.dump(tmp_path / 'dumped.py')
    again = read_config(str(tmp_path / 'dumped.py'))
    assert again.train_dataloader.dataset.data_root == str(images)
    changed = read_config(str(tmp_path / 'dumped.py'), {'proposal_root': '/q'})
    assert changed.test_dataloader.dataset.pipeline[1].proposal_root == '/q'


@pytest.mark.parametrize('name', image_kinds.MAKERS)
def test_proposals_training_and_testing_see_the_same_pixels(tmp_path, name, monkeypatch):
    folder = tmp_path / 'kinds'
    folder.mkdir()
    path = image_kinds.make(folder, name)
    (folder / 'tags.csv').write_text(f'{name},thing\n', encoding='utf-8')
    seen = []
    real = jobs.make_proposals
    monkeypatch.setattr(
        jobs, 'make_proposals', lambda img, **k: seen.append(img) or real(img, **k)
    )
    cfg = read_config(
        CONFIG,
        {
            'data_root': str(folder),
            'tag_file': 'tags.csv',
            'proposal_root': str(tmp_path / 'proposals'),
            'train_dataloader.dataset.pipeline.2.transforms.1.prob': 0.0,
        },
    )
    info = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []}).get_data_info(0)
    out = image_proposal_path(tmp_path / 'proposals', info)
    run_job(Job(info['img_path'], out), {'quality': 'fast', 'max_num': None})
    loaded = LoadImageFromFile()({'img_path': str(path)})
    np.testing.assert_array_equal(loaded['img'], seen[0])
    assert loaded['ori_shape'] == seen[0].shape[:2]
    # Loading proposals checks the size and the checksum of the image.
    train, test = (
        DATASETS.build(loader.dataset)[0] for loader in (cfg.train_dataloader, cfg.test_dataloader)
    )
    assert torch.equal(train['inputs'], test['inputs'])
    boxes = [one['data_samples'].proposals.bboxes for one in (train, test)]
    assert torch.equal(*boxes)
    assert len(boxes[0]) >= 1


def test_proposals_of_another_image_of_the_same_name_and_size_are_refused(images, tmp_path):
    dataset = load(images, pipeline=[])
    info = dataset.get_data_info(0)
    settings = {'quality': 'fast', 'max_num': None}
    run_job(Job(info['img_path'], image_proposal_path(tmp_path, info)), settings)
    pipeline = [
        {'type': 'LoadImageFromFile'},
        {'type': 'LoadRegionProposals', 'proposal_root': str(tmp_path)},
    ]
    assert load(images, pipeline=pipeline)[0]['proposals'].tolist() == [[0, 0, 30, 20]]
    Image.new('RGB', (30, 20), 'red').save(images / 'a.jpg')
    with pytest.raises(UserError, match='another photo of the same name and size'):
        load(images, pipeline=pipeline)[0]
    # Imported proposals have no checksum of the image: only the size is checked.
    store_boxes(tmp_path, info, (20, 30), np.array([[0, 0, 9, 9]]))
    assert load(images, pipeline=pipeline)[0]['proposals'].tolist() == [[0, 0, 9, 9]]


def test_a_truncated_image_stops_training_with_its_name(images):
    image_kinds.make_truncated(images, 'a.jpg')
    dataset = load(images, pipeline=[{'type': 'LoadImageFromFile'}])
    with pytest.raises(UserError, match=r'pets/a\.jpg is damaged .* name it in a skip list'):
        dataset[0]


def test_names_without_suffix_or_of_windows_are_completed(images):
    (images / 'tags.csv').write_text('ImageID,LabelName\na,dog\nsub\\c.jpg,cat\nsub/c.jpg,dog\n')
    infos = load(images, serialize_data=False, strict=False).data_list
    assert [info['img_id'] for info in infos][:2] == ['a', 'sub/c']
    assert infos[1]['img_path'] == str(images / 'sub/c.jpg')
    # The same image under two names stays an error.
    with pytest.raises(UserError, match=r'names the photo sub/c\.jpg 2 times, in different ways'):
        load(images)


def test_two_names_of_one_image_are_refused(images):
    for form in ('NFC', 'NFD'):
        name = unicodedata.normalize(form, 'Zoë.jpg')
        with open(images / 'tags.csv', 'a', encoding='utf-8') as file:
            file.write(f'{name},dog\n')
    Image.new('RGB', (3, 2)).save(images / unicodedata.normalize('NFC', 'Zoë.jpg'))
    with pytest.raises(UserError, match=r'names the photo .*Zoë\.jpg twice, as '):
        load(images)


@pytest.mark.parametrize('tag_file', [None, '', '.'])
def test_subfolders_are_the_classes_without_a_tag_file(tmp_path, tag_file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('dog/a.jpg', 'cat/a.jpg'):
        (tmp_path / name).parent.mkdir()
        Image.new('RGB', (30, 20)).save(tmp_path / name)
    dataset = TagFileDataset(data_root=str(tmp_path), tag_file=tag_file, serialize_data=False)
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert [(one['img_id'], one['tags']) for one in dataset.data_list] == [
        ('cat/a', [0]),
        ('dog/a', [1]),
    ]
    cfg = read_config(CONFIG, {'data_root': str(tmp_path), 'tag_file': tag_file or ''})
    assert cfg.model.num_classes == 2


def test_data_sets_of_one_name_in_two_folders_are_refused_wherever_a_config_is_read(images):
    other = images.parent / 'valid' / 'pets'
    options = {'data_root': str(images), 'tag_file': 'tags.csv'}
    options['test_dataloader.dataset.data_root'] = str(other)
    with pytest.raises(UserError, match=r"/pets and of .*/valid/pets .*dataset_name='valid_pets'"):
        read_config(CONFIG, options)
    named = {**options, 'test_dataloader.dataset.dataset_name': 'valid_pets'}
    assert read_config(CONFIG, named).test_dataloader.dataset.dataset_name == 'valid_pets'
    (images.parent / 'link').symlink_to(images.parent)
    options['test_dataloader.dataset.data_root'] = str(images.parent / 'link' / 'pets')
    assert read_config(CONFIG, options).model.num_classes == 2


def test_images_outside_the_root_are_told_apart_as_well():
    cfgs = [dict(data_root='coco', data_prefix=dict(img=f'../{one}/images')) for one in 'ab']
    with pytest.raises(UserError, match='the same names coco/images/'):
        require_distinct_names(cfgs)
    require_distinct_names([dict(data_root='coco', data_prefix=dict(img=one)) for one in 'ab'])
