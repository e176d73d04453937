import pytest
import torch

from mmlabelpenet.models.task_modules import mine, mine_proposal_clusters, top_group

# Two heaps: three boxes around (0, 0, 20, 20), two around (50, 50, 70, 70), one by itself.
HEAPS = torch.tensor(
    [
        [0.0, 0, 20, 20],
        [0, 0, 20, 16],
        [0, 4, 20, 20],
        [50, 50, 70, 70],
        [50, 50, 70, 64],
        [80, 0, 90, 10],
    ]
)


def test_the_top_group_is_the_highest_of_three_by_k_means():
    scores = torch.tensor([[0.9, 0.1, 0.5, 0.85, 0.12, 0.45], [0.3] * 6])
    group = top_group(scores)
    assert group[0].tolist() == [True, False, False, True, False, False]
    assert group[1].all()  # nothing tells them apart


def test_a_centre_has_most_neighbours_and_the_best_score_among_them():
    scores = torch.tensor([[0.80, 0.79, 0.81, 0.83, 0.82, 0.01]]).t()
    mined = mine_proposal_clusters(HEAPS, scores, torch.ones(1))
    # the first box overlaps both others of its heap above .4, they one another at .6 too; of
    # equal degrees the higher score leads
    assert mined.bboxes.tolist() == [HEAPS[2].tolist(), HEAPS[3].tolist()]
    assert mined.scores.tolist() == pytest.approx([0.81, 0.83])
    assert mined.labels.tolist() == [0, 0]


def test_degree_goes_before_score():
    chain = torch.tensor([[0.0, 0, 20, 10], [8, 0, 28, 10], [16, 0, 36, 10]])
    scores = torch.tensor([[0.9, 0.8, 0.85]]).t()
    # only neighbours in the chain overlap above .4: the middle box has two of them
    mined = mine_proposal_clusters(chain, scores, torch.ones(1), num_groups=1)
    assert mined.bboxes.tolist() == [chain[1].tolist()]
    assert mined.scores.tolist() == pytest.approx([0.9])


def test_only_tagged_classes_and_no_more_centres_than_asked():
    scores = torch.ones(6, 3)
    mined = mine_proposal_clusters(HEAPS, scores, torch.tensor([0.0, 1, 1]), max_per_class=2)
    assert mined.labels.tolist() == [1, 1, 2, 2]
    assert len(mine_proposal_clusters(HEAPS, scores, torch.zeros(3))) == 0


def test_classes_do_not_see_each_other():
    torch.manual_seed(0)
    scores = torch.rand(6, 2)
    both = mine_proposal_clusters(HEAPS, scores, torch.ones(2))
    first = mine_proposal_clusters(HEAPS, scores, torch.tensor([1.0, 0]))
    assert both[both.labels == 0].bboxes.equal(first.bboxes)


def test_a_config_names_the_method():
    scores = torch.rand(6, 1)
    named = mine(HEAPS, scores, torch.ones(1), method='clusters')
    assert named.bboxes.equal(mine_proposal_clusters(HEAPS, scores, torch.ones(1)).bboxes)
    with pytest.raises(ValueError, match='knows no method'):
        mine(HEAPS, scores, torch.ones(1), method='heaps')
