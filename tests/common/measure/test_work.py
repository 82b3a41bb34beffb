"""Counted work against counts by hand."""

import torch
from torch import nn

from common.measure.work import Kept, Size, Tally, Work, counted, evaluations


def test_a_matrix_product_is_one_operation_of_2mnk_flops_and_moves_its_three_matrices():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert counted(lambda: a @ b) == Work(1, 2 * 3 * 5 * 7, 4 * (15 + 35 + 21))


def test_products_into_their_first_argument_count_like_the_others():
    a, b, c = torch.ones(3, 5), torch.ones(5, 7), torch.zeros(3, 7)
    assert counted(lambda: c.addmm_(a, b)).flops == counted(lambda: torch.addmm(c, a, b)).flops == 2 * 3 * 5 * 7
    assert counted(lambda: c.addcmul_(c, c)).flops == 0


def test_elementwise_operations_have_bytes_alone_by_their_type():
    x = torch.ones(10, dtype=torch.float64)
    assert counted(lambda: x + x) == Work(1, 0, 3 * 80)
    assert counted(lambda: torch.cat([x, x])) == Work(1, 0, 160 + 160)


def test_views_compute_nothing():
    x = torch.ones(4, 6)
    assert counted(lambda: x.view(2, 12).t()[0].unsqueeze(0)) == Work()


def test_meta_tensors_compute_nothing():
    assert counted(lambda: torch.ones(4, 6, device="meta") @ torch.ones(6, 2, device="meta")) == Work()


def test_backward_passes_are_counted():
    linear, x = nn.Linear(5, 7, bias=False), torch.ones(3, 5)
    forth, both = counted(lambda: linear(x)), counted(lambda: linear(x.clone().requires_grad_()).sum().backward())
    assert forth.flops == 2 * 3 * 5 * 7
    assert both.flops == 3 * forth.flops  # gradients of the weights and of the input


def test_a_tally_goes_on_where_it_was_left():
    tally, x = Tally(), torch.ones(2)
    with tally:
        _ = x + 1
    _ = x + 1
    with tally:
        _ = x + 1
    assert tally.total.operations == 2


def test_sums_and_multiples():
    one = Work(1, 2, 3)
    assert one + one == Work(2, 4, 6)
    assert one - one == Work()
    assert one.times(2) == Work(2, 4, 6)
    assert one.times(2, 10) == Work(2, 20, 30)


def test_what_is_kept_for_the_backward_pass_leaves_out_weights_and_counts_a_tensor_once():
    linear, x = nn.Linear(5, 7), torch.ones(3, 5)
    with Kept(linear.parameters()) as kept:
        linear(x)  # keeps its input, for the weights' gradient
        linear(x)
    assert kept.total == x.numel() * 4
    with Kept(linear.parameters()) as kept:
        torch.exp(linear(x))  # and its own output
    assert kept.total == 4 * (x.numel() + 3 * 7)
    two = nn.Sequential(linear, nn.Linear(7, 2))
    with Kept(two.parameters()) as kept:
        two(x)  # what enters each, and the second one's weights for the gradient of what entered
    assert kept.total == 4 * (x.numel() + 3 * 7)


def test_sizes_of_evaluations():
    assert evaluations(10, 300, 100) == Size(30, 3000)
    assert evaluations(10, 301, 100) == Size(40, 3010)
    assert evaluations(10, 300) == Size(10, 3000)
    assert evaluations(10, 300) + evaluations(5, 2) == Size(15, 3010)
