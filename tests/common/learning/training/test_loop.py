import itertools
import math

import numpy as np
import processes
import pytest
import torch
from torch import Generator, nn

from common.errors import RetraceError
from common.learning.training.loop import learning_rate, train
from common.learning.training.settings import TrainSettings
from common.learning.training.state import load_state, state_path
from common.runs import distributed
from common.runs.seeds import derive_seed

CPU = torch.device("cpu")


def regression(network, step, generator):
    x = torch.randn(16, 3, generator=generator)
    return (network(x) - x.sum(1, keepdim=True)).square().mean()


def fit(folder, *, model=None, on_step=None, fingerprint="f" * 64, loss=regression, **changes):
    settings = TrainSettings(**{"steps": 30, "batch": 16, "learning_rate": 0.05, "checkpoint_seconds": 0} | changes)
    torch.manual_seed(0)
    model = model or nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
    arguments = {"settings": settings, "seed": 5, "state_file": folder / "state.pt", "device": CPU}
    return train(model, loss, **arguments, fingerprint=fingerprint, on_step=on_step), model


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_warm_up_and_schedules():
    constant = TrainSettings(steps=100, batch=1, learning_rate=2.0, warmup_steps=10)
    assert [learning_rate(constant, step) for step in (0, 4, 9, 10, 99)] == pytest.approx([0.2, 1.0, 2.0, 2.0, 2.0])
    linear = constant.model_copy(update={"schedule": "linear"})
    assert [learning_rate(linear, step) for step in (9, 10, 55, 99)] == pytest.approx([2.0, 2.0, 1.0, 2.0 / 90])
    # constant up to step 60, then down in a line
    late = linear.model_copy(update={"decay_start": 0.6})
    assert [learning_rate(late, step) for step in (9, 59, 60, 80, 99)] == pytest.approx([2.0, 2.0, 2.0, 1.0, 2.0 / 40])
    assert (constant.constant_until(), linear.constant_until(), late.constant_until()) == (100, 10, 60)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_adams_step_is_less_by_epsilon(tmp_path, decay):
    """One step: the gradient over its own size, with epsilon beside it."""
    model = nn.Linear(3, 1, bias=False)
    before, gradient = model.weight.detach().clone(), torch.tensor([[2.0, -0.5, 1.0]])
    changes = {"steps": 1, "ema_decay": 0.0, "weight_decay": decay, "epsilon": 0.5}
    fit(tmp_path, model=model, loss=lambda network, step, generator: network(gradient).sum(), **changes)
    expected = (1 - 0.05 * decay) * before - 0.05 * gradient / (gradient.abs() + 0.5)
    torch.testing.assert_close(model.weight.detach(), expected)


def test_average_is_the_exponential_moving_average_with_warm_up(tmp_path):
    history = []
    model = nn.Linear(3, 1)
    trained, _ = fit(tmp_path, model=model, on_step=lambda step, *_: history.append(weights(model).clone()), ema_decay=0.9)
    decays = [0.0, *(min(0.9, (1 + count) / (10 + count)) for count in range(1, 30))]
    expected = torch.zeros(4)
    # at every fourth step and the last: 30 = 7 * 4 + 2
    for start, end in itertools.pairwise([*range(0, 30, 4), 30]):
        kept = math.prod(decays[start:end])
        expected = kept * expected + (1 - kept) * history[end - 1]
    torch.testing.assert_close(weights(trained.model), expected)


def test_no_average_gives_the_last_weights(tmp_path):
    trained, model = fit(tmp_path, model=nn.Linear(3, 1), ema_decay=0.0)
    torch.testing.assert_close(weights(trained.model), weights(model))


def test_gradients_are_clipped_before_the_optimisers_step(tmp_path):
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)

    def loss(network, step, generator):
        return (1.0, 1e6)[step] * network(torch.ones(1, 1)).sum()

    fit(tmp_path, model=model, loss=loss, steps=2, learning_rate=0.1, clip_norm=1.0)
    # Adam steps by the learning rate while gradients are equal; an unclipped 1e6 would make the second step smaller
    assert float(model.weight.detach()) == pytest.approx(-0.2, abs=1e-6)


