import json

import cv2

from mmlabelpenet.visualization import label_table, write_label_curve
from mmlabelpenet.visualization.label_curve import COLUMNS


def entry(phase, labels, corloc, mask_iou=0.25):
    return {**dict.fromkeys(COLUMNS.values(), 3), 'phase': phase, 'labels': labels} | {
        'corloc': corloc, 'pseudo_mask_iou': mask_iou
    }  # fmt: skip


def test_table_plot_and_json_hold_every_entry(tmp_path):
    entries = [
        entry('classification', 'attention', 0.5, None),
        entry('joint', 'attention', 0.55),
        entry('joint', 'validation', 0.5),
        entry('joint', 'passed on by refinement', 0.6),
        entry('joint', 'refinement', None),
    ]
    write_label_curve(entries, tmp_path)
    assert json.loads((tmp_path / 'label_curve.json').read_text()) == entries
    lines = (tmp_path / 'label_curve.md').read_text().splitlines()
    assert lines == label_table(entries).splitlines()
    assert lines[2].startswith('| classification | attention | 0.500 | - | 3 | 3 |')
    assert cv2.imread(str(tmp_path / 'label_curve.png')).shape[2] == 3
