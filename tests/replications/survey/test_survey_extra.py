"""A user's own file: what is understood, and what every mistake in it says."""

import re
from textwrap import dedent

import pytest
import torch

from common.dynamics.oracles import gaussian
from common.dynamics.paths import vp
from common.dynamics.samplers.exponential import ddim
from common.dynamics.samplers.result import denoised_last
from common.errors import SettingsError
from common.runs.settings import package_folder
from replications.survey.extra import load
from replications.survey.own_cells import own_cells
from replications.survey.time_grids import evenly, log_snr

START = "import torch\nfrom common.dynamics.samplers.result import Samples, finished\n"
RUNS = "def sample(model, x, times, *, generator=None, callback=None):\n    data = model.denoised(x, float(times[0]))\n"


def example():
    """Return the example of the documentation."""
    text = (package_folder("replications.survey") / "extra.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="mine.py"):
        (tmp_path / name).write_text(dedent(text))
        return name

    return write


def test_the_example_is_what_it_says(written):
    """Its step is DDIM, at the times that it names."""
    assert len(example().strip().splitlines()) <= 22
    found = load(written(example()))
    assert set(found.samplers) == {"my_ddim"} and set(found.objectives) == {"my_weight"} and len(found.digest) == 64
    path, x = vp(), torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = gaussian(path, torch.tensor([0.3, -0.4], dtype=torch.float64), 0.5)
    mine = found.samplers["my_ddim"]
    assert mine.grid is log_snr
    torch.testing.assert_close(mine.sample(model, x, log_snr(path, 9)).x, ddim()(model, x, log_snr(path, 9)).x)
    objective = found.objectives["my_weight"].objective
    t = torch.tensor([0.2, 0.7], dtype=torch.float64)
    torch.testing.assert_close(objective.weight(t), path.sigma(t))


MISTAKES = {
    "no such file": (None, "there is no such file"),
    "no Python": ("def sample(:", "mine.py, line 1: is not Python"),
    "fails": ("x = 1\nx.gone\n", "mine.py, line 2: it fails when it is run: AttributeError: .*gone"),
    "leaves": ("import sys\nsys.exit(3)\n", "mine.py, line 2: it fails when it is run: SystemExit"),
    "nothing": ("x = 1\n", "mine.py: nothing is recognised.*SAMPLERS"),
    "misspelt": ("Samplers = {}\n", "nothing is recognised.*SAMPLERS for Samplers"),
    "empty": ("SAMPLERS = {}\n", "nothing is recognised"),
    "no mapping": ("SAMPLERS = [1]\n", "SAMPLERS: must map names"),
    "bad name": ("SAMPLERS = {'a b': 1}\n", "'a b' names a row"),
    "the suite's": ("SAMPLERS = {'ddim': 1}\n", "'ddim' is one of the suite's own"),
    "the suite's objective": ("OBJECTIVES = {'fm_ot': 1}\n", "'fm_ot' is one of the suite's own"),
    "twice": ("SAMPLERS = {'a': 1}\nSTEPS = {'a': 1}\n", "'a' is named twice"),
    "no function": ("SAMPLERS = {'a': 1}\n", "sampler 'a': is to be a function sample"),
    "signature": ("SAMPLERS = {'a': lambda model, x: x}\n", "sampler 'a': is to be a function sample.*it is one of"),
    "no generator": ("SAMPLERS = {'a': lambda model, x, times: x}\n", "generator"),
    "times": ("SAMPLERS = {'a': (lambda model, x, times, generator: x, 'log')}\n", "there are no times 'log'; did you mean"),
    "no samples": (RUNS + "    return data\nSAMPLERS = {'a': sample}\n", "returned a tensor .*return Samples"),
    "shape": (
        RUNS + "    return finished('a', data[:1], 1)\nSAMPLERS = {'a': sample}\n",
        r"its x is to have shape \[3, 1, 4, 4\]",
    ),
    "counts": (
        RUNS + "    n = torch.ones(1)\n    return Samples(data, n, n)\nSAMPLERS = {'a': sample}\n",
        r"its nfe is to have shape \[3\]",
    ),
    "NaN": (
        RUNS + "    n = torch.ones(len(x))\n    return Samples(data / 0 * 0, n, n)\nSAMPLERS = {'a': sample}\n",
        "samples are not finite",
    ),
    "asks nothing": (
        RUNS.replace("model.denoised(x, float(times[0]))", "x") + "    return finished('a', x, 3)\nSAMPLERS = {'a': sample}\n",
        "never asks",
    ),
    "a bug": (
        RUNS + "    return data.gone\nSAMPLERS = {'a': sample}\n",
        "mine.py, line 5: sampler 'a': fails on the path 'vp'.*gone",
    ),
    "no path": (
        "from common.errors import RefusedError\n" + RUNS + "    raise RefusedError('not today')\nSAMPLERS = {'a': sample}\n",
        "runs on no path: vp: not today",
    ),
    "step signature": ("STEPS = {'a': lambda model, x: (x, x)}\n", "step 'a': is to be a function step"),
    "one state": ("STEPS = {'a': lambda model, x, t, t_next, noise: x}\n", "return two tensors"),
    "step shape": (
        "STEPS = {'a': lambda model, x, t, t_next, noise: (x, x[0])}\n",
        r"states of shape \[3, 1, 4, 4\]; it returned",
    ),
    "step NaN": ("STEPS = {'a': lambda model, x, t, t_next, noise: (x / 0, x)}\n", "step 'a': fails on the path .*not finite"),
    "no objective": ("OBJECTIVES = {'a': 'vp'}\n", "objective 'a': give common.learning.objectives.Objective"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, written):
    text, message = MISTAKES[mistake]
    name = "mine.py" if text is None else written(START + text if "line" not in message or mistake == "a bug" else text)
    with pytest.raises(SettingsError, match=message) as error:
        load(name)
    assert str(error.value).startswith("mine.py")


OBJECTIVE = """
import dataclasses, torch
from common.dynamics.paths import vp
from common.learning.objectives import Objective
from common.dynamics.denoiser import Conditioning
PATH = vp()
OBJECTIVES = {"mine": %s}
"""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Objective(PATH, 'noises', 'one')", "(its prediction is to be one of data, noise|'prediction')"),
        ("Objective('vp', 'noise', 'one')", "(its path is to be a common.dynamics.paths.GaussianPath|'path')"),
        ("Objective(PATH, 'noise', 'two')", "(its weight is to be a function of the time, or one of one|'weight')"),
        ("Objective(PATH, 'noise', lambda t: 1.0)", "weight is to be a number from 0 on for each"),
        ("Objective(PATH, 'noise', lambda t: t[:1])", "weight is to be a number from 0 on for each"),
        ("Objective(PATH, 'noise', lambda t: -t)", "weight is to be a number from 0 on"),
        ("Objective(PATH, 'noise', lambda t: t / 0)", "weight is to be a number from 0 on"),
        ("Objective(PATH, 'noise', lambda t: t.gone)", "line 7: objective 'mine': fails: AttributeError"),
        (
            "Objective(dataclasses.replace(PATH, alpha_dot=lambda t: -t), 'noise', 'one')",
            "alpha_dot of its path is .* but alpha changes",
        ),
        ("Objective(dataclasses.replace(PATH, sigma=lambda t: t / 0), 'noise', 'one')", "sigma of its path is to be a finite"),
        ("(Objective(PATH, 'noise', 'one'), Conditioning(t='step'))", "to be given one of"),
    ],
)
def test_mistakes_in_objectives_are_named(said, message, written):
    with pytest.raises(SettingsError, match=rf"(?s)^mine.py.*{message}"):
        load(written(OBJECTIVE % said))


