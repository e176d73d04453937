import numpy as np
import pytest
import torch

from mmlabelpenet.evaluation import PseudoMaskMetric, to_rles
from mmlabelpenet.utils import UserError

from .samples import run


def mask(columns):
    """A mask of 4 x 10 whose first columns are filled."""
    found = np.zeros((4, 10), dtype=bool)
    found[:, :columns] = True
    return found


def sample(predicted, true):
    """From (label, score, columns) predicted and (label, columns) true."""
    masks = [mask(columns) for *_, columns in predicted]
    return dict(
        pred_instances=dict(
            labels=torch.tensor([label for label, *_ in predicted], dtype=torch.long),
            scores=torch.tensor([score for _, score, _ in predicted]),
            masks=torch.from_numpy(np.array(masks).reshape(-1, 4, 10)),
        ),
        gt_mask_instances=dict(
            labels=torch.tensor([label for label, _ in true]),
            masks=to_rles(np.array([mask(columns) for _, columns in true])),
        ),
    )


def test_the_best_mask_of_each_class_that_is_there_once_is_compared():
    found = run(
        PseudoMaskMetric(),
        [
            sample([(0, 0.2, 10), (0, 0.9, 4), (1, 0.9, 2)], [(0, 5), (1, 8)]),
            sample([(0, 0.9, 5)], [(0, 5), (0, 3), (1, 6)]),
        ],
    )
    # .8 and .25 in the first image; in the second class 0 is there twice, class 1 is missed
    assert found['pseudo_mask_iou'] == pytest.approx((0.8 + 0.25 + 0) / 3)
    assert found['pseudo_mask_share'] == pytest.approx(1 / 3)
    assert found['pseudo_count'] == 3


def test_void_can_be_left_out():
    case = sample([(0, 0.9, 8)], [(0, 5)])
    case['gt_sem_seg'] = dict(sem_seg=torch.zeros(1, 4, 10))
    case['gt_sem_seg']['sem_seg'][..., 5:7] = 255
    assert run(PseudoMaskMetric(), [case])['pseudo_mask_iou'] == pytest.approx(5 / 8)
    assert run(PseudoMaskMetric(ignore_void=True), [case])['pseudo_mask_iou'] == pytest.approx(
        5 / 6
    )


def test_missing_masks_are_reported():
    bare = sample([], [(0, 5)])
    with pytest.raises(UserError, match='LoadInstanceMasks'):
        run(PseudoMaskMetric(), [dict(pred_instances=bare['pred_instances'])])
    del bare['pred_instances']['masks']
    with pytest.raises(UserError, match='--stage calibration'):
        run(PseudoMaskMetric(), [bare])
