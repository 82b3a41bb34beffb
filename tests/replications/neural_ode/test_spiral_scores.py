"""Forecasts at the observations' pace, the choice of a rival's state, and the rows, with stand-ins whose answers are known."""

import math
from copy import deepcopy

import pytest
import torch

from replications.neural_ode import spiral_scores
from replications.neural_ode.rival_choice import best_state, late_gain
from replications.neural_ode.rnn_forecaster import Forecaster, interpolated
from replications.neural_ode.spirals import FUTURE, PAST, STEP, WINDOW, Spirals, observation_indices, spirals


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_interpolation_between_knots():
    knots = torch.tensor([0.0, 10.0, 40.0])[:, None, None].expand(-1, 1, 2)
    found = interpolated(knots, torch.tensor([[0.0], [0.5], [1.0], [1.1], [2.0], [7.0]]))
    torch.testing.assert_close(found[:, 0, 1], torch.tensor([0.0, 5.0, 10.0, 13.0, 40.0, 40.0]))


def line(series=3):
    """Points that move by 0.01 a point along the first coordinate, from 0 at time 0, seen without noise."""
    ticks = 0.01 * torch.arange(-PAST, WINDOW + FUTURE, dtype=torch.float64).expand(series, -1)
    clean = torch.stack([ticks, torch.zeros_like(ticks)], -1)
    return Spirals(clean, clean[:, PAST : PAST + WINDOW].clone(), torch.arange(series) % 2 == 1)


def told_the_gap(observations):
    """A forecaster whose answer to (x, gap) is x + 0.01 gap / STEP; the variant without gaps adds a mean stride of 0.01."""
    model = Forecaster(observations, generator=generator()).double()
    for parameter in model.parameters():
        parameter.data.zero_()
    small = 1e-4  # tanh is the identity there
    for index, n in enumerate(model.lengths):
        model.rnn.inward.data[index, 0, 0], model.rnn.inward.data[index, 2, 0] = small, small * 0.01 / STEP
        model.rnn.outward.data[index, 0, 0] = 1 / small
        if not model.sees_gaps[index]:
            model.rnn.out_bias.data[index, 0, 0] = 0.01 * WINDOW / n
    return model


