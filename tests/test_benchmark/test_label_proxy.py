import json
import shutil

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmlabelpenet.evaluation.functional import Found
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)


@pytest.fixture
def script(benchmark_module):
    return benchmark_module('label_proxy')


def found(box):
    return Found(np.array([0]), np.array([1.0]), np.array([box]))


def test_each_share_compares_its_own_pair(script):
    boxes = dict(
        a=[LEFT, LEFT], b=[LEFT, RIGHT], **{
            'a flipped': [LEFT, LEFT], 'b flipped': [RIGHT, LEFT],
            'a labels': [LEFT, RIGHT], 'b labels': [RIGHT, LEFT],
        }
    )  # fmt: skip
    made = {name: [found(box) for box in some] for name, some in boxes.items()}
    figures = script.proxy(made, [[0], [0]])
    assert figures == dict(agreement=0.5, flip_a=1, flip_b=0, flip=0.5)
    # a never saw the first photo, b never the second one: their boxes against the other's labels
    assert script.proxy(made, [[0], [0]], [0, 1])['label_agreement'] == 0.5
    assert script.proxy(made, [[0], [0]], [1, 0])['label_agreement'] == 1


def test_images_are_mirrored_with_their_proposals(script):
    sample = DetDataSample(metainfo=dict(img_shape=(4, 10)))
    sample.proposals = InstanceData(bboxes=torch.tensor([[1.0, 0, 4, 3]]))
    image = torch.arange(120).reshape(3, 4, 10)
    batch = dict(inputs=[image], data_samples=[sample])
    mirrored = script.mirrored(batch)
    assert mirrored['inputs'][0].equal(image.flip(-1))
    assert mirrored['data_samples'][0].proposals.bboxes.tolist() == [[6, 0, 9, 3]]
    assert sample.proposals.bboxes.tolist() == [[1, 0, 4, 3]]


def test_the_command_compares_two_checkpoints_and_reads_truth_only_if_asked(
    script, at_shapes, tmp_path, capsys, monkeypatch
):
    folds = tmp_path / 'folds'
    script.main(['small.py', '--write-folds', str(folds)])
    names = [(folds / f'fold_{fold}.txt').read_text().splitlines() for fold in (0, 1)]
    assert sorted(names[0] + names[1]) == [f'train_{index:05d}' for index in range(6)]
    dataset = Config.fromfile('small.py').train_dataloader.dataset
    for fold in (0, 1):
        left = DATASETS.build({**dataset, 'skip': str(folds / f'fold_{fold}.txt')})
        assert len(left) == len(names[1 - fold])
    capsys.readouterr()
    args = ['small.py', 'a.pth', 'b.pth', '--folds', str(folds), '--out', str(tmp_path / 'p.json')]
    script.main([*args, '--truth', '--row', 'with truth'])
    shutil.copytree(at_shapes, tmp_path / 'blind')
    monkeypatch.chdir(tmp_path / 'blind')
    for folder in ('Annotations', 'SegmentationClass', 'SegmentationObject'):
        for path in (tmp_path / 'blind/data/shapes/Shapes' / folder).iterdir():
            path.write_bytes(b'nonsense')
    script.main(args)
    with_truth, blind = json.loads((tmp_path / 'p.json').read_text())
    assert with_truth.pop('row') == 'with truth'
    truth = {name for name in with_truth if name.startswith('corloc')}
    assert truth == {'corloc', 'corloc_a', 'corloc_b', 'corloc_unseen'}
    assert blind.pop('row') == 'labels'
    assert blind == {name: with_truth[name] for name in with_truth if name not in truth}
    assert blind['photos'] == 6
    shares = [blind[name] for name in ('agreement', 'label_agreement', 'flip_a', 'flip_b')]
    assert all(0 <= share <= 1 for share in shares)


def test_a_model_agrees_with_itself(script, at_shapes, capsys):
    script.main(['small.py', 'a.pth', 'a.pth', '--stage', 'detection', '--every', '3'])
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures['agreement'] == 1
    assert figures['flip_a'] == figures['flip_b']
    assert figures['photos'] == 2


def test_what_is_missing_is_told(script, tmp_path):
    with pytest.raises(UserError, match='compares two checkpoints'):
        script.main(['small.py', 'a.pth'])
    with pytest.raises(UserError, match=r'fold_0\.txt: write it by --write-folds'):
        script.read_folds(tmp_path)
    for fold, name in enumerate(('a', 'dir/b')):
        (tmp_path / f'fold_{fold}.txt').write_text(name)
    samples = [dict(file_name=name) for name in ('dir/b.jpg', 'a.png', 'c.jpg')]
    assert script.folds_of(samples[:2], tmp_path) == [1, 0]
    with pytest.raises(UserError, match='c and 0 further photos are in no fold of'):
        script.folds_of(samples, tmp_path)