def test_gradients_are_clipped(tmp_path):
    before = torch.zeros(1, 3)
    model = nn.Linear(3, 1, bias=False)
    nn.init.zeros_(model.weight)
    norms = []

    def loss(network, step, generator):
        norms.append(None if network.weight.grad is None else network.weight.grad.norm())
        return 1e6 * regression(network, step, generator)

    fit(tmp_path, model=model, loss=loss, steps=5, clip_norm=0.5)
    seen = [float(norm) for norm in norms if norm is not None]
    assert not torch.equal(before, model.weight) and seen == pytest.approx([0.5] * len(seen), rel=1e-4)


@pytest.mark.parametrize("moment", [1, 13, 29])
@pytest.mark.parametrize("dropout", [nn.Dropout, nn.AlphaDropout])
def test_resume_after_an_exception_is_exact_with_dropout(tmp_path, moment, dropout):
    def network():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), dropout(0.2), nn.Linear(4, 1))

    unbroken, _ = fit(tmp_path / "a", model=network())

    def stop(step, *_):
        if step == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "b", model=network(), on_step=stop)
    resumed, _ = fit(tmp_path / "b", model=network())
    assert resumed.resumed_at == moment
    assert torch.equal(weights(resumed.model), weights(unbroken.model))
    assert np.array_equal(resumed.losses, unbroken.losses) and np.array_equal(resumed.loss_steps, unbroken.loss_steps)


def test_a_finished_training_is_not_trained_again(tmp_path):
    first, _ = fit(tmp_path)
    again, _ = fit(tmp_path, loss=lambda *_: pytest.fail("no step is left to take"))
    assert again.resumed_at == 30 and torch.equal(weights(again.model), weights(first.model))


def test_other_settings_have_another_state_file(tmp_path):
    fit(tmp_path)
    other, _ = fit(tmp_path, fingerprint="e" * 64)
    assert other.resumed_at == 0
    assert all(state_path(tmp_path / "state.pt", mark * 64).exists() for mark in "ef")


def test_loss_curve_holds_window_means(tmp_path):
    def loss(network, step, generator):
        return 0 * network[0].weight.sum() + step

    trained, _ = fit(tmp_path, loss=loss, steps=451, checkpoint_seconds=1000)
    assert trained.loss_steps[0] == 2 and trained.losses[0] == 0.5 and trained.losses[1] == 2.5
    assert trained.loss_steps[-1] == 451 and trained.losses[-1] == 450 and len(trained.losses) == 226


def test_resume_in_the_midst_of_a_window_keeps_the_loss_curve(tmp_path):
    unbroken, _ = fit(tmp_path / "a", steps=400, checkpoint_seconds=1000)

    def stop(step, *_):
        if step == 51:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "b", steps=400, on_step=stop)
    resumed, _ = fit(tmp_path / "b", steps=400, checkpoint_seconds=1000)
    assert resumed.resumed_at == 51 and 51 not in unbroken.loss_steps
    assert np.array_equal(resumed.losses, unbroken.losses)


def test_states_are_saved_by_the_clock_and_at_the_end(tmp_path):
    file = state_path(tmp_path / "state.pt", "f" * 64)
    seen = []
    fit(tmp_path, checkpoint_seconds=1000, on_step=lambda step, *_: seen.append(file.exists()))
    assert seen == [False] * 29 + [True]


@pytest.mark.parametrize("bad_step", [11, 29])
def test_weights_spoilt_behind_a_finite_loss_are_not_saved(tmp_path, bad_step):
    def loss(network, step, generator):
        # the root's slope at 0 is infinite, times 0 is nan: the loss stays finite and the gradient does not
        return regression(network, step, generator) + ((network.weight.sum() * 0).sqrt() if step == bad_step else 0)

    with pytest.raises(RetraceError, match=rf"the norm of the weights is nan at step {bad_step + 1}; lower train\.learning_rate"):
        fit(tmp_path, model=nn.Linear(3, 1), loss=loss)
    assert load_state(state_path(tmp_path / "state.pt", "f" * 64), "f" * 64, CPU)["step"] == bad_step