def test_forecasts_at_the_pace_of_the_observations_keep_their_clock():
    """Both variants know the movement exactly, and so does their forecast; point by point, one of them turns too fast."""
    series, observations = line(), [20, 50]
    indices = [torch.arange(0, WINDOW, WINDOW // n).expand(3, -1) for n in observations]
    model, future = told_the_gap(observations), series.clean[:, PAST + WINDOW :].transpose(0, 1)
    paced = model.paced_forecast(series.observed, indices, FUTURE)
    for index in range(4):
        torch.testing.assert_close(paced[:, index], future, atol=1e-5, rtol=0)
    by_point = model.forecast(series.observed, indices, FUTURE)
    torch.testing.assert_close(by_point[:, 0], future, atol=1e-5, rtol=0)
    # without gaps: 5 points' movement at each point
    assert float(by_point[-1, 2, 0, 0]) == pytest.approx(0.95 + 100 * 0.05, abs=1e-3)


def test_with_all_points_observed_both_ways_are_one():
    model, series = Forecaster([WINDOW], generator=generator()), spirals(3, generator=generator())
    indices = [observation_indices(3, WINDOW, generator=generator(1))]
    torch.testing.assert_close(model.paced_forecast(series.observed, indices, 9), model.forecast(series.observed, indices, 9))


def test_every_model_keeps_its_own_best_state():
    first = Forecaster([5], generator=generator())
    passed = [first, deepcopy(first), deepcopy(first)]
    clean = torch.zeros(2, 4, 2)
    errors = ([3.0, 1.0], [1.0, 2.0], [2.0, 2.0])  # of both variants, after each state
    for state, (gaps, plain) in zip(passed, errors):
        state.rnn.out_bias.data[0], state.rnn.out_bias.data[1] = gaps, plain

    def forecast(model):
        return model.rnn.out_bias.data.mean(-1)[None].expand(4, -1, 2)[..., None].expand(-1, -1, -1, 2)

    best, found = best_state(passed, forecast, clean)
    torch.testing.assert_close(found, torch.tensor(errors))
    assert best.rnn.out_bias.data.flatten().tolist() == [1.0] * 4
    assert passed[0].rnn.out_bias.data[0, 0, 0] == 3.0, "the states themselves stay"


def test_late_gain():
    errors = torch.tensor([[4.0, 1.0], [2.0, 2.0], [1.0, 3.0], [3.0, 4.0]])
    assert late_gain(errors).tolist() == [2.0, 1.0]


def by_label(rows):
    return {(row["metric"], row["method"], row.get("at")): row["value"] for row in rows}


def test_errors_and_baselines_of_a_straight_line():
    series = line()
    indices = [torch.tensor([[0, 99]] * 3), torch.tensor([[49]] * 3)]
    found = by_label(spiral_scores.baseline_rows((series, indices), [2, 1]))
    ahead = 0.01 * torch.arange(1, 101, dtype=torch.float64)
    half = math.sqrt(0.5)  # one of two coordinates moves
    assert found["future_rmse", "hold_last", 2] == pytest.approx(half * float(ahead.square().mean().sqrt()))
    assert found["future_rmse", "hold_last", 1] == pytest.approx(half * float((ahead + 0.5).square().mean().sqrt()))
    assert found["future_rmse", "window_mean", 2] == pytest.approx(half * float((ahead + 0.495).square().mean().sqrt()))

    paths = series.clean.transpose(0, 1)[:, None].repeat(1, 2, 1, 1)
    paths[:PAST, 0] += 3.0
    paths[PAST : PAST + WINDOW, 1] += 4.0
    paths[PAST + WINDOW :, 1, 0] += 6.0  # one of three series
    rows = spiral_scores.error_rows(paths, series, [30, 50])
    found = by_label(rows)
    assert [found[f"{part}_rmse", "latent_ode", 30] for part in ("past", "window", "future")] == pytest.approx([3, 0, 0])
    assert [found[f"{part}_rmse", "latent_ode", 50] for part in ("past", "window", "future")] == pytest.approx([0, 4, 12**0.5])
    back = 0.01 * torch.arange(1, 26, dtype=torch.float64)
    assert found["past_rmse", "standing_still", None] == pytest.approx(half * float(back.square().mean().sqrt()))
    errors = {(row["metric"], row.get("at")): row["error"] for row in rows}
    # of mean squares 36, 0, 0: their standard error 12 over twice the root of their mean 12
    assert errors["future_rmse", 50] == pytest.approx(12 / (2 * 12**0.5))
    assert errors["past_rmse", 30] == pytest.approx(0)


def test_forecast_rows_name_variant_way_and_observations():
    series = line()
    forecasts = series.clean[:, PAST + WINDOW :].transpose(0, 1)[:, None].repeat(1, 4, 1, 1)
    for index in range(4):
        forecasts[:, index] += 1.0 + index
    found = by_label(spiral_scores.forecast_rows(forecasts, series, [30, 50], "_by_point"))
    assert found == pytest.approx(
        {
            ("future_rmse", "rnn_gaps_by_point", 30): 1,
            ("future_rmse", "rnn_gaps_by_point", 50): 2,
            ("future_rmse", "rnn_by_point", 30): 3,
            ("future_rmse", "rnn_by_point", 50): 4,
        }
    )
    gains = by_label(spiral_scores.gain_rows(torch.tensor([1.0, 2.0, 3.0, 4.0]), [30, 50], ""))
    assert gains["late_gain", "rnn_gaps", 50] == 2 and gains["late_gain", "rnn", 30] == 3


def test_probes_tell_what_lies_apart_and_not_what_one_point_hides():
    train, test = spirals(400, generator=generator(1)), spirals(400, generator=generator(2))
    indices = [observation_indices(400, 10, generator=generator(k)) for k in (3, 4)]

    def means(series):
        side = torch.where(series.clockwise, 1.0, -1.0)
        apart = torch.stack([side, torch.zeros_like(side)], -1)
        # an inner and an outer ring: there for neighbours, not for a line
        turned = torch.linspace(0, 40, 400)
        rings = (2 + side)[:, None] * torch.stack([turned.cos(), turned.sin()], -1)
        return torch.stack([apart, rings])

    data = [(series, [index, index]) for series, index in zip((train, test), indices)]
    found = by_label(spiral_scores.probe_rows(means(train), means(test), *data, [30, 50]))
    assert found["direction_accuracy", "latent_ode", 30] == 1 and found["direction_accuracy_of_neighbours", "latent_ode", 30] == 1
    assert (
        found["direction_accuracy", "latent_ode", 50] < 0.8 and found["direction_accuracy_of_neighbours", "latent_ode", 50] == 1
    )
    for metric in ("direction_accuracy", "direction_accuracy_of_neighbours"):
        assert found[metric, "one_observation", 30] == pytest.approx(0.5, abs=0.1)
