"""Small sets and wrong tags; the trainings themselves are left out."""

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmlabelpenet.datasets import TagFileDataset
from mmlabelpenet.utils import register_all_modules

FIGURES = dict(bbox_mAP_50=0.5, segm_mAP_50=0.25, corloc=0.75)
needs_voc = pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='needs real photos')


@pytest.fixture
def launched(benchmark_module, monkeypatch, request):
    """The script of a test, whose tools write what they would; returns it and the commands."""
    script, commands = benchmark_module(request.param), []

    def launch(tool, args, processes):
        commands.append((tool, [str(one) for one in args]))
        options = dict(pairwise(args))
        work = Path(options.get('--work-dir', '.'))
        work.mkdir(parents=True, exist_ok=True)
        if tool == 'train':
            (work / 'last_checkpoint').write_text('epoch_1.pth')
        if tool == 'test':
            (work / 'metrics.json').write_text(json.dumps(FIGURES))
        if tool == 'analysis_tools/eval_metric':
            path = Path(args[1]).with_suffix('.train.metrics.json')
            path.parent.mkdir()
            path.write_text(json.dumps(dict(figures=FIGURES)))
        if '--write-doubts' in options:
            Path(options['--write-doubts']).write_text('photo,tag,tagged,doubt\n')
        return 2.0, 1.0

    monkeypatch.setattr(script, 'launch', launch)
    return script, commands


@pytest.mark.parametrize('launched', ['small_data'], indirect=True)
def test_each_set_is_trained_from_its_tags_alone_and_measured_once(launched, tmp_path, capsys):
    script, commands = launched
    for _ in range(2):
        script.main(['--sets', '4', '--draws', '2', '--root', str(tmp_path)])
        table = capsys.readouterr().out
    tools = ['proposals/make_proposals', 'train', 'export_pseudo_labels', script.JUDGE]
    assert [tool for tool, _ in commands] == tools * 2
    assert '| 4 | 1 | 2.000 | 0.500 | 0.250 | 0.750 |' in table
    register_all_modules()
    devkit = tmp_path / '4_0'
    photos = TagFileDataset(str(devkit / 'JPEGImages'), tag_file=str(devkit / 'tags.csv'))
    assert len(photos) == 4
    for index, classes in enumerate([photos.metainfo['classes']] * 4):
        info = photos.get_data_info(index)
        for label, name in enumerate(classes):
            marks = (devkit / f'ImageSets/Main/{name}_train.txt').read_text()
            assert (f'{info["img_id"]}  1' in marks) == (label in info['tags'])
    # the training reads no annotation
    assert not any('corloc' in one for one in commands[1][1])
    other = (tmp_path / '4_1/tags.csv').read_text()
    assert other != (devkit / 'tags.csv').read_text()


@needs_voc
def test_a_draw_of_voc_has_so_many_photos_of_so_many_classes(benchmark_module, tmp_path):
    script = benchmark_module('small_data')
    register_all_modules()
    for name in ('a', 'b'):
        script.draw_voc(tmp_path / name, 7)
    classes = script.write_tags(tmp_path / 'a')
    assert len(classes) == script.CLASSES
    rows = (tmp_path / 'a/tags.csv').read_text()
    script.write_tags(tmp_path / 'b')
    assert rows == (tmp_path / 'b/tags.csv').read_text()
    assert len(rows.splitlines()) == 1 + script.CLASSES * script.PHOTOS
    assert all(rows.count(name) >= script.PHOTOS for name in classes)
    assert len(list((tmp_path / 'a/JPEGImages').iterdir())) == script.CLASSES * script.PHOTOS


def test_noise_drops_a_share_of_the_tags_and_adds_as_many(benchmark_module):
    add_noise = benchmark_module('noisy_tags').add_noise
    tags = np.random.default_rng(0).random((40, 5)) < 0.3
    noisy = add_noise(tags, 0.25, seed=1)
    count = round(0.25 * tags.sum())
    assert (tags & ~noisy).sum() == (noisy & ~tags).sum() == count > 0
    np.testing.assert_array_equal(noisy, add_noise(tags, 0.25, seed=1))
    assert (noisy != add_noise(tags, 0.25, seed=2)).any()


def test_precision_counts_the_first_doubted_tags_of_a_kind(benchmark_module, tmp_path):
    script = benchmark_module('noisy_tags')
    rows = ['photo,tag,tagged,doubt', 'a,dog,1,0.9', 'b,cat,0,0.9', 'c,cat,1,0.8', 'd,dog,0,0.7']
    (tmp_path / 'doubts.csv').write_text('\n'.join(rows))
    wrong = {('a', 'dog'), ('b', 'cat'), ('d', 'dog')}
    assert script.precision(tmp_path / 'doubts.csv', wrong, '1') == 0.5
    assert script.precision(tmp_path / 'doubts.csv', wrong, '0') == 1


@needs_voc
@pytest.mark.parametrize('launched', ['noisy_tags'], indirect=True)
def test_clean_and_noisy_tags_are_trained_and_noisy_ones_checked(launched, tmp_path, capsys):
    script, commands = launched
    script.main(['--draws', '1', '--root', str(tmp_path)])
    tools = ['train', 'test', 'train', 'test', 'misc/check_dataset']
    assert [tool for tool, _ in commands] == tools
    devkit = f'data_root={tmp_path}/draw_0/VOC2012'
    assert [devkit in args for _, args in commands] == [False, False, True, True, True]
    assert '| draw_0 | 0.500 | 0.000 | 0.000 | 0.000 |' in capsys.readouterr().out
    source = Path(os.environ['VOC12MINI_ROOT'], 'VOCdevkit/VOC2012/ImageSets/Main')
    for split, same in (('val', True), ('train', False)):
        path = tmp_path / f'draw_0/VOC2012/ImageSets/Main/dog_{split}.txt'
        assert (path.read_text() == (source / path.name).read_text()) == same
