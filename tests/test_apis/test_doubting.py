"""Tags that a trained model doubts."""

import pytest
import torch

from mmlabelpenet.datasets import ShapesDataset
from mmlabelpenet.models.detectors.cascade import Cascade
from mmlabelpenet.utils import read_file

from .conftest import CLASSES

SCORES = (0.9, 0.2, 0.6)


@pytest.fixture(autouse=True)
def sure_classifier(monkeypatch, tmp_path):
    """One that gives all images the same scores."""
    monkeypatch.chdir(tmp_path)
    scores = torch.tensor([SCORES])
    monkeypatch.setattr(Cascade, 'image_scores', lambda self, evidence: scores)


def test_doubted_tags_are_listed_most_doubtful_first(
    tool, config, checkpoint, proposals, shapes, capsys
):
    options = ('--checkpoint', checkpoint, '--write-doubts', 'doubts.csv', '--max-lines', 1)
    tool('tools/misc/check_dataset', config, *options)
    dataset = ShapesDataset(str(shapes), metainfo=dict(classes=CLASSES), serialize_data=False)
    expected = []
    for info in dataset.data_list:
        for label, (name, score) in enumerate(zip(CLASSES, SCORES)):
            tagged = label in info['tags']
            doubt = 1 - score if tagged else score
            if doubt > 0.5:
                expected.append((-doubt, f'{info["img_id"]},{name},{tagged:d},{doubt:.4f}'))
    expected.sort(key=lambda one: one[0])
    lines = read_file('doubts.csv').decode().splitlines()
    assert lines == ['photo,tag,tagged,doubt', *(line for _, line in expected)]
    said = capsys.readouterr().out
    wrong = [line.split(',') for _, line in expected if ',1,' in line]
    assert wrong
    assert f'tags that may be wrong, most doubtful first ({len(wrong)})\n' in said
    assert f'  {wrong[0][0]}: {wrong[0][1]} ({float(wrong[0][3]):.2f})\n' in said


def test_doubts_need_a_checkpoint(tool, config, capsys):
    with pytest.raises(SystemExit) as left:
        tool('tools/misc/check_dataset', config, '--write-doubts', 'doubts.csv')
    assert left.value.code == 2
    assert '--write-doubts needs --checkpoint' in capsys.readouterr().err
