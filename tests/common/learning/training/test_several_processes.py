"""Trainings under torchrun: the whole batch's gradient, exact resume, and what is refused. Two processes of gloo on the CPU."""

import json

import processes
import pytest
import torch
from torch import nn

from common.errors import CheckpointError, RetraceError
from common.learning.data.batches import EpochSampler
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs import distributed
from common.runs.experiment import Context
from common.runs.settings import Settings

N, BATCH, SEED = 24, 8, 3
CPU = torch.device("cpu")


def data():
    """Rows and their targets, in float64."""
    x = torch.linspace(-1, 1, 3 * N, dtype=torch.float64).sin().reshape(N, 3)
    return x, x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.3


def linear():
    """A model that starts from the same weights everywhere."""
    model = nn.Linear(3, 1, bias=False, dtype=torch.float64)
    nn.init.constant_(model.weight, 0.1)
    return model


class Stop(Exception):
    """Breaks a training off."""


def fit(folder, *, steps=12, noise=0.1, shared=True, stop=None):
    """Train on shares of batches of rows that are made noisy; return the weight and each step's gradient."""
    (x, y), gradients = data(), []
    sampler = EpochSampler(N, BATCH, SEED, distributed.rank(), distributed.world())

    def loss(network, step, generator):
        rows = sampler(step)
        noisy = x[rows] + noise * torch.randn(len(rows), 3, generator=generator, dtype=torch.float64)
        return (network(noisy).squeeze(1) - y[rows]).square().mean()

    def watch(step, model, average):
        gradients.append(model.weight.grad[0].tolist())
        if step == stop:
            raise Stop

    folder.mkdir(parents=True, exist_ok=True)
    context = Context("common", "fit", "smoke", 0, 0, folder, folder, CPU, on_step=watch)
    settings = TrainSettings(steps=steps, batch=BATCH, learning_rate=0.05, checkpoint_seconds=0)
    trained = train_run(context, linear(), loss, settings, seed=SEED, of=Settings(), shared=shared)
    return trained.model.weight[0].tolist(), gradients, trained.resumed_at


def one_of_two(out):
    """What one of two processes does; what it found goes to a file."""
    found = {"gradient": fit(out / "still", steps=4, noise=0.0)[1], "unbroken": fit(out / "unbroken")[0]}
    with pytest.raises(Stop):
        fit(out / "broken", stop=5)
    torch.distributed.barrier()  # the first process has written its state
    found["resumed"], _, found["resumed_at"] = fit(out / "broken")
    with pytest.raises(Stop):
        fit(out / "by_two", stop=5)
    with pytest.raises(RetraceError) as error:
        fit(out / "whole", shared=False)
    found["refused"] = str(error.value)
    (out / f"rank{distributed.rank()}.json").write_text(json.dumps(found))
    distributed.leave()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of two processes' trainings and what each of them found."""
    out = tmp_path_factory.mktemp("two")
    processes.torchrun(one_of_two, out, output=out)
    return out, [json.loads((out / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def whole_batch_gradient(w, step):
    """2/B sum over the whole batch of (w x - y) x."""
    rows = EpochSampler(N, BATCH, SEED)(step)
    x, y = (part[rows] for part in data())
    return 2 / BATCH * ((x @ w - y)[:, None] * x).sum(0)


def test_two_processes_step_along_the_whole_batchs_gradient(two):
    _, found = two
    first, second = (torch.tensor(each["gradient"], dtype=torch.float64) for each in found)
    assert torch.equal(first, second)
    torch.testing.assert_close(first[0], whole_batch_gradient(linear().weight.detach()[0], 0), rtol=1e-12, atol=0)


def test_one_process_has_the_same_gradients_at_every_step(two, tmp_path):
    alone = torch.tensor(fit(tmp_path, steps=4, noise=0.0)[1], dtype=torch.float64)
    torch.testing.assert_close(torch.tensor(two[1][0]["gradient"], dtype=torch.float64), alone, rtol=1e-9, atol=0)


def test_a_broken_training_of_two_processes_ends_bit_for_bit_where_an_unbroken_one_ends(two):
    for found in two[1]:
        assert found["resumed_at"] == 5 and found["resumed"] == found["unbroken"]


def test_another_number_of_processes_is_told_file_numbers_and_remedy(two):
    folder = two[0] / "by_two"
    (state,) = folder.glob("training-state-*.pt")
    before = state.read_bytes()
    with pytest.raises(CheckpointError) as error:
        fit(folder)
    said = str(error.value)
    assert said.startswith(f"{state}: 2 processes wrote this training state, and 1 cannot go on with it")
    assert "start 2 again (--gpus 2)" in said and said.endswith(f"or delete {state} to train from the start")
    assert state.read_bytes() == before, "the file is left for its owner"


def test_a_loss_of_whole_batches_is_refused_before_it_starts(two):
    for found in two[1]:
        assert "2 processes would train on 2 times train.batch = 8; start one (--gpus 1, or without torchrun)" in found["refused"]
    assert not list((two[0] / "whole").iterdir())
