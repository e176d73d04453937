import numpy as np
import pytest

from mmlabelpenet.evaluation import PseudoLabelMetric, PseudoMaskMetric, to_rles

from .samples import box_sample, instances, rectangle, run

LEFT, RIGHT, BOTH = (0, 0, 9, 9), (20, 0, 29, 9), (0, 0, 29, 9)


def counted(*samples):
    figures = run(PseudoLabelMetric(), list(samples))
    return {name: figures[name] for name in ('corloc', 'right', 'wrong')}


def test_of_several_instances_on_an_object_one_is_right():
    sample = box_sample([(0, 0.9, LEFT), (0, 0.8, LEFT)], [(0, LEFT), (0, RIGHT)])
    assert counted(sample) == dict(corloc=1, right=1, wrong=1)


def test_counts_are_summed_over_images_and_corloc_is_the_mean_over_classes():
    right = box_sample([(0, 0.9, LEFT)], [(0, LEFT)])
    wrong = box_sample([(0, 0.9, RIGHT), (1, 0.9, RIGHT)], [(0, LEFT), (1, RIGHT)])
    assert counted(right, wrong) == dict(corloc=0.75, right=2, wrong=1)


def test_instances_without_a_weight_and_those_on_difficult_objects_do_not_count():
    idle = box_sample([(0, 0.0, LEFT), (0, 0.0, RIGHT)], [(0, LEFT)])
    assert counted(idle) == dict(corloc=1, right=0, wrong=0)
    difficult = box_sample([(0, 0.9, RIGHT)], [(0, LEFT)], [(0, RIGHT)])
    assert counted(difficult) == dict(corloc=0, right=0, wrong=0)


def test_the_kinds_of_wrong_boxes_are_told():
    figures = run(PseudoLabelMetric(), [box_sample([(0, 0.9, BOTH)], [(0, LEFT), (0, RIGHT)])])
    assert (figures['several'], figures['missed'], figures['wrong']) == (2, 0, 1)


@pytest.mark.parametrize('predicted', [[], [(0, 0.9, LEFT)]])
def test_images_without_objects_or_without_labels(predicted):
    assert np.isnan(run(PseudoLabelMetric(), [box_sample(predicted)])['corloc'])
    assert counted(box_sample([], [(0, LEFT)])) == dict(corloc=0, right=0, wrong=0)


def test_masks_count_where_images_have_them():
    sample = box_sample([(0, 0.9, LEFT)], [(0, LEFT)])
    assert np.isnan(run(PseudoLabelMetric(), [sample])['pseudo_mask_iou'])
    masks = np.stack([rectangle((0, 0, 9, 4))])
    masked = sample | {
        'gt_mask_instances': instances([0], [LEFT], masks=to_rles(np.stack([rectangle(LEFT)]))),
    }
    masked['pred_instances']['masks'] = masks
    figures = [run(one, [masked]) for one in (PseudoLabelMetric(), PseudoMaskMetric())]
    assert figures[0]['pseudo_mask_iou'] == figures[1]['pseudo_mask_iou'] == 0.5
