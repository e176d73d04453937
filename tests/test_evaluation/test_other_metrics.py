import numpy as np
import pytest
import torch

from mmlabelpenet.evaluation import (
    CorLocMetric,
    ImageClassificationMetric,
    ProposalMetric,
    SemSegMetric,
)
from mmlabelpenet.utils import UserError

from .samples import box_sample, instances, run

CAT, FAR = (0, 0, 9, 9), (50, 50, 59, 59)


def corloc(*samples):
    return run(CorLocMetric(), list(samples))['corloc']


def test_only_the_top_box_of_a_class_counts():
    right = box_sample([(0, 0.9, CAT), (0, 0.1, FAR)], [(0, CAT)])
    wrong = box_sample([(0, 0.1, CAT), (0, 0.9, FAR)], [(0, CAT)])
    assert corloc(right) == 1
    assert corloc(wrong) == 0
    assert corloc(right, wrong) == 0.5


def test_any_object_of_the_class_may_be_hit():
    assert corloc(box_sample([(0, 0.9, FAR)], [(0, CAT), (0, FAR)])) == 1


def test_an_object_of_another_class_is_no_hit():
    # class 0's box lies on class 1's object, and class 1 has no box at all
    assert corloc(box_sample([(0, 0.9, FAR)], [(0, CAT), (1, FAR)])) == 0


def test_difficult_objects_are_no_targets():
    sample = box_sample([(0, 0.9, FAR), (1, 0.9, FAR)], [(0, CAT)], [(0, FAR), (1, FAR)])
    assert corloc(sample) == 0
    assert np.isnan(corloc(box_sample([(1, 0.9, FAR)], [], [(1, FAR)])))


def test_classes_weigh_the_same_however_often_they_occur():
    hit, miss = box_sample([(0, 0.9, CAT)], [(0, CAT)]), box_sample([], [(1, CAT)])
    assert corloc(hit, hit, hit, miss) == 0.5


def image_sample(scores, tags, ignored=None):
    sample = {'pred_image_scores': torch.tensor(scores), 'tags': torch.tensor(tags)}
    return sample if ignored is None else {**sample, 'ignored_tags': torch.tensor(ignored)}


def test_images_are_ranked_per_class():
    samples = [
        image_sample([0.9, 0.9], [1.0, 0.0]),
        image_sample([0.8, 0.8], [0.0, 0.0]),
        image_sample([0.7, 0.7], [1.0, 1.0]),
    ]
    # class 0: right, wrong, right; class 1: wrong, wrong, right; class 2 is tagged nowhere
    figures = run(ImageClassificationMetric(), samples, classes=('cat', 'dog'))
    expected = ((0.5 + 0.5 * 2 / 3) + 1 / 3) / 2
    assert figures == {'image_mAP': pytest.approx(expected)}


def test_images_are_ranked_at_eleven_points_for_voc_2007():
    samples = [image_sample([s], [t]) for s, t in ((0.9, 1.0), (0.8, 0.0), (0.7, 1.0))]
    figures = run(ImageClassificationMetric('11points'), samples, classes=('cat',))
    # precision 1 at recalls 0 to .5, 2/3 at .6 to 1
    assert figures == {'image_mAP': pytest.approx((6 + 5 * 2 / 3) / 11)}
    with pytest.raises(ValueError, match='12points'):
        ImageClassificationMetric('12points')


def test_ignored_tags_are_neither_right_nor_wrong():
    samples = [
        image_sample([0.9], [0.0], [1.0]),
        image_sample([0.8], [1.0], [0.0]),
        image_sample([0.7], [0.0], [0.0]),
    ]
    assert run(ImageClassificationMetric(), samples, classes=('cat',))['image_mAP'] == 1


def test_a_stage_without_image_scores_is_reported():
    with pytest.raises(UserError, match='pred_image_scores'):
        run(ImageClassificationMetric(), [{'tags': torch.zeros(3)}])


def seg_sample(predicted, true):
    return {
        'pred_sem_seg': {'sem_seg': torch.tensor([predicted], dtype=torch.uint8)},
        'gt_sem_seg': {'sem_seg': torch.tensor([true], dtype=torch.uint8)},
    }


def test_mean_iou_pools_pixels_and_leaves_void_out():
    samples = [
        seg_sample([[0, 0, 1, 1]], [[0, 1, 1, 255]]),
        seg_sample([[1, 1, 1, 1]], [[1, 1, 255, 255]]),
    ]
    # background 1 / 2; class 0 (value 1): 3 of 4; the others occur nowhere
    figures = run(SemSegMetric(), samples)
    assert figures == {'semseg_mIoU': pytest.approx((1 / 2 + 3 / 4) / 2)}


def test_a_class_that_is_only_predicted_counts_as_wrong():
    assert run(SemSegMetric(), [seg_sample([[0, 2]], [[0, 0]])])['semseg_mIoU'] == 0.25


def test_proposals_are_mapped_back_to_the_image():
    # exclusive ends, at twice the image's size: exactly the box of pixels 0..9
    sample = box_sample(true=[(0, CAT), (1, FAR)])
    sample['proposals'] = instances(bboxes=[(0, 0, 20, 20), (0, 0, 20, 12)])
    sample['scale_factor'] = (2.0, 2.0)
    empty = {**box_sample(true=[]), 'proposals': instances()}
    figures = run(ProposalMetric(), [sample, empty])
    assert figures == {
        'proposal_recall_50': 0.5,
        'proposal_recall_70': 0.5,
        'proposal_ABO': 0.5,
        'proposal_count': 1.0,
    }


def test_proposal_recall_knows_its_thresholds():
    sample = box_sample(true=[(0, CAT)])
    sample['proposals'] = instances(bboxes=[(0, 0, 10, 6)])
    figures = run(ProposalMetric(), [sample])
    assert figures['proposal_recall_50'] == 1
    assert figures['proposal_recall_70'] == 0
    assert figures['proposal_ABO'] == pytest.approx(0.6)


def test_images_without_proposals_miss_everything():
    sample = {**box_sample(true=[(0, CAT)]), 'proposals': instances()}
    assert run(ProposalMetric(), [sample])['proposal_ABO'] == 0
