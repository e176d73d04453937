import json
import pickle

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmlabelpenet.apis import read_config
from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.proposals import Proposals, proposal_path, read_proposals, write_proposals
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import register_all_modules

XML = """<annotation><size><width>{w}</width><height>{h}</height></size><object><name>cat</name>
<difficult>0</difficult><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>12</xmax><ymax>11</ymax></bndbox>
</object></annotation>"""
IDS = ('000005', '000007')
# The cat's box, in this package's coordinates.
CAT = [2, 1, 12, 11]


def make_devkit(root, width, height):
    """Two images with a cat each."""
    lists = root / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    (root / 'JPEGImages').mkdir()
    (root / 'Annotations').mkdir()
    (lists / 'trainval.txt').write_text('\n'.join(IDS))
    (lists / 'first.txt').write_text(IDS[0])
    for split in ('trainval', 'first'):
        for name in VOCInstanceDataset.METAINFO['classes']:
            mark = 1 if name == 'cat' else -1
            (lists / f'{name}_{split}.txt').write_text(''.join(f'{i} {mark}\n' for i in IDS))
    for img_id in IDS:
        Image.new('RGB', (width, height)).save(root / 'JPEGImages' / f'{img_id}.jpg')
        (root / 'Annotations' / f'{img_id}.xml').write_text(XML.format(w=width, h=height))


CONFIG = """
proposal_root = {proposals!r}
train_dataloader = dict(dataset=dict(
    type='VOCInstanceDataset', data_root={root!r}, ann_file='ImageSets/Main/{split}.txt',
    pipeline=[dict(type='LoadImageFromFile'),
              dict(type='LoadRegionProposals', proposal_root=proposal_root)]))
corloc_dataloader = dict(dataset=dict(
    type='VOCInstanceDataset', data_root={root!r}, ann_file='ImageSets/Main/{split}.txt',
    supervision='full'))
"""


@pytest.fixture
def configs(tmp_path):
    """VOC 2007 and 2012 with images of the same names, and one half of VOC 2007."""
    made = {}
    sizes = {'VOC2007': (20, 12), 'VOC2012': (30, 22)}
    for year, size in sizes.items():
        make_devkit(tmp_path / year, *size)
    for name, year, split in (
        ('VOC2007', 'VOC2007', 'trainval'),
        ('VOC2012', 'VOC2012', 'trainval'),
        ('half', 'VOC2007', 'first'),
    ):
        made[name] = tmp_path / f'{name}.py'
        root, proposals = str(tmp_path / year), str(tmp_path / 'proposals')
        made[name].write_text(CONFIG.format(proposals=proposals, root=root, split=split))
    return made


def save_selective_search(path, *boxes, names=IDS):
    images, column = np.empty((2, 1), dtype=object), np.empty((2, 1), dtype=object)
    for row in range(2):
        images[row, 0], column[row, 0] = names[row], np.array(boxes)
    savemat(path, {'images': images, 'boxes': column})


def read(tmp_path, year, img_id):
    return read_proposals(proposal_path(tmp_path / 'proposals', year, img_id)).bboxes.tolist()


def test_the_year_separates_images_of_the_same_name(tool, configs, tmp_path):
    save_selective_search(tmp_path / '2007.mat', [2, 3, 11, 12])
    save_selective_search(tmp_path / '2012.mat', [1, 1, 22, 30])
    common = ['--format', 'selective_search', '--split', 'train']
    tool('proposals/import_proposals', configs['VOC2007'], tmp_path / '2007.mat', *common)
    tool('proposals/import_proposals', configs['VOC2012'], tmp_path / '2012.mat', *common)
    for img_id in IDS:
        assert read(tmp_path, 'VOC2007', img_id) == [CAT]
        assert read(tmp_path, 'VOC2012', img_id) == [[0, 0, 30, 22]]


def test_boxes_of_the_other_year_are_refused(tool, configs, tmp_path, capsys):
    save_selective_search(tmp_path / '2012.mat', [1, 1, 22, 30])
    arguments = ['--format', 'selective_search', '--split', 'train']
    with pytest.raises(SystemExit) as left:
        tool('proposals/import_proposals', configs['VOC2007'], tmp_path / '2012.mat', *arguments)
    assert left.value.code == 2
    assert 'Boxes of 2 of 2 photos exceed them' in capsys.readouterr().err
    assert not (tmp_path / 'proposals').exists()


def test_what_is_suspicious_is_printed(tool, configs, tmp_path, capsys):
    save_selective_search(tmp_path / '2007.mat', [2, 3, 11, 12])
    arguments = ['--format', 'selective_search', '--split', 'train']
    tool('proposals/import_proposals', configs['VOC2007'], tmp_path / '2007.mat', *arguments)
    assert 'As x, y, width, height all boxes would lie' in capsys.readouterr().out


