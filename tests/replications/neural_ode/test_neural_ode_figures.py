"""Figures of arrays that a test writes: what can be taken away with each, and that what is drawn is what was saved."""

import numpy as np
import pytest
from sealed import seal

from common.measure.figures import RunFolder, Runs, style
from replications.neural_ode import figures_flows, figures_latent

NOISE = np.random.default_rng(0)
SERIES, POINTS = 5, figures_latent.PAST + 2 * figures_latent.WINDOW


def run(folder, experiment, settings, **arrays):
    path = folder / experiment
    path.mkdir()
    np.savez(path / "arrays.npz", **arrays)
    seal(path, paper="neural_ode", experiment=experiment, seed=0, settings=settings)
    return RunFolder.open(path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    fitted = {"fractions": np.array([0.5, 1.0]), "half_width": np.array(4.0), "data_moons": NOISE.normal(size=(20, 2))}
    fitted |= {"particles_moons": NOISE.normal(size=(2, 30, 2))}
    fitted |= dict.fromkeys(("density_moons", "nf_density_moons"), NOISE.random((2, 6, 6)))
    matched = {"target_wave": NOISE.random((6, 6)), **dict.fromkeys(("cnf_wave_2", "nf_wave_2"), NOISE.normal(size=(40, 2)))}
    spirals = {
        "clean": NOISE.normal(size=(SERIES, POINTS, 2)),
        "observed": NOISE.normal(size=(SERIES, figures_latent.WINDOW, 2)),
        "clockwise": np.arange(SERIES) % 2 == 0,
        "means": NOISE.normal(size=(POINTS, 1, SERIES, 2)),
        "draws": NOISE.normal(size=(POINTS, 1, SERIES, 2)),
        "forecasts": NOISE.normal(size=(figures_latent.WINDOW, 1, SERIES, 2)),
        "latent_paths": NOISE.normal(size=(6, 1, SERIES, 4)),
        "indices_30": np.tile(np.arange(30), (SERIES, 1)),
        "sweep": NOISE.normal(size=(4, 3, 10, 2)),
    }
    events = {
        "times": np.arange(4.0),
        "true": NOISE.random((1, 4)),
        "learned": NOISE.random((1, 4)),
        "events_bursting": np.ones(3),
    }
    runs = Runs(
        [
            run(folder, "density_matching", {"targets": ["wave"], "sizes": [2]}, **matched),
            run(folder, "maximum_likelihood", {"densities": ["moons"]}, **fitted),
            run(folder, "latent_spirals", {"observations": [30]}, **spirals),
            run(folder, "poisson_events", {}, **events),
        ],
        "neural_ode",
    )
    with style():
        draws = [*figures_flows.figures(runs), *figures_latent.figures(runs)]
        # it draws metrics, and there are none
        yield {figure.id: figure for figure in (draw() for draw in draws if draw.func is not figures_flows.loss_against_size)}


def test_densities_keep_their_colours_and_name_their_arrays_all_others_have_a_table(drawn):
    densities = {"matched-densities", "along-time-moons"}
    assert {name for name, figure in drawn.items() if figure.photographic} == densities
    for name, figure in drawn.items():
        assert figure.runs
        assert (figure.data is None) == (name in densities)
        assert figure.arrays == ("arrays.npz" if name in densities | {"rates"} else "")


def test_tables_hold_every_point_of_every_curve(drawn):
    shown = 4 * (2 * figures_latent.WINDOW + 30)
    rows = {name: len(figure.data) for name, figure in drawn.items() if figure.data is not None}
    assert rows == {
        "forecasts": shown + 4 * (100 + 200),
        "reconstructions": shown + 4 * 100,
        "latent-paths": 6 * SERIES,
        "sweeps": 4 * 3 * 10,
        "rates": 2 * 4,
    }
    table = drawn["forecasts"].data
    forecast = table[(table.series == 2) & (table.curve == "RNN with time gaps")][["x", "y"]].to_numpy()
    np.testing.assert_allclose(forecast, drawn["forecasts"].runs[0].arrays["forecasts"][:, 0, 2], rtol=1e-3)
    paths = drawn["latent-paths"].data
    assert paths.groupby("direction").series.nunique().to_dict() == {"clockwise": 3, "counter-clockwise": 2}
