"""What the walkthroughs share: answers are judged, a hole says what is missing, the budget and the small training."""

import pytest
import torch

from common.errors import SettingsError
from replications import teaching


def test_a_right_answer_is_said_to_be_right(capsys):
    teaching.check("the sum", torch.tensor([1.0, 2.0]), [1.0, 2.0 + 1e-7])
    assert capsys.readouterr().out == "✓ Right: the sum.\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (torch.tensor([1.0, 2.1]), "off by up to 0.1"),
        (torch.tensor([0.9, 2.0]), "off by up to 0.1"),
        (torch.tensor([1.0, float("nan")]), "off by up to nan"),
        (torch.tensor([1.0, 2.0, 3.0]), r"Its shape is \[3\] and should be \[2\]"),
        (1.0, r"should be \[2\]"),
        (..., "should be numbers, and is a ellipsis"),
        (None, "should be numbers"),
        (torch.sum, "should be numbers"),
    ],
)
def test_a_wrong_answer_is_said_to_be_wrong_and_why(answer, said):
    with pytest.raises(teaching.NotRightError, match=said) as caught:
        teaching.check("the sum", answer, torch.tensor([1.0, 2.0]), hint="Add.")
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_a_wrong_answer_gets_the_hint_and_within_is_what_may_be_off():
    with pytest.raises(teaching.NotRightError, match=r"Think again\.$"):
        teaching.check("it", 1.2, 1.0, within=0.1, hint="Think again.")
    teaching.check("it", 1.05, 1.0, within=0.1)


def test_a_hole_says_what_is_missing():
    with pytest.raises(teaching.UnansweredError, match=r"hole: the mean\. Write your answer in place of hole"):
        teaching.hole("the mean")


def test_budgets(monkeypatch):
    monkeypatch.delenv("RETRACE_BUDGET", raising=False)
    assert teaching.budget(full=1000, small=2) == 1000
    monkeypatch.setenv("RETRACE_BUDGET", "small")
    assert teaching.budget(full=1000, small=2) == 2
    monkeypatch.setenv("RETRACE_BUDGET", "smal")
    with pytest.raises(SettingsError, match="RETRACE_BUDGET=smal"):
        teaching.budget(full=1000, small=2)


def test_a_small_training_finds_a_mean(capsys):
    model = torch.nn.Linear(1, 1, bias=False)

    def loss(network, generator):
        x = torch.randn(64, 1, generator=generator)
        return (network(x) - 3 * x).square().mean()

    trained = teaching.fit(model, loss, steps=300, rate=0.1, average=0.9)
    assert float(trained.model.weight) == pytest.approx(3, abs=0.01)
    assert trained.losses[-1] < 1e-3 < trained.losses[0]
    out = capsys.readouterr().out
    assert out.startswith("300 steps in ") and out.count("\n") == 1, "one line, whatever the loop says"


def test_arrows_point_where_the_field_does():
    axis = teaching.panels(1)[0]
    teaching.arrows(axis, lambda x: torch.stack([x[:, 1], -x[:, 0]], 1), "rotation", extent=2, count=3)
    (drawn,) = axis.collections
    assert drawn.get_offsets()[:3].tolist() == [[-1, -1], [-1, 0], [-1, 1]]
    assert drawn.U[:3].tolist() == [-1, 0, 1] and drawn.V[:3].tolist() == [1, 1, 1]
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_title()) == ("$x_1$", "$x_2$", "rotation")
    teaching.plt.close("all")
