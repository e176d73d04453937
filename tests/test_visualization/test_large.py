import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.utils import to_rles
from mmlabelpenet.visualization import Style, compose_panels, paint_run_lengths, without_masks


def instances():
    masks = np.zeros((2, 20, 30), dtype=bool)
    masks[0, 2:9, 3:12] = masks[1, 5:15, 8:25] = True
    return InstanceData(
        bboxes=torch.tensor([[3.0, 2, 12, 9], [8, 5, 25, 15]]),
        labels=torch.tensor([1, 0]),
        scores=torch.tensor([0.9, 0.8]),
        masks=to_rles(masks),
    ), masks


def test_masks_are_tinted_one_after_the_other():
    found, masks = instances()
    image = np.full((20, 30, 3), 100, dtype=np.uint8)
    painted = paint_run_lengths(image, found, [(200, 0, 0), (0, 0, 200)])
    assert (image == 100).all()
    outside = cv2.dilate(masks.any(0).astype(np.uint8), np.ones((5, 5))) == 0
    assert (painted[outside] == 100).all()
    # blue, green, red; the pixels lie within the outlines
    assert painted[5, 5].tolist() == [140, 60, 60]
    assert painted[12, 18].tolist() == [60, 60, 140]
    # the outlines are solid
    assert painted[2, 6].tolist() == [200, 0, 0]
    assert painted[14, 18].tolist() == [0, 0, 200]


def test_masks_that_overlap_are_mixed():
    found, masks = instances()
    found.masks = to_rles(np.ones_like(masks))
    painted = paint_run_lengths(
        np.full((20, 30, 3), 100, dtype=np.uint8), found, [(200, 0, 0), (0, 0, 200)]
    )
    assert painted[10, 15].tolist() == [84, 36, 116]


def test_panels_are_those_of_pixels():
    found, masks = instances()
    image = np.full((20, 30, 3), 100, dtype=np.uint8)
    style = Style(('cat', 'dog'))
    dense = without_masks(found)
    dense.masks = torch.from_numpy(masks)
    np.testing.assert_array_equal(
        compose_panels(image, found, style), compose_panels(image, dense, style)
    )
    assert 'masks' not in without_masks(found)