def test_images_networks_are_trained_in_the_memory_format_asked_for(tmp_path):
    strides = []

    def loss(network, step, generator):
        strides.append(network.weight.stride())
        return network(torch.randn(2, 4, 5, 5, generator=generator)).square().mean()

    for folder, channels_last in (("a", False), ("b", True)):
        fit(tmp_path / folder, model=nn.Conv2d(4, 4, 3), loss=loss, steps=1, channels_last=channels_last)
    assert strides == [(36, 9, 3, 1), (36, 1, 12, 4)]


def test_a_loss_that_is_not_finite_stops_with_a_remedy(tmp_path):
    def loss(network, step, generator):
        return regression(network, step, generator) * (float("nan") if step == 20 else 1.0)

    with pytest.raises(RetraceError, match=r"training loss is nan at step 21; lower train\.learning_rate \(now 0\.05\)"):
        fit(tmp_path, loss=loss)
    assert load_state(state_path(tmp_path / "state.pt", "f" * 64), "f" * 64, CPU)["step"] == 20


def test_the_global_random_state_is_neither_read_nor_left_changed(tmp_path):
    settings = TrainSettings(steps=30, batch=16, learning_rate=0.05)
    arguments = {"settings": settings, "seed": 5, "device": CPU, "fingerprint": "f" * 64}
    ends = []
    for number in (1, 2):
        model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.1)
        torch.manual_seed(number)
        before = torch.get_rng_state()
        ends.append(weights(train(model, regression, state_file=tmp_path / f"{number}.pt", **arguments).model))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*ends)


def test_bf16_autocast_reaches_the_network(tmp_path):
    seen = set()

    class Spy(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            seen.add(out.dtype)
            return out

    fit(tmp_path, model=Spy(3, 1), precision="bf16", steps=2)
    assert seen == {torch.bfloat16}


def one_of_two(out):
    """What one process under torchrun does."""
    rank = distributed.rank()
    torch.manual_seed(rank)  # DistributedDataParallel must make the weights equal
    model, draws = nn.Linear(3, 1), []

    def loss(network, step, generator):
        x = torch.randn(8, 3, generator=generator)
        draws.append(x.sum().item())
        return (network(x) - x.sum(1, keepdim=True)).square().mean()

    settings = TrainSettings(steps=20, batch=16, learning_rate=0.1, checkpoint_seconds=0)
    train(model, loss, settings=settings, seed=1, state_file=out / "state.pt", device=CPU, fingerprint="f" * 64)
    torch.save({"weight": model.weight.data, "draws": draws}, out / f"rank{rank}.pt")


def test_two_processes_end_with_the_same_weights_and_one_writes(tmp_path):
    outputs = processes.torchrun(one_of_two, tmp_path, output=tmp_path)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert torch.equal(first["weight"], second["weight"]), "the processes see each other's gradients"
    assert first["draws"] != second["draws"], "each process has noise of its own"
    assert len(list(tmp_path.glob("state-*.pt"))) == 1
    assert [text.count("step 20/20") for text in outputs] == [1, 0], "one process speaks"
    assert np.allclose(first["weight"], one_process_with_both_draws(tmp_path / "alone"), atol=1e-6), "gradients are averaged"


def one_process_with_both_draws(folder):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(network, step, generator):
        x = torch.cat([torch.randn(8, 3, generator=Generator().manual_seed(derive_seed(1, rank, step))) for rank in (0, 1)])
        return (network(x) - x.sum(1, keepdim=True)).square().mean()

    settings = TrainSettings(steps=20, batch=16, learning_rate=0.1)
    train(model, loss, settings=settings, seed=1, state_file=folder / "state.pt", device=CPU, fingerprint="f" * 64)
    return model.weight.detach()