def test_proposals_of_a_part_of_a_data_set(tool, configs, tmp_path, capsys):
    """A set of all images serves half of them, on import, at the check and in training."""
    register_all_modules()
    save_selective_search(tmp_path / '2007.mat', [2, 3, 11, 12])
    common = ['--format', 'selective_search', '--split', 'train']
    for name in ('half', 'VOC2007'):
        tool('proposals/import_proposals', configs[name], tmp_path / '2007.mat', *common)
        assert len(list((tmp_path / 'proposals/VOC2007').iterdir())) == (
            1 if name == 'half' else 2
        )
    tool('proposals/check_proposals', configs['half'])
    assert '| photos       |       1 |' in capsys.readouterr().out
    train = read_config(str(configs['half'])).train_dataloader.dataset
    assert [one['proposals'].tolist() for one in DATASETS.build(train)] == [[CAT]]
    # Half a set on all images names what is missing.
    save_selective_search(tmp_path / 'half.mat', [2, 3, 11, 12], names=(IDS[0], 'other'))
    tool('proposals/import_proposals', configs['VOC2007'], tmp_path / 'half.mat', *common)
    assert '1 photos of the data set have none' in capsys.readouterr().out


def test_detectron_and_mmdet_give_the_same_files(tool, configs, tmp_path):
    sources = {
        'detectron': {'boxes': [[[2, 1, 11, 10]]] * 2, 'ids': [5, 7], 'scores': [[1.0]] * 2},
        'mmdet': {f'JPEGImages/{i}.jpg': {'bboxes': [[2, 1, 12, 11]]} for i in IDS},
    }
    for name, content in sources.items():
        (tmp_path / f'{name}.pkl').write_bytes(pickle.dumps(content))
        arguments = ['--format', name, '--split', 'train', '--out', tmp_path / name]
        tool(
            'proposals/import_proposals', configs['VOC2007'], tmp_path / f'{name}.pkl', *arguments
        )
        for img_id in IDS:
            path = proposal_path(tmp_path / name, 'VOC2007', img_id)
            assert read_proposals(path, image_size=(12, 20)).bboxes.tolist() == [CAT]


def store(tmp_path, img_id, boxes, width=20, height=12, crc=0):
    path = proposal_path(tmp_path / 'proposals', 'VOC2007', img_id)
    write_proposals(path, Proposals(np.array(boxes), width, height, 'hand', '1', crc))


def test_the_check_measures_recall_and_counts(tool, configs, tmp_path):
    # The one holds the cat itself; the other 6 of its 10 columns: IoU .6.
    store(tmp_path, IDS[0], [CAT, [0, 0, 20, 12]])
    store(tmp_path, IDS[1], [[2, 1, 8, 11]])
    tool('proposals/check_proposals', configs['VOC2007'], '--out', tmp_path / 'f.json')
    figures = json.loads((tmp_path / 'f.json').read_text())
    assert figures == {
        'photos': 2,
        'boxes_mean': 1.5,
        'boxes_median': 1.5,
        'boxes_min': 1,
        'boxes_max': 2,
        'true_boxes': 2,
        'recall_50': 1.0,
        'recall_60': 1.0,
        'recall_70': 0.5,
        'recall_80': 0.5,
        'recall_90': 0.5,
        'ABO': pytest.approx(0.8),
        'MABO': pytest.approx(0.8),
        'faults': {},
    }


@pytest.mark.parametrize(
    ('change', 'kind'),
    [
        ({'boxes': [[0, 0, 21, 5]]}, 'boxes outside the photo'),
        ({'boxes': [[-1, 0, 2, 5]]}, 'boxes outside the photo'),
        ({'boxes': [[4, 4, 4, 5]]}, 'empty boxes'),
        ({'boxes': np.zeros((0, 4))}, 'no boxes'),
        ({'boxes': [CAT], 'width': 19}, 'of another size'),
        ({'boxes': [CAT], 'crc': 77}, 'of another photo'),
        (None, 'photos without proposals'),
    ],
)
def test_the_check_names_problems(tool, configs, tmp_path, capsys, change, kind):
    store(tmp_path, IDS[0], [CAT])
    if change is not None:
        store(tmp_path, IDS[1], **change)
    with pytest.raises(SystemExit) as left:
        tool('proposals/check_proposals', configs['VOC2007'], '--out', tmp_path / 'f.json')
    assert left.value.code == 1
    assert f'ERROR: {kind} (1)' in capsys.readouterr().out
    figures = json.loads((tmp_path / 'f.json').read_text())
    assert figures['faults'] == {kind: 1}
    # An image without proposals counts with none.
    if change is None:
        assert (figures['recall_50'], figures['boxes_min']) == (0.5, 0)


def test_the_check_names_broken_files(tool, configs, tmp_path, capsys):
    store(tmp_path, IDS[0], [CAT])
    (tmp_path / f'proposals/VOC2007/{IDS[1]}.npz').write_bytes(b'nonsense')
    with pytest.raises(SystemExit) as left:
        tool('proposals/check_proposals', configs['VOC2007'])
    assert left.value.code == 1
    assert 'ERROR: unreadable (1)' in capsys.readouterr().out
