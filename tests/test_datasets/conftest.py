import pytest
from mmengine.registry import init_default_scope

from mmlabelpenet.proposals import Proposals, proposal_path, write_proposals
from mmlabelpenet.registry import SCOPE
from mmlabelpenet.testing import make_shapes


@pytest.fixture(autouse=True)
def scope():
    init_default_scope(SCOPE)


@pytest.fixture
def shapes(tmp_path):
    root = tmp_path / 'Shapes'
    make_shapes(root, num_train=4, num_val=2, seed=1, image_size=(64, 80))
    return root


def store_boxes(root, info, shape, boxes):
    """Write ``boxes`` as the proposals of an image of ``shape`` (h, w)."""
    path = proposal_path(root, info['dataset_name'], info['img_id'])
    write_proposals(path, Proposals(boxes, shape[1], shape[0], 'hand', '1'))
