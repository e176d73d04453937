import os
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from mmlabelpenet.proposals import ground_truth_boxes, read_proposals, run_jobs
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import UserError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'proposals'))

import make_proposals as tool  # noqa: E402


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'Shapes'
    make_shapes(root, num_train=2, num_val=1, seed=4, image_size=(64, 80))
    return root


def write_config(path, root):
    path.write_text(
        f"""
def loader(split, supervision):
    return dict(dataset=dict(
        type='ShapesDataset', data_root={str(root)!r}, supervision=supervision,
        ann_file=f'ImageSets/Main/{{split}}.txt', pipeline=[dict(type='NoSuchTransform')]))
train_dataloader = dict(
    dataset=dict(type='RepeatDataset', times=3, dataset=loader('train', 'tags')['dataset']))
val_dataloader = loader('val', 'full')
del loader
"""
    )
    return str(path)


def test_a_config_gives_one_file_per_image(shapes, tmp_path, capsys):
    config = write_config(tmp_path / 'config.py', shapes)
    tool.main([config, '--out', str(tmp_path / 'out'), '--workers', '1'])
    files = sorted(p.name for p in (tmp_path / 'out' / 'Shapes').iterdir())
    assert files == ['train_00000.npz', 'train_00001.npz', 'val_00000.npz']
    said = capsys.readouterr().out
    assert '3 photos done' in said
    assert 'on the 1 photos with boxes' in said


def test_split_chooses_the_images(shapes, tmp_path):
    config = write_config(tmp_path / 'config.py', shapes)
    tool.main([config, '--out', str(tmp_path / 'out'), '--workers', '1', '--split', 'val'])
    assert [p.name for p in (tmp_path / 'out' / 'Shapes').iterdir()] == ['val_00000.npz']


def test_a_folder_of_images_is_enough(shapes, tmp_path):
    tool.main(
        [str(shapes / 'JPEGImages'), '--out', str(tmp_path), '--workers', '1', '--max-num', '5']
    )
    files = sorted((tmp_path / 'JPEGImages').iterdir())
    assert len(files) == 3
    assert all(len(read_proposals(file)) <= 5 for file in files)


def files_of(root):
    """All files below a folder: their bytes and when they were written."""
    paths = [path for path in root.rglob('*') if path.is_file()]
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths
    }


def contents(root):
    return {name: content for name, (content, _) in files_of(root).items()}


def run_shard(source, out, shard):
    tool.main([str(source), '--out', str(out), '--workers', '1', '--shard', shard])


@pytest.mark.parametrize('form', ['folder', 'config'])
def test_shards_together_write_the_files_of_one_machine(shapes, tmp_path, form, capsys):
    folder = shapes / 'JPEGImages'
    source = folder if form == 'folder' else write_config(tmp_path / 'config.py', shapes)
    tool.main([str(source), '--out', str(tmp_path / 'whole'), '--workers', '1'])
    made = []
    for shard in ('2/2', '1/2'):
        run_shard(source, tmp_path / 'shards', shard)
        made.append(len(files_of(tmp_path / 'shards')))
    assert made == [1, 3]
    assert contents(tmp_path / 'shards') == contents(tmp_path / 'whole')
    before = files_of(tmp_path / 'shards')
    capsys.readouterr()
    run_shard(source, tmp_path / 'shards', '1/2')
    assert '0 photos done, 2 existed already' in capsys.readouterr().out
    # another number of shards finds the same files
    run_shard(source, tmp_path / 'shards', '1/1')
    assert files_of(tmp_path / 'shards') == before


def test_more_shards_than_photos_leave_some_without_work(shapes, tmp_path, capsys):
    run_shard(shapes / 'JPEGImages', tmp_path / 'out', '4/4')
    assert capsys.readouterr().out == 'no photo done\n'
    assert not files_of(tmp_path / 'out')


def run_jobs_of_shard(folder, out, shard):
    """As ``run_shard``, without the imports of the command line, which take longer."""
    settings = dict(quality='fast', max_num=None, max_side=500)
    run_jobs(tool.jobs_of_folder(folder, out)[tool.shard(shard)], settings)


@pytest.mark.slow
def test_shards_at_the_same_time_do_not_disturb_each_other(shapes, tmp_path):
    tool.main([str(shapes / 'JPEGImages'), '--out', str(tmp_path / 'whole'), '--workers', '1'])
    # one shard twice, as a launcher may start it, and all of it at once
    processes = [
        get_context('spawn').Process(
            target=run_jobs_of_shard, args=(shapes / 'JPEGImages', tmp_path / 'shards', shard)
        )
        for shard in ('1/2', '2/2', '2/2')
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    # and no temporary file is left
    assert contents(tmp_path / 'shards') == contents(tmp_path / 'whole')


def test_inclusive_ground_truth_boxes_become_exclusive_without_difficult_ones():
    objects = [
        {'bbox': [1.0, 2.0, 4.0, 6.0], 'ignore_flag': 0},
        {'bbox': [0.0, 0.0, 9.0, 9.0], 'ignore_flag': 1},
    ]
    np.testing.assert_array_equal(ground_truth_boxes({'instances': objects}), [[1, 2, 5, 7]])
    assert ground_truth_boxes({'tags': [1]}) is None


def test_wrong_input_is_explained_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match='no config and no folder at nowhere'):
        tool.main(['nowhere'])
    with pytest.raises(UserError, match='contains no photos'):
        tool.main([str(tmp_path)])
    (tmp_path / 'broken.py').write_text('train_dataloader = dict(')
    with pytest.raises(UserError, match=r'broken\.py cannot be read as a config'):
        tool.main([str(tmp_path / 'broken.py')])
    (tmp_path / 'empty.py').write_text('a = 1')
    with pytest.raises(UserError, match='no dataloader of train, val'):
        tool.main([str(tmp_path / 'empty.py')])
    with pytest.raises(UserError, match='at least 1'):
        tool.main(['nowhere', '--workers', '0'])


@pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='VOC12MINI_ROOT is not set')
def test_real_images_are_covered(tmp_path, capsys):
    config = tmp_path / 'few.py'
    config.write_text(
        f'_base_ = {str(ROOT / "configs/_base_/datasets/voc12_mini.py")!r}\n'
        'val_dataloader = dict(dataset=dict(indices=4))\n'
    )
    tool.main([str(config), '--out', str(tmp_path), '--workers', '1', '--split', 'val'])
    said = capsys.readouterr().out
    figures = dict(part.split() for part in said.strip().rsplit(': ', 1)[1].split(', '))
    assert len(list((tmp_path / 'VOC2012').iterdir())) == 4
    assert float(figures['recall_50']) >= 0.9
    assert float(figures['ABO']) >= 0.75
