import pytest
import torch

from mmlabelpenet.models.task_modules import mine, mine_proposal_clusters, top_group

# Two groups: three boxes around (0, 0, 20, 20), two around (50, 50, 70, 70); and a single box.
GROUPS = torch.tensor(
    [
        [0.0, 0, 20, 20],
        [0, 0, 20, 16],
        [0, 4, 20, 20],
        [50, 50, 70, 70],
        [50, 50, 70, 64],
        [80, 0, 90, 10],
    ]
)


def clusters_of(*image, **settings):
    """Cluster centres of one image."""
    [found] = mine_proposal_clusters(*([part] for part in image), **settings)
    return found


def test_the_top_group_is_the_highest_of_three_by_k_means():
    scores = torch.tensor([[0.9, 0.1, 0.5, 0.85, 0.12, 0.45], [0.3] * 6])
    group = top_group(scores)
    assert group[0].tolist() == [True, False, False, True, False, False]
    assert group[1].all()  # equal scores are one group
    # Of the three centres 0, .5 and 1 the last one is nearest to .8; of four it would be .67.
    assert top_group(torch.tensor([[1.0, 0.8, 0.0]])).tolist() == [[True, True, False]]


def test_a_centre_has_most_neighbours_and_the_best_score_among_them():
    scores = torch.tensor([[0.80, 0.79, 0.81, 0.83, 0.82, 0.01]]).t()
    mined = clusters_of(GROUPS, scores, torch.ones(1))
    # the first box overlaps both others of its group above .4, and they overlap at .6 too; of
    # equal degrees the higher score comes first
    assert mined.bboxes.tolist() == [GROUPS[2].tolist(), GROUPS[3].tolist()]
    assert mined.scores.tolist() == pytest.approx([0.81, 0.83])
    assert mined.labels.tolist() == [0, 0]


def test_degree_comes_before_score():
    chain = torch.tensor([[0.0, 0, 20, 10], [8, 0, 28, 10], [16, 0, 36, 10]])
    scores = torch.tensor([[0.9, 0.8, 0.85]]).t()
    # only neighbours in the chain overlap above .4: the middle box has two of them
    mined = clusters_of(chain, scores, torch.ones(1), num_groups=1)
    assert mined.bboxes.tolist() == [chain[1].tolist()]
    assert mined.scores.tolist() == pytest.approx([0.9])


def test_only_tagged_classes_and_at_most_max_per_class_centres():
    scores = torch.ones(6, 3)
    mined = clusters_of(GROUPS, scores, torch.tensor([0.0, 1, 1]), max_per_class=2)
    assert mined.labels.tolist() == [1, 1, 2, 2]
    assert len(clusters_of(GROUPS, scores, torch.zeros(3))) == 0


def test_classes_do_not_affect_each_other():
    torch.manual_seed(0)
    scores = torch.rand(6, 2)
    both = clusters_of(GROUPS, scores, torch.ones(2))
    first = clusters_of(GROUPS, scores, torch.tensor([1.0, 0]))
    assert both[both.labels == 0].bboxes.equal(first.bboxes)


def test_a_config_names_the_method():
    scores = torch.rand(6, 1)
    [named] = mine([GROUPS], [scores], [torch.ones(1)], method='clusters')
    assert named.bboxes.equal(clusters_of(GROUPS, scores, torch.ones(1)).bboxes)
    with pytest.raises(ValueError, match='knows no method'):
        mine([GROUPS], [scores], [torch.ones(1)], method='heaps')
