import math

import pytest
import torch

from mmlabelpenet.models import SoftmaxTagLoss, WSDDNLoss


def test_wsddn_image_scores_are_the_sums_of_proposal_scores_and_within_0_and_1():
    scores = WSDDNLoss().proposal_scores(5 * torch.randn(7, 4), 5 * torch.randn(7, 4))
    image_scores = scores.sum(0)
    assert (scores >= 0).all()
    assert ((image_scores > 0) & (image_scores < 1)).all()
    # the class softmax divides one unit among classes, the proposal softmax only weights it
    assert image_scores.sum() <= 4


def test_wsddn_by_hand():
    # softmax over classes: 1/2 each; over the two proposals: 3/4 and 1/4 for class 0
    weights = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    scores = WSDDNLoss().proposal_scores(torch.zeros(2, 2), weights)
    torch.testing.assert_close(scores, torch.tensor([[0.375, 0.25], [0.125, 0.25]]))
    loss = WSDDNLoss(loss_weight=2.0)(scores, torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(2 * 2 * math.log(2))


def test_wsddn_raises_a_tagged_class():
    loss = WSDDNLoss()
    class_logits = torch.zeros(3, 2, requires_grad=True)
    scores = loss.proposal_scores(class_logits, torch.randn(3, 2))
    loss(scores, torch.tensor([1.0, 0.0])).backward()
    # descent raises the tagged class and lowers the other one, at every proposal
    assert (class_logits.grad[:, 0] < 0).all()
    assert (class_logits.grad[:, 1] > 0).all()


def test_wsddn_is_finite_where_scores_are_0_and_1():
    scores = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = WSDDNLoss()(scores, torch.tensor([0.0, 1.0]))
    # float32 has no number between 1 - 2^-24 and 1: both tags miss by about 1e-6
    assert loss.item() == pytest.approx(-2 * math.log(1e-6), rel=0.01)
    loss.backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize('loss', [WSDDNLoss(), SoftmaxTagLoss()])
def test_one_proposal_is_enough(loss):
    class_logits = torch.tensor([[0.3, -0.2, 0.1]], requires_grad=True)
    scores = loss.proposal_scores(class_logits, torch.randn(1, 3))
    loss(scores, torch.tensor([1.0, 0, 0])).backward()
    assert class_logits.grad[0, 0] < 0


def test_softmax_loss_of_an_image_without_tags_is_zero():
    scores = torch.randn(5, 3, requires_grad=True)
    loss = SoftmaxTagLoss()(scores, torch.zeros(3))
    loss.backward()
    assert loss.item() == 0
    assert (scores.grad == 0).all()


def test_softmax_loss_divides_one_unit_among_the_tags():
    # equal image scores: each of three classes has log probability -log 3
    loss = SoftmaxTagLoss(loss_weight=0.5)(torch.zeros(2, 3), torch.tensor([1.0, 0.0, 1.0]))
    assert loss.item() == pytest.approx(0.5 * math.log(3))
    up = torch.tensor([[2.0, 0.0, 0.0]])
    tags = torch.tensor([1.0, 0.0, 0.0])
    assert SoftmaxTagLoss()(up, tags) < SoftmaxTagLoss()(torch.zeros(1, 3), tags)


@pytest.mark.parametrize('loss', [WSDDNLoss(), SoftmaxTagLoss()])
def test_a_class_that_is_not_known_is_not_in_the_loss(loss):
    logits = torch.randn(4, 3, requires_grad=True)
    scores = loss.proposal_scores(logits, torch.randn(4, 3)).detach().requires_grad_()
    tags, known = torch.tensor([1.0, 0, 0]), torch.tensor([1.0, 0, 1])
    loss(scores, tags, known).backward()
    assert (scores.grad[:, 1] == 0).all()
    assert (scores.grad[:, [0, 2]] != 0).all()
    assert loss(scores, tags, torch.ones(3)) == loss(scores, tags)