def test_an_edited_file_is_another_one(written):
    first = load(written(example()))
    second = load(written(example().replace("my_ddim", "my_other")))
    assert set(second.samplers) == {"my_other"} and first.digest != second.digest


def cells_of(written, text, budgets=(5, 10), model=None):
    found = load(written(START + text))
    [(name, sampler)] = found.samplers.items()
    model = model or gaussian(vp(), torch.zeros(2, dtype=torch.float64), 0.5)
    noise = torch.randn(7, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    draws = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    return list(own_cells(name, sampler, model, noise, budgets, batch=4, draws=draws)), noise, model


TWICE = "STEPS = {'twice': lambda model, x, t, t_next, noise: (x + 0 * model.score(x, t) + 0 * model.score(x, t),) * 2}\n"


def test_as_many_evaluations_as_a_budget_has(written):
    """Two evaluations a step and one at the end: 5 are two steps and 1, of 10 one is left over; 2 are too few."""
    cells, *_ = cells_of(written, TWICE, (2, 5, 10))
    assert [cell.labels.get("nfe") for cell in cells] == [None, 5, 9]
    assert cells[0].samples is None and "take more evaluations" in cells[0].reason
    assert {cell.labels["method"] for cell in cells} == {"twice"}
    assert [cell.labels["at"] for cell in cells] == [2, 5, 10] and len(cells[1].samples) == 7


def test_what_a_sampler_says_of_its_evaluations_does_not_count(written):
    """It says one and asks three times, whatever times it is given: one cell, of no budget."""
    twice = "    for _ in range(2):\n        model.denoised(x, float(times[0]))\n    return finished('a', x, 1)\n"
    cells, *_ = cells_of(written, RUNS + twice + "SAMPLERS = {'a': sample}\n")
    [cell] = cells
    assert cell.labels["nfe"] == 4 and "at" not in cell.labels


def test_the_cells_of_a_suite_method(written):
    """The suite's own DDIM, brought as a user's, gives the samples of the suite's, denoised last."""
    text = "from common.dynamics.samplers.exponential import ddim\nSAMPLERS = {'mine': ddim()}\n"
    cells, noise, model = cells_of(written, text)
    expected = denoised_last(ddim())(model, noise, evenly(model.path, 5)).x
    torch.testing.assert_close(cells[0].samples, expected)
    assert cells[0].labels["nfe"] == 5


@pytest.mark.parametrize("kind", ["STEPS", "SAMPLERS"])
def test_a_sampler_that_fails_on_a_model_is_a_refused_cell(kind, written):
    """It runs on an exact model, and gives NaN on the one in question."""
    step = "def step(model, x, t, t_next, noise):\n    x = model.denoised(x, t) / (x.shape[1] == 1)\n    return x, x\n"
    sample = (
        RUNS + "    data, n = 0 * data / (x.shape[1] == 1), torch.full((len(x),), len(times))\n    return Samples(data, n, n)\n"
    )
    text = {"STEPS": f"{step}STEPS = {{'picky': step}}\n", "SAMPLERS": f"{sample}SAMPLERS = {{'picky': sample}}\n"}[kind]
    cells, *_ = cells_of(written, text)
    assert cells and all(cell.samples is None and "not finite" in cell.reason for cell in cells)
