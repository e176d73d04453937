import json
import pickle

import cv2
import numpy as np
import pytest
import torch

from .conftest import REPOSITORY, load_tool

same_bits = load_tool('misc/same_bits')


def make_results(folder, change=''):
    """What a case may leave behind, with one thing changed."""
    out = folder / 'work_dirs' / 'full'
    (out / 'pictures').mkdir(parents=True)
    log = out / f'2030010{len(folder.name)}_120000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    weights = {'a.weight': torch.ones(2, 3), 'b.bias': torch.zeros(2)}
    if change == 'weight':
        weights['b.bias'][1] = 0.25
    meta = {'time': folder.name}
    torch.save({'state_dict': weights, 'optimizer': {}, 'meta': meta}, out / 'epoch_9.pth')
    figures = {'bbox_mAP_50': 0.5 + 1e-12 * (change == 'figure'), 'config': folder.name}
    (out / 'metrics.json').write_text(json.dumps(figures))
    lines = [{'loss': 2.0, 'time': len(folder.name)}, {'loss': 1.0 + (change == 'loss')}]
    log.write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    found = [{'img_id': '1', 'masks': {'counts': b'12'}, 'scores': torch.ones(2)}]
    (out / 'found.pkl').write_bytes(pickle.dumps(found))
    np.savez(out / 'boxes.npz', bboxes=np.zeros((2, 4), np.float32), photo_crc=np.uint32(7))
    picture = np.full((4, 4, 3), 200 + 10 * (change == 'picture'), np.uint8)
    cv2.imwrite(str(out / 'pictures' / 'one.png'), picture)
    if change != 'file':
        (out / 'list.txt').write_text(f'{folder}/data/one.jpg\n')
    return same_bits.Side(REPOSITORY, folder).results('full')


def first_difference(tmp_path, change):
    here, there = make_results(tmp_path / 'here'), make_results(tmp_path / 'there', change)
    return [same_bits.difference(here[kind], there[kind]) for kind in here]


def test_times_and_paths_are_no_difference(tmp_path):
    assert first_difference(tmp_path, '') == ['', '', '']


@pytest.mark.parametrize(
    ('change', 'kind', 'message'),
    [
        ('weight', 0, 'epoch_9.pth: .state_dict.b.bias: max abs difference 0.25'),
        ('figure', 1, 'metrics.json: .0.bbox_mAP_50: max abs difference 1e-12'),
        ('loss', 1, 'RUN/vis_data/scalars.json: .1.loss: max abs difference 1'),
        ('picture', 2, 'pictures/one.png: : max abs difference 10'),
        ('file', 2, "list.txt: .0: 'FOLDER/data/one.jpg\\n' here, 'missing' there"),
    ],
)
def test_the_first_difference_is_named(tmp_path, change, kind, message):
    found = first_difference(tmp_path, change)
    assert found.pop(kind) == message
    assert found == ['', '']


def test_another_type_or_shape_is_a_difference():
    def differ(here, there):
        return same_bits.difference({'x': here}, {'x': there}) != ''

    assert differ(np.zeros(2, np.float32), np.zeros(2))
    assert differ(np.zeros((1, 2)), np.zeros(2))
    assert differ(0.0, -0.0)
    assert differ('1', 1)
    assert not differ(float('nan'), float('nan'))


CASES = {
    'proposals': 'mkdir -p $OUT; echo 1 > $OUT/list.txt',
    'empty': 'mkdir $OUT',
    'steady': 'mkdir $OUT; echo \'{"recall": 1}\' > $OUT/metrics.json',
    'moving': 'mkdir $OUT; basename $PWD > $OUT/name.txt',
    'broken': 'echo an error >&2; false',
}


@pytest.mark.parametrize(
    ('case', 'code', 'line'),
    [
        ('empty', 1, 'empty: 0 weights, 0 figures, 0 files: there are no results'),
        ('steady', 0, 'steady: 0 weights, 1 figures, 0 files: same'),
        ('moving', 1, "moving: 0 weights, 0 figures, 1 files: name.txt: .0: 'here\\n' here, 'the"),
        ('broken', 1, 'broken: nothing: the commands fail here: an error'),
    ],
)
def test_each_case_gets_a_line_and_a_difference_the_exit_code(
    case, code, line, monkeypatch, capsys
):
    monkeypatch.setattr(same_bits, 'CASES', CASES)
    assert same_bits.main([str(REPOSITORY), '--cases', case]) == code
    out = capsys.readouterr().out
    assert line in out
    assert 'proposals: 0 weights, 0 figures, 1 files: same' in out


def test_a_resumed_training_must_end_as_the_whole_one_does(tmp_path, monkeypatch, capsys):
    cases = {'proposals': CASES['proposals']}
    for value, case in enumerate(('full', 'cut')):
        torch.save({'state_dict': {'w': torch.tensor(value)}}, tmp_path / case)
        cases[case] = f'mkdir $OUT; cp {tmp_path / case} $OUT/epoch_9.pth'
    monkeypatch.setattr(same_bits, 'CASES', cases)
    assert same_bits.main([str(REPOSITORY), '--cases', 'cut']) == 1
    out = capsys.readouterr().out
    assert 'full: 1 weights, 0 figures, 0 files: same' in out
    assert 'cut: 1 weights, 0 figures, 0 files: epoch_9.pth: .state_dict.w: max abs' in out
