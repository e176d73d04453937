import json

import cv2
import pytest


def write_log(folder, steps, phase_from=100, value=1.0):
    lines = [
        {
            'step': step,
            'lr': 0.1,
            'phase': int(step >= phase_from),
            'detection.loss_cls': value,
            'detection.pseudo': 2.0,
            'threshold': 0.0,
        }
        for step in steps
    ]
    text = '\n'.join(json.dumps(line) for line in [*lines, {'step': 99, 'bbox_mAP_50': 0.3}])
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(text + '\n{"step": 77, "lr"')


@pytest.fixture
def work(tmp_path):
    write_log(tmp_path / '20260101/vis_data', (10, 20, 30, 40))
    write_log(tmp_path / '20260102/vis_data', (25, 35), phase_from=30, value=2.0)
    return tmp_path


def test_a_resumed_run_replaces_the_log_after_the_checkpoint(work, tool_module):
    module = tool_module('analysis_tools/plot_curves')
    log = module.read_log(work)
    assert [line['step'] for line in log] == [10, 20, 25, 35]
    assert [line['detection.loss_cls'] for line in log] == [1, 1, 2, 2]
    assert module.phase_changes(log) == [35]


def test_curves_are_drawn(work, tool, tmp_path):
    line = dict(epoch=1, iter=30, stage='attention', corloc=0.5, pseudo_mask_iou=0.4)
    (work / 'pseudo_labels.jsonl').write_text(json.dumps(line) + '\n')
    tool('analysis_tools/plot_curves', work, '--out', tmp_path / 'curves.png')
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.shape[1] > 1000
    assert picture.std() > 5


def test_a_folder_without_a_log_is_an_error(tmp_path, tool, capsys):
    with pytest.raises(SystemExit) as leaving:
        tool('analysis_tools/plot_curves', tmp_path)
    assert leaving.value.code == 2
    assert 'There is no log of a training' in capsys.readouterr().err
