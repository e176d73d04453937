import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmlabelpenet.proposals import Proposals, proposal_path, write_proposals
from mmlabelpenet.registry import SCOPE
from mmlabelpenet.testing import make_shapes

from .zoo import CONTENT, write


@pytest.fixture(autouse=True)
def scope():
    init_default_scope(SCOPE)


@pytest.fixture
def shapes(tmp_path):
    root = tmp_path / 'Shapes'
    make_shapes(root, num_train=4, num_val=2, seed=1, image_size=(64, 80))
    return root


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'zoo' / 'photos' / 'sub'
    folder.mkdir(parents=True)
    for name in ('../000139.png', '5.png', '../6.png'):
        Image.new('RGB', (20, 12)).save(folder / name)
    write(tmp_path / 'zoo', CONTENT)
    return tmp_path / 'zoo'


def store_boxes(root, info, shape, boxes):
    """Write ``boxes`` as the proposals of an image of ``shape`` (h, w)."""
    path = proposal_path(root, info['dataset_name'], info['img_id'])
    write_proposals(path, Proposals(boxes, shape[1], shape[0], 'hand', '1'))
