"""Costs of steps, counted by hand and refused where they cannot be made."""

import torch
from torch import nn

from common.measure.step_cost import compared_costs, operations


def test_a_step_that_torch_cannot_make_is_refused_with_the_reason():
    def unable():
        raise RuntimeError("no forward mode")

    rows = compared_costs(
        {"dsm": lambda: None, "ssm_forward": unable}, "dsm", 2, {"dataset": "d"}, ("operations_over_dsm", "seconds_over_dsm")
    )
    assert [row["metric"] for row in rows] == ["operations_over_dsm", "seconds_over_dsm"]
    assert all(row["status"] == "refused" and "no forward mode" in row["message"] for row in rows)


def test_operations_of_a_linear_layer_and_of_a_convolution():
    linear, x = nn.Linear(5, 7), torch.ones(3, 5)
    once = 2 * 3 * 5 * 7
    assert operations(lambda: linear(x)) == once
    assert operations(lambda: linear(x).sum().backward()) == 2 * once  # the weights' gradient
    assert operations(lambda: linear(x.clone().requires_grad_()).sum().backward()) == 3 * once  # and the input's
    assert operations(lambda: linear(x).relu() + 1) == once
    convolution, image = nn.Conv2d(2, 3, 3, padding=1), torch.ones(4, 2, 6, 5)
    assert operations(lambda: convolution(image)) == 2 * (4 * 6 * 5) * (2 * 9) * 3

    def inside():
        """v^T W v with its gradient in W: forward, to the input, and back through both."""
        state = x.clone().requires_grad_()
        (product,) = torch.autograd.grad(square(state), state, torch.ones(3, 5), create_graph=True)
        product.sum().backward(inputs=[square.weight])

    square = nn.Linear(5, 5, bias=False)
    assert operations(inside) == 3 * 2 * 3 * 5 * 5
