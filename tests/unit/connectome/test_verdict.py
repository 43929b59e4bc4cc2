"""What is said of a recovered wiring: verdicts, intervals, edges, and derivatives that were observed as differences."""

import dataclasses
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.linalg import expm
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter, savgol_filter

from ontogeny.connectome import edge_table, fit_connectome, simulate_activity
from ontogeny.connectome.battery import FIT, RECOVERABLE, UNRECOVERABLE, _against_truth, run_cases, summary
from ontogeny.connectome.figures import plot_recovery
from ontogeny.connectome.fit import check_memory
from ontogeny.connectome.hidden import without_common, without_hidden
from ontogeny.connectome.noise import Noise, autocorrelation, levinson, shrunk
from ontogeny.connectome.observe import Rows, derived_by, rounding_share, rows_of, split_frames
from ontogeny.connectome.problem import Problem
from ontogeny.connectome.recover import (
    Recovered,
    _alike,
    _by_differences,
    _calibrated,
    _corrected,
    _correlated,
    _defect,
    _differences_of_senders,
    _lasting,
    _mixed,
    _refits,
    _told,
    _unsettled,
    derivative_of,
)
from ontogeny.connectome.refine import WHOLE, Effort, _continued, refine, solve_rows
from ontogeny.connectome.senders import Senders, decompose, triangular
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.splines import Spline, spread, summed
from ontogeny.connectome.uncertainty import _behind, _moved, _taken
from ontogeny.connectome.verdict import ROUNDED, _lacking, judge
from ontogeny.connectome.wiring import connectivity_r2, scale_between
from ontogeny.errors import OntogenyError


def test_whole_trajectories_or_blocks_are_held_out():
    many = split_frames(16, 30)
    assert many.whole
    assert many.held.any(1).sum() == 2
    assert (many.held.all(1) | many.train.all(1)).all()
    one = split_frames(1, 1000)
    assert one.held[0, -100:].all()
    assert not (one.held & one.train).any()
    edges = np.flatnonzero(np.diff(one.held[0].astype(int)))
    assert not any(one.train[0, max(0, k - 5) : k + 5].any() for k in edges)


def test_differences_are_recognised_and_exact_slopes_of_a_flow_are_not():
    u = np.cumsum(np.random.default_rng(0).standard_normal((2, 40, 3)), axis=1)
    assert derived_by(Activity(u=u[:, 1:-1], du=(u[:, 2:] - u[:, :-2]) / 0.02)) == "central"
    assert derived_by(Activity(u=u[:, :-1], du=np.diff(u, axis=1) / 0.01)) == "forward"
    assert derived_by(Activity(u=u[:, 1:], du=np.diff(u, axis=1) / 0.01)) == "backward"
    assert derived_by(Activity(u=u, du=np.cos(u))) is None


def test_slopes_of_splines_and_by_five_points_are_recognised_and_intervals_hold():
    rng = np.random.default_rng(4)
    W = 1.5 * rng.standard_normal((8, 8)) * (rng.random((8, 8)) < 0.4) * (1 - np.eye(8))
    at = {"t_eval": 0.05 * np.arange(60), "rtol": 1e-10, "atol": 1e-12}
    began = 3 * rng.standard_normal((10, 8))
    u = np.stack([solve_ivp(lambda _, x: np.tanh(x) @ W.T - x, (0, 3), x, **at).y.T for x in began])
    spline = CubicSpline(at["t_eval"], u, axis=1)(at["t_eval"], 1)
    assert derived_by(Activity(u=u, du=spline, delta_t=0.05)) == "spline"
    assert derived_by(Activity(u=u, du=np.tanh(u) @ W.T - u, delta_t=0.05)) is None
    five = savgol_filter(u, 5, 3, deriv=1, delta=0.05, axis=1)[:, 2:-2]
    made = Activity(u=u[:, 2:-2], du=five, delta_t=0.05)
    assert derived_by(made) == "five-point"
    fit = fit_connectome(made, settings=FIT, seed=1)
    assert fit.verdict["verdict"] == "trusted", fit.verdict["reason"]
    assert _against_truth(fit, W, 0.95)["coverage"] > 0.9


def test_rows_of_differences_stay_within_their_trajectory():
    u = np.arange(24.0).reshape(2, 6, 2) ** 2
    rows = rows_of(Activity(u=u, du=u), np.ones((2, 6), bool), 100, True)
    assert len(rows) == 10
    assert rows.frame.max() == 4
    np.testing.assert_allclose(rows.slope[0], (u[0, 1] - u[0, 0]) / 0.01)


@pytest.fixture(scope="module")
def fitted():
    """A function: the row of a case of the battery, fitted once."""
    return cache(lambda case: next(run_cases(1, 15, [case])))


def test_both_halves_have_beginnings_and_ends_of_trajectories():
    u = np.zeros((4, 60, 2))
    rows = rows_of(Activity(u=u, du=u), np.ones((4, 60), bool), 1000, False)
    assert len(np.unique(rows.block)) == 24
    for half in rows.halves:
        assert len(rows.only(half)) == 120
        assert {0, 59} <= set(rows.frame[half])


def test_trajectories_that_settle_are_told_apart_from_too_little_to_go_by():
    made = simulate_activity({"n_neurons": 12, "n_trajectories": 12, "n_frames": 400}, seed=3)
    fit = fit_connectome(made, settings=FIT, seed=3)
    assert connectivity_r2(fit.W, made.weights)["connectivity_R2"] > 0.999
    assert fit.verdict["verdict"] == "trusted", fit.verdict["reason"]


def test_senders_that_are_saturated_in_a_half_are_not_compared():
    rng = np.random.default_rng(0)
    u = rng.uniform(-2, 2, (800, 6))
    u[400:, 0] += 12
    W = rng.standard_normal((6, 6)) * (1 - np.eye(6))
    slope = np.tanh(u) @ W.T - u + 1e-4 * rng.standard_normal(u.shape)
    numbers = np.repeat([0, 1], 400)
    rows = Rows(u, slope, numbers, numbers, np.tile(np.arange(400), 2))
    points = np.linspace(u.min(), u.max(), 400)
    found = Recovered(refine(u, slope, (points, np.tanh(points)), clusters=numbers), rows)
    told = _told(found, tuple(rows.only(half) for half in rows.halves))
    assert told.tolist() == [False] + [True] * 5


def test_a_sum_that_never_changes_leaves_the_wiring_open():
    rng = np.random.default_rng(0)
    W = np.abs(rng.standard_normal((8, 8))) * (1 - np.eye(8))
    u = rng.random((600, 8))
    u /= u.sum(1, keepdims=True)
    slope = u @ (W - np.diag(W.sum(0))).T
    points = np.linspace(u.min(), u.max(), 400)
    found = refine(u, slope, (points, points))
    assert found.standard_errors[~np.eye(8, dtype=bool)].min() > 0.1 * np.sqrt(np.mean(found.W**2))


def _master_equation(seed: int, n: int = 14) -> Activity:
    """Shares of a whole that go over into each other at fixed rates: linear, with a sum that never changes."""
    rng = np.random.default_rng(seed)
    W = rng.random((n, n)) * (rng.random((n, n)) < 0.4) * (1 - np.eye(n))
    rates = W - np.diag(W.sum(0))
    u = np.empty((12, 100, n))
    u[:, 0] = rng.dirichlet(np.ones(n) / 2, 12)
    for t in range(99):
        u[:, t + 1] = u[:, t] @ expm(0.05 * rates).T
    return Activity(u=u, du=u @ rates.T, W=W, delta_t=0.05)


def test_a_sum_that_never_changes_is_no_trusted_wiring_however_many_neurons_share_it():
    fit = fit_connectome(_master_equation(0), settings=FIT)
    assert fit.verdict["precision"] > 0.9
    assert fit.verdict["refit_agreement"] > 0.95
    assert fit.verdict["verdict"] == "undetermined"
    assert "a sum that never changes" in fit.verdict["reason"]


def test_a_saturated_sender_makes_up_a_constant_alone():
    whole, single = np.full((10, 1), 10**-0.5), np.eye(10)[:, :1]
    assert _moved(whole) == pytest.approx(1.0)
    assert _moved(single) == pytest.approx(0.1)
    assert _moved(1e-4 * whole) == 0
    assert _moved(np.zeros((10, 0))) == 0


def test_a_mask_that_leaves_neurons_different_numbers_of_senders_serves_more_than_16_of_them():
    made = simulate_activity(
        {"n_neurons": 20, "n_trajectories": 8, "n_frames": 60, "connectivity_filling_factor": 0.4}, seed=4
    )
    u, du = (a.reshape(-1, 20) for a in (made.u, made.du))
    points = np.linspace(u.min(), u.max(), 400)
    found = refine(u, du, (points, np.tanh(points)), allowed=made.W != 0)
    assert (found.standard_errors[made.W != 0] > 0).all()


@pytest.mark.parametrize("case", ["white noise", "central differences"])
def test_what_can_be_recovered_is_trusted_with_intervals_that_hold(fitted, case):
    row = fitted(case)
    assert row["verdict"] == "trusted", row["reason"]
    assert row["connectivity_R2"] > 0.999
    assert row["coverage"] > 0.9
    assert row["false_edges"] <= 0.07


def test_intervals_of_oscillators_hold_and_are_not_many_times_too_wide():
    made = RECOVERABLE["linear oscillators"](15)
    fit = fit_connectome(made, settings=FIT, seed=15)
    assert fit.verdict["verdict"] == "trusted", fit.verdict["reason"]
    found = _against_truth(fit, made.weights, 0.95)
    assert found["coverage"] > 0.9
    assert found["false_edges"] <= 0.07
    truth = scale_between(fit.W, made.weights, fit.standard_errors) * made.weights
    others = ~np.eye(16, dtype=bool)
    off = (fit.W - truth)[others] / fit.standard_errors[others]
    assert np.sqrt(np.mean(off**2)) > 0.2


def test_intervals_of_exact_slopes_are_no_narrower_than_rounding_without_memory_makes_them():
    row = next(run_cases(1, 9506, ["Gaussian wiring"]))
    assert row["verdict"] == "trusted", row["reason"]
    assert 0.9 <= row["coverage"] <= 0.99
    assert row["false_edges"] <= 0.07


def test_a_receiver_that_tells_little_of_psi_does_not_make_it_uncertain_by_its_noise():
    rng = np.random.default_rng(1)
    W = rng.standard_normal((8, 8)) * (1 - np.eye(8))
    W[0] *= 0.01
    u = 2 * rng.standard_normal((1000, 8))
    slope = np.tanh(u) @ W.T - u + np.r_[1.0, np.full(7, 0.01)] * rng.standard_normal(u.shape)
    points = np.linspace(u.min(), u.max(), 400)
    found = refine(u, slope, (points, np.tanh(2 * points)), clusters=np.repeat(np.arange(25), 40))
    others = ~np.eye(8, dtype=bool)
    others[0] = False
    off = (found.W - scale_between(found.W, W, found.standard_errors) * W)[others] / found.standard_errors[others]
    assert 0.6 < np.sqrt(np.mean(off**2)) < 1.3


def test_corrections_that_have_not_settled_widen_intervals_by_how_much_they_move_weights():
    rng = np.random.default_rng(2)
    W = rng.standard_normal((6, 6)) * (1 - np.eye(6))
    u = 2 * rng.standard_normal((600, 6))
    rows = Rows(u, np.tanh(u) @ W.T - u, np.repeat(np.arange(10), 60), np.zeros(600, int), np.arange(600))
    points = np.linspace(u.min(), u.max(), 400)
    refined = refine(u, rows.slope, (points, np.tanh(points)), clusters=rows.block)
    raw = rows.slope + _defect(Recovered(refined, rows), 0.01, 2)
    errors = np.full((6, 6), 1e-3)
    sent = refined.spline.values(refined.psi, u[:, [5]])
    for change, grown in ((1e-5 * rng.standard_normal(u.shape), 1.0), (0.01 * sent, np.sqrt(1 + 100 / 6))):
        found = Recovered(refined, rows, substeps=2, raw=raw + change)
        np.testing.assert_allclose(_unsettled(found, None, 0.01, np.arange(5), errors[:5]), grown, rtol=0.05)


@pytest.mark.parametrize("summed_up", [False, True])
def test_halves_widen_intervals_of_the_integral_form_however_little_is_left(summed_up):
    rng = np.random.default_rng(3)
    W = rng.standard_normal((6, 6)) * (1 - np.eye(6))
    u = 2 * rng.standard_normal((600, 6))
    slope = np.tanh(u) @ W.T - u + 1e-6 * rng.standard_normal(u.shape)
    rows = Rows(u, slope, np.repeat(np.arange(10), 60), np.zeros(600, int), np.arange(600))
    points, windows = np.linspace(u.min(), u.max(), 400), rows.block if summed_up else None
    refined = refine(u, slope, (points, np.tanh(points)), clusters=rows.block, windows=windows)
    narrow = dataclasses.replace(refined, standard_errors=0.1 * refined.standard_errors)
    found = Recovered(narrow, rows, windows)
    grown = _calibrated(found, found, None, 0.01, 0).refined.standard_errors.sum() / narrow.standard_errors.sum()
    assert grown > 3 if summed_up else grown == pytest.approx(1, abs=0.01)


def test_a_search_that_got_stuck_without_a_correction_does_not_decide_for_one():
    row = next(run_cases(1, 7008, ["noisy states"]))
    assert row["verdict"] == "trusted", row["reason"]
    assert 0.9 <= row["coverage"] <= 0.99
    assert row["false_edges"] <= 0.07


@pytest.mark.parametrize(
    "case",
    ["travelling wave", "short", "settled", "half of the neurons hidden"],
)
def test_what_cannot_be_recovered_is_not_trusted(fitted, case):
    row = fitted(case)
    assert row["verdict"] in ("undetermined", "wrong")
    assert row["reason"]
    assert not row["refit_agreement"] > 0.8


def test_noisy_copies_of_neurons_are_not_trusted():
    made = simulate_activity(
        {
            "n_neurons": 6,
            "n_trajectories": 8,
            "n_frames": 80,
            "connectivity_filling_factor": 0.5,
            "precision": "float64",
        },
        seed=15,
    )
    noise = 0.01 * made.u.std() * np.random.default_rng(15).standard_normal(made.u[..., :3].shape)
    u = np.concatenate([made.u, made.u[..., :3] + noise], 2)
    copied = Activity(u=u[:, 1:-1], du=(u[:, 2:] - u[:, :-2]) / (2 * made.delta_t), delta_t=made.delta_t)
    verdict = fit_connectome(copied, settings=FIT, seed=15).verdict
    assert verdict["verdict"] != "trusted"
    assert verdict["reason"]


def test_intervals_hold_where_noise_lasts_for_several_frames():
    row = next(run_cases(1, 9507, ["coloured noise"]))
    assert row["verdict"] == "trusted", row["reason"]
    assert 0.9 <= row["coverage"] <= 0.99
    assert row["false_edges"] <= 0.07


@pytest.mark.parametrize("slow", ["autoregression", "1/f"])
def test_intervals_hold_where_noise_outlasts_ten_frames(slow):
    seed = {"autoregression": 31, "1/f": 9506}[slow]
    made = simulate_activity(
        {"n_neurons": 12, "n_trajectories": 10, "n_frames": 120, "connectivity_filling_factor": 0.35}, seed=seed
    )
    steps = np.random.default_rng([seed, 8811]).standard_normal((10, 1024, 12))
    if slow == "1/f":
        frequency = np.maximum(np.fft.rfftfreq(1024), 1 / 1024)
        noise = np.fft.irfft(np.fft.rfft(steps, axis=1) / np.sqrt(frequency)[:, None], axis=1)[:, :120]
    else:
        noise = lfilter([1], [1, -0.9], steps, axis=1)[:, 100:220]
    slopes = made.du + 0.1 * made.du.std() * noise / noise.std()
    found = _against_truth(
        fit_connectome(dataclasses.replace(made, du=slopes), settings=FIT, seed=seed), made.weights, 0.95
    )
    assert 0.9 <= found["coverage"] <= 0.99
    assert found["false_edges"] <= 0.07


def _autoregression(rng: np.random.Generator, stretches: np.ndarray, columns: int) -> np.ndarray:
    return Noise(0.8 ** np.arange(1, 4), stretches).coloured(rng.standard_normal((len(stretches), columns)))


def test_frames_are_whitened_within_stretches_and_no_frame_is_lost():
    stretches, lags = np.repeat([0, 1], [40, 25]), np.array([0.9, 0.7, 0.5])
    noise = Noise(lags, stretches)
    whole = noise.whitened(np.eye(65))
    np.testing.assert_allclose(noise.transposed(np.eye(65)), whole.T)
    np.testing.assert_allclose(noise.coloured(whole), np.eye(65), atol=1e-12)
    inverse = np.linalg.inv(whole)
    covariance = inverse @ inverse.T
    np.testing.assert_allclose(covariance[0, :4] / covariance[0, 0], np.r_[1, lags])
    np.testing.assert_allclose(covariance[60, 57:61][::-1] / covariance[60, 60], np.r_[1, lags])
    assert covariance[39, 40] == 0
    partial = np.array([0.9, -0.2, 0.1])
    np.testing.assert_allclose(levinson(levinson(partial=partial).autocorrelations).partial, partial)


def test_noise_that_lasts_is_found_behind_residuals_that_last_less_long():
    rng = np.random.default_rng(0)
    numbers = np.repeat(np.arange(8), 100)
    u = np.cumsum(rng.standard_normal((800, 10)), axis=0) % 4 - 2
    W = rng.standard_normal((10, 10)) * (1 - np.eye(10))
    slope = np.tanh(u) @ W.T - u + 0.3 * _autoregression(rng, numbers, 10)
    rows = Rows(u, slope, numbers, numbers, np.tile(np.arange(100), 8))
    points = np.linspace(-2, 2, 400)
    found = Recovered(refine(u, slope, (points, np.tanh(points)), clusters=numbers), rows)
    left = slope - derivative_of(found.refined)(u)
    assert _correlated(left, numbers, 1)[0] < 0.78
    np.testing.assert_allclose(_lasting(found, 0)[:3], [0.8, 0.64, 0.51], atol=0.05)


def test_noise_that_is_smoothed_is_found_behind_residuals_that_last_less_long():
    rng = np.random.default_rng(1)
    numbers = np.repeat(np.arange(8), 100)
    u = 10 * gaussian_filter1d(rng.standard_normal((8, 240, 10)), 15, axis=1)[:, 70:170].reshape(-1, 10)
    noise = gaussian_filter1d(rng.standard_normal((8, 140, 10)), 4, axis=1)[:, 20:120].reshape(-1, 10)
    slope = np.tanh(u) @ (rng.standard_normal((10, 10)) * (1 - np.eye(10))).T - u + noise
    points = np.linspace(u.min(), u.max(), 400)
    problem = Problem(u, slope, Spline(u.min() - 1e-6, u.max() + 1e-6, 0.2, 24), None, numbers, None)
    _, sent = problem.normalised(problem.spline.fit(points, np.tanh(points)))
    solved = solve_rows(problem, sent, 1e-3)
    left = slope - problem.own_values(np.arange(10), solved.phi) - sent @ solved.W.T
    lags = autocorrelation(left, numbers)
    half = len(lags) // 2
    true = np.exp(-(np.arange(1, half + 1) ** 2) / 64)
    shown, found = lags[:half], _behind(lags, problem, solved)[:half]
    assert (shown < true).all()
    assert (found > shown).all()
    assert np.abs(found - true).max() < 0.7 * np.abs(shown - true).max()


def test_senders_with_functions_of_their_own_have_wider_intervals():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((8, 8)) * (1 - np.eye(8))
    u = rng.uniform(-2, 2, (1200, 8))
    points, numbers = np.linspace(-2, 2, 400), np.repeat(np.arange(12), 100)
    shown = {}
    for name, gains in {"alike": np.ones(8), "apart": np.exp(0.3 * rng.standard_normal(8))}.items():
        slope = np.tanh(gains * u) @ W.T - u + 0.1 * rng.standard_normal(u.shape)
        rows = Rows(u, slope, numbers, numbers, np.tile(np.arange(100), 12))
        found = Recovered(refine(u, slope, (points, np.tanh(points)), clusters=numbers), rows)
        shown[name] = _differences_of_senders(found)
    assert not shown["alike"].any()
    assert 0.001 < shown["apart"].mean() < 0.1


def test_of_many_neurons_senders_come_without_singular_values_and_few_rows_are_solved():
    rng = np.random.default_rng(0)
    sent, values = rng.standard_normal((300, 40)), rng.standard_normal((300, 2))
    plain = Senders(*decompose(sent), 1e-9)
    for rough in (False, True):
        quick = triangular(sent, 1e-9, rough)
        assert quick.holds
        np.testing.assert_allclose(
            quick.rest(values, quick.U.T @ values), plain.rest(values, plain.U.T @ values), atol=1e-8
        )
        np.testing.assert_allclose(quick.weights(quick.U.T @ values), plain.weights(plain.U.T @ values), atol=1e-8)
        np.testing.assert_allclose(quick.spread, plain.spread, rtol=1e-8)
        assert quick.taken == pytest.approx(40)
    quick.shrink = 1e3
    assert not quick.holds
    assert triangular(sent, 1e3, False) is None
    ridge, there = Senders(*decompose(sent), 1e2), triangular(sent, 1e2, True)
    np.testing.assert_allclose(there.weights(there.U.T @ values), ridge.weights(ridge.U.T @ values), atol=1e-10)
    assert there.taken == pytest.approx(ridge.taken)
    made = simulate_activity({"n_neurons": 12, "n_trajectories": 8, "n_frames": 60}, seed=4)
    u, du = (a.reshape(-1, 12) for a in (made.u, made.du))
    points = np.linspace(u.min(), u.max(), 400)
    few = refine(u, du, (points, np.tanh(points)), effort=Effort(rows=4, uncertainty=False))
    whole = refine(u, du, (points, np.tanh(points)), effort=Effort(uncertainty=False))
    solved = np.isfinite(few.W).all(1)
    assert np.flatnonzero(solved).tolist() == [0, 3, 7, 11]
    np.testing.assert_allclose(few.W[solved], whole.W[solved], rtol=1e-3, atol=1e-5)


def test_splines_that_act_on_a_frame_are_summed_as_the_whole_design_would():
    rng = np.random.default_rng(0)
    u, values = rng.uniform(-3, 3, (1300, 3)), rng.standard_normal((1300, 300))
    spline = Spline(-3.1, 3.1, 0.5, 12)
    problem = Problem(u, u, spline, None, np.arange(1300), None)
    for i, found in enumerate(problem.toward(np.arange(3), values)):
        np.testing.assert_allclose(found, problem.design(i).T @ values, atol=1e-10)


def test_a_fit_takes_more_of_slow_noise_than_of_white():
    rng = np.random.default_rng(0)
    numbers = np.repeat([0, 1], 100)
    u = rng.standard_normal((200, 3))
    problem = Problem(u, u, Spline(-4.0, 4.0, 1.0), None, numbers, None)
    slow, fast = np.full((200, 1), 200**-0.5), np.linalg.qr(rng.standard_normal((200, 5)))[0]
    assert _taken(slow, np.array([0.5]), problem) == pytest.approx(198 / 200)
    assert abs(_taken(fast, np.array([0.5]), problem)) < 1
    assert _taken(slow, np.empty(0), problem) == 0


def test_a_network_that_noise_alone_moves_is_found_from_central_differences():
    rng = np.random.default_rng(12)
    W = 1.5 * rng.standard_normal((6, 6)) * (rng.random((6, 6)) < 0.4)
    np.fill_diagonal(W, 0)
    u = np.zeros((4, 4002, 6))
    for t in range(4001):
        u[:, t + 1] = u[:, t] + 0.02 * (-u[:, t] + np.tanh(u[:, t]) @ W.T) + 0.08 * rng.standard_normal((4, 6))
    u = u[:, 2::5]
    made = Activity(u=u[:, 1:-1], du=(u[:, 2:] - u[:, :-2]) / 0.2, W=W, delta_t=0.1)
    fit = fit_connectome(made, settings=FIT, seed=1)
    assert fit.refined
    assert fit.verdict["verdict"] != "wrong"
    assert connectivity_r2(fit.W, W)["connectivity_R2"] > 0.95


def test_noise_in_the_dynamics_hides_no_time_between_frames():
    made = simulate_activity(
        {
            "n_neurons": 16,
            "n_trajectories": 10,
            "n_frames": 600,
            "noise_level": 0.02,
            "connectivity_filling_factor": 0.3,
        },
        seed=611,
    )
    u = made.u[:, ::5]
    slopes = (u[:, 2:] - u[:, :-2]) / (10 * made.delta_t)
    fit = fit_connectome(Activity(u=u[:, 1:-1], du=slopes, delta_t=5 * made.delta_t), settings=FIT, seed=611)
    assert any("between them" in note for note in fit.notes)
    true = connectivity_r2(fit.W, made.weights)["slope"] * made.weights
    table = edge_table(fit)
    truth = true[table["target"], table["source"]]
    assert 0.9 <= np.mean((table["low"] <= truth) & (truth <= table["high"])) <= 0.99


def test_a_bell_is_found_and_its_sign_does_not_count():
    rng = np.random.default_rng(3)
    W = rng.standard_normal((12, 12)) * (rng.random((12, 12)) < 0.3)
    np.fill_diagonal(W, 0)
    u = rng.uniform(-3, 3, (8, 60, 12))
    fit = fit_connectome(u, -u + 3 * np.exp(-(u**2)) @ W.T, settings=FIT)
    assert connectivity_r2(fit.W, W)["connectivity_R2"] > 0.999
    assert fit.verdict["refit_agreement"] > 0.99


def test_functions_go_on_as_lines_beyond_what_was_seen():
    fit = fit_connectome(simulate_activity({"n_neurons": 8, "n_trajectories": 6, "n_frames": 60}), settings=FIT)
    far = [fit.derivative(np.full((1, 8), size)) for size in (50.0, 60.0, 70.0)]
    np.testing.assert_allclose(far[2] - far[1], far[1] - far[0], atol=1e-8)


def test_the_autocorrelation_of_residuals_ends_where_it_is_that_of_white_noise():
    rng = np.random.default_rng(0)
    noise, stretches = rng.standard_normal((4000, 3)), np.repeat(np.arange(8), 500)
    assert not autocorrelation(noise, stretches).size
    lasting = gaussian_filter1d(noise, 2, axis=0)
    lags = autocorrelation(lasting, stretches)
    np.testing.assert_allclose(lags[:4], np.exp(-(np.arange(1, 5) ** 2) / 16), atol=0.05)
    assert len(lags) < 40


def test_what_chance_explains_is_shrunk_to_the_mean():
    values = np.exp(0.1 * np.random.default_rng(0).standard_normal(50))
    assert np.ptp(shrunk(values, 0.02)) == 0
    assert shrunk(np.r_[values, 20.0], 0.02)[-1] > 10


def test_own_functions_go_on_as_lines_where_a_neuron_never_went():
    spline = Spline(-10.0, 10.0, 1.0)
    u = np.random.default_rng(0).uniform([-2.0, -10.0], [2.0, 10.0], (3000, 2))
    points = np.linspace(-10, 10, 2001)
    line = spline.fit(points, 1 - 2 * points)
    bent = line + 500.0 * (np.arange(spline.size) > spline.size - 3)
    phi = np.stack([bent, line], 1)
    out = spline.values(_continued(phi, spline, u), points)
    np.testing.assert_allclose(out[:, 0], 1 - 2 * points, atol=1e-6)
    np.testing.assert_allclose(out[:, 1], 1 - 2 * points, atol=1e-6)


def test_a_correction_that_does_not_contract_settles_when_rounds_are_mixed():
    turn = np.array([[0.2, -1.1], [1.1, 0.2]])
    used, made = [], []
    state = np.zeros(2)
    for _ in range(5):
        used.append(state)
        made.append(turn @ state + 1.0)
        state = _mixed(used, made)
    np.testing.assert_allclose(state, np.linalg.solve(np.eye(2) - turn, np.ones(2)), rtol=1e-6)


@pytest.mark.parametrize(
    ("most", "gained", "tried"), [(0.25, 0.05, [0]), (None, 1e-7, [0, 2]), (None, 0.1, [0, 2, 3, 4])]
)
def test_as_many_steps_in_a_frame_are_tried_as_may_pay(monkeypatch, most, gained, tried):
    rng = np.random.default_rng(3)
    u, noise = rng.standard_normal((2, 240, 3))
    rows = Rows(u, noise - u, np.arange(240) // 20, np.zeros(240, int), np.arange(240))
    psi = (np.linspace(-4, 4, 101), np.tanh(np.linspace(-4, 4, 101)))
    asked = []

    def run(part, start, windows, effort=WHOLE):
        return refine(part.u, part.slope, start, clusters=part.block, windows=windows, effort=Effort(3, 1, 1))

    def corrected(found, run, delta_t, substeps):
        asked.append(substeps)
        left = (1 - gained) ** min(len(asked), 3) if len(asked) < 4 else 1.0
        return dataclasses.replace(
            start, refined=dataclasses.replace(start.refined, noise=start.refined.noise * left), substeps=substeps
        )

    monkeypatch.setattr("ontogeny.connectome.recover._corrected", corrected)
    monkeypatch.setattr("ontogeny.connectome.recover._substeps_between", lambda found, flow: (2, 0.9 * found.share))
    start = Recovered(run(rows, psi, None), rows)
    _by_differences(start, run, psi, 0.05, most, True)
    assert asked == tried


def test_halves_from_which_no_curve_gets_free_start_from_a_line():
    rng = np.random.default_rng(5)
    u, noise = rng.standard_normal((2, 240, 3))
    rows = Rows(u, noise - u, np.arange(240) // 20, np.zeros(240, int), np.arange(240))
    psi = (np.linspace(-4, 4, 101), np.tanh(np.linspace(-4, 4, 101)))
    fitted = refine(u, rows.slope, psi, clusters=rows.block, effort=Effort(3, 1, 1))
    starts = []

    def run(part, start, windows, effort):
        starts.append(float(np.abs(np.diff(start[1], 2)).max()) < 1e-9)
        return dataclasses.replace(fitted, noise=fitted.noise * (1 if starts[-1] else 10))

    wirings, least = _refits(Recovered(fitted, rows), run, 0)
    assert starts == 2 * [False, False, False, False, True]
    assert least.share < 2 * Recovered(fitted, rows).share
    assert len(wirings) == 2


def test_sums_along_windows_and_their_transpose_are_linear_maps():
    rng = np.random.default_rng(4)
    windows = np.repeat([0, 1, 2], [7, 1, 12])
    a, b = rng.standard_normal((2, 20, 5))
    direct = np.concatenate([(c := part.cumsum(0)) - c.mean(0) for part in np.split(a, [7, 8])])
    np.testing.assert_allclose(summed(a, windows), direct, atol=1e-13)
    assert np.vdot(summed(a, windows), b) == pytest.approx(np.vdot(a, spread(b, windows)))
    assert summed(a.reshape(20, 5, 1), windows).shape == (20, 5, 1)
    assert summed(a, None) is a


def test_frames_far_apart_are_corrected_to_the_precision_of_the_data():
    made = simulate_activity(
        {"n_neurons": 8, "n_trajectories": 8, "n_frames": 960, "connectivity_filling_factor": 0.5}, seed=2
    )
    u = made.u[:, ::8]
    rows = rows_of(Activity(u=u, du=u, delta_t=0.08), np.ones(u.shape[:2], bool), 6000, True)

    def run(rows, start, windows, effort=WHOLE):
        return refine(rows.u, rows.slope, start, clusters=rows.block, windows=windows, effort=effort)

    points = np.linspace(rows.u.min(), rows.u.max(), 401)
    found = _corrected(Recovered(run(rows, (points, np.tanh(points)), None), rows), run, 0.08, 8)
    assert found.share < 1e-8
    assert 1 - connectivity_r2(found.refined.W, made.weights)["connectivity_R2"] < 1e-10


def test_intervals_hold_where_trajectories_begin_close_to_each_other():
    rng = np.random.default_rng([1, 555])
    W = 4 * rng.standard_normal((12, 12)) * (rng.random((12, 12)) < 0.35) * (1 - np.eye(12))
    state = 3 * rng.standard_normal((1, 12)) + 0.1 * rng.standard_normal((12, 12))
    frames = []
    for _ in range(120):
        frames.append(state)
        state = state + 0.05 * (np.tanh(state) @ W.T - state)
    u = np.stack(frames, 1)
    fit = fit_connectome(Activity(u=u[:, 1:-1], du=(u[:, 2:] - u[:, :-2]) / 0.1, delta_t=0.05), settings=FIT, seed=1)
    table = edge_table(fit)
    truth = scale_between(fit.W, W, fit.standard_errors) * W[table["target"], table["source"]]
    assert np.mean((table["low"] <= truth) & (truth <= table["high"])) > 0.9
    assert np.mean(truth[table["edge"]] == 0) <= 0.07


def test_neither_weights_that_are_known_badly_nor_a_few_that_are_wrong_move_the_scale():
    rng = np.random.default_rng(2)
    true = rng.standard_normal((20, 20)) * (rng.random((20, 20)) < 0.5)
    np.fill_diagonal(true, 0)
    errors = np.full((20, 20), 0.01)
    errors[:4] = 10.0
    learned = 2 * true + errors * rng.standard_normal((20, 20))
    assert abs(connectivity_r2(learned, true)["slope"] - 2) > 0.05
    assert scale_between(learned, true, errors) == pytest.approx(2, abs=0.01)
    found = _against_truth(SimpleNamespace(W=learned, standard_errors=errors), true, 0.95)
    assert 0.9 < found["coverage"] < 0.98
    assert found["connectivity_R2"] == connectivity_r2(learned, true)["connectivity_R2"]
    unknown = np.where(np.arange(20)[:, None] < 4, 0.0, errors)
    assert scale_between(learned, true, unknown) == pytest.approx(2, abs=0.01)
    assert scale_between(learned, true, np.zeros_like(true)) == 1
    overconfident = errors.copy()
    learned[19], overconfident[19] = 0.3 * true[19], 1e-5
    assert scale_between(learned, true, overconfident) == pytest.approx(2, abs=0.01)


def test_what_is_alike_in_a_group_counts_less():
    rng = np.random.default_rng(0)
    group = np.tile(np.arange(200), 8)
    shared = rng.standard_normal((200, 3))[group]
    own = rng.standard_normal((1600, 3))
    assert _alike(shared, group) == pytest.approx(1.0)
    assert _alike(shared + own, group) == pytest.approx(0.5, abs=0.05)
    assert abs(_alike(own, group)) < 0.02
    assert _alike(own, np.arange(1600)) == 0


GOOD = {"held_out_error": 0.01, "own_error": 1.0, "shifted_error": 1.0, "held_out_variance": 1.0, "agreement": 0.9}
GOOD |= {"refit_agreement": 0.9, "precision": 0.99, "rollout_skill": 1.0, "memory": 0.0, "common_inputs": 0.0}
GOOD |= {"common_share": 0.0, "frames_per_unknown": 30.0, "moved": 0.0, "rounding_share": 0.3}
GOOD |= {"senders_apart": 0.0, "dimensions_lacking": 0.0}


def test_halves_that_differ_although_nothing_is_left_are_not_trusted():
    assert judge({**GOOD, "residual_share": 1e-2}).verdict == "trusted"
    assert judge({**GOOD, "residual_share": 1e-9}).verdict == "undetermined"
    coarse = judge({**GOOD, "residual_share": 1e-2, "rounding_share": 0.6})
    assert coarse.verdict == "undetermined"
    assert "rounding" not in judge({**GOOD, "residual_share": 1e-2}).reason
    assert "rounded so coarsely that this makes 60%" in coarse.reason


def test_noise_is_the_same_noise_where_the_frames_held_out_move_more_or_less():
    noisy = {**GOOD, "residual_share": 0.19, "held_out_error": 0.6}
    assert judge({**noisy, "held_out_variance": 0.33}).verdict == "trusted"
    assert judge({**noisy, "held_out_variance": 1.0}).verdict == "undetermined"
    assert judge({**noisy, "residual_share": 0.55, "held_out_variance": 3.0}).verdict == "undetermined"
    still = judge({**noisy, "held_out_error": 0.95, "held_out_variance": 0.2})
    assert still.verdict == "undetermined"
    assert "move too little against the noise" in still.reason
    assert judge({**noisy, "held_out_error": 0.95, "held_out_variance": 1.0}).verdict == "wrong"


def test_held_out_frames_that_their_mean_foretells_as_well_make_no_wiring_wrong_that_all_else_speaks_for():
    beyond = {**GOOD, "residual_share": 3e-3, "held_out_error": 0.95, "own_error": 11.0, "shifted_error": 12.0}
    found = judge(beyond)
    assert found.verdict == "undetermined"
    assert "they go where no others went" in found.reason
    drowned = {**GOOD, "residual_share": 0.9, "held_out_error": 0.95, "own_error": 1.1, "shifted_error": 1.1}
    found = judge({**drowned, "agreement": 0.5, "refit_agreement": 0.45})
    assert found.verdict == "undetermined"
    assert "noise makes 90% of the slopes" in found.reason
    assert judge({**drowned, "rollout_skill": 0.2}).verdict == "undetermined"
    for against in ({"rollout_skill": 0.2}, {"agreement": 0.2}, {"own_error": 0.9}):
        assert judge({**beyond, **against}).verdict == "wrong"
        assert judge({**drowned, "refit_agreement": 0.45, **against}).verdict == "wrong"


def test_senders_with_functions_of_their_own_leave_the_wiring_open():
    noisy = {**GOOD, "residual_share": 1e-2}
    assert judge({**noisy, "senders_apart": 0.01}).verdict == "trusted"
    apart = judge({**noisy, "senders_apart": 0.05})
    assert apart.verdict == "undetermined"
    assert "what senders send differs by 5% from one function for all" in apart.reason


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_states_that_components_were_taken_out_of_leave_the_wiring_open(precision):
    u = RECOVERABLE["exact slopes"](9501).u.reshape(-1, 16).astype(np.float64)
    assert _lacking(u) == 0
    left, size, right = np.linalg.svd(u - u.mean(0), full_matrices=False)
    size[-2:] = 0
    assert _lacking(((left * size) @ right + u.mean(0)).astype(precision).astype(np.float64)) == 2
    assert _lacking((u - u.mean(1, keepdims=True)).astype(precision).astype(np.float64)) == 1
    assert _lacking(np.c_[u, np.ones(len(u))]) == 0
    found = judge({**GOOD, "residual_share": 1e-2, "dimensions_lacking": 1.0})
    assert found.verdict == "undetermined"
    assert "states lack 1 of the dimensions" in found.reason


def test_the_little_that_is_left_counts_where_neurons_share_it():
    shared = {**GOOD, "refit_agreement": 0.999, "common_inputs": 2.0, "common_share": 0.6}
    assert judge({**shared, "residual_share": 1e-5}).verdict == "undetermined"
    assert judge({**shared, "residual_share": 1e-8}).verdict == "trusted"
    assert judge({**shared, "residual_share": 1e-5, "common_share": 0.05}).verdict == "trusted"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_states_on_a_grid_that_is_coarse_against_their_changes_are_told_from_fine_ones(seed):
    made = simulate_activity({"n_neurons": 12, "n_trajectories": 10, "n_frames": 120}, seed=seed)

    def share(states: np.ndarray) -> float:
        return rounding_share(rows_of(Activity(u=states, du=states), np.ones(states.shape[:2], bool), 4000, True))

    def rounded(bits: int) -> np.ndarray:
        step = np.ptp(made.u) / (2**bits - 1)
        return np.round(made.u / step) * step

    for bits in (6, 8):
        assert share(rounded(bits)) > ROUNDED
        assert share((rounded(bits) - 60).astype(np.float32)) > ROUNDED
        scaled = (rounded(bits) - made.u.mean((0, 1))) / made.u.std((0, 1))
        assert share(scaled) == pytest.approx(share(rounded(bits)))
    for bits in (10, 12):
        assert 0 < share(rounded(bits)) < ROUNDED
    assert share(made.u) == 0
    gains = np.random.default_rng(seed).uniform(0.5, 2.0, (10, 1, 12))
    assert share(gains * rounded(8)) == pytest.approx(share(rounded(8)), rel=0.2)
    assert share(gains * made.u) == 0
    counts = np.random.default_rng(seed).poisson(8.0, made.u.shape)
    assert share(counts) < 0.1


def test_the_battery_is_summed_up_by_case(fitted):
    table = summary(pd.DataFrame([fitted("short")]))
    assert table["trusted"].tolist() == [0]
    assert table["high"].iloc[0] > 0
    assert len(RECOVERABLE) >= 8
    assert len(UNRECOVERABLE) >= 10


def test_the_figure_of_recovery_says_what_verdicts_each_condition_got():
    known = {"connectivity_R2": 0.99, "cluster_accuracy": 0.9}
    rows = [
        {"condition": "simulated", "filling_factor": 1.0, "verdict": "trusted", **known},
        {"condition": "simulated", "filling_factor": 0.5, "verdict": "wrong", **known},
        {"condition": "simulated", "filling_factor": 0.5, "verdict": "trusted", **known},
        {"condition": "recorded", "verdict": "undetermined"},
        {"condition": "not judged", "filling_factor": 1.0, **known},
    ]
    drawn, _ = plot_recovery(pd.DataFrame(rows))
    shown = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert shown == [
        "simulated\n(wiring: 2 trusted, 1 wrong)",
        "recorded\n(wiring: undetermined; no truth was given)",
        "not judged",
    ]


def test_edges_come_with_intervals_probabilities_and_a_false_discovery_rate():
    made = RECOVERABLE["white noise"](2)
    fit = fit_connectome(made, settings=FIT)
    table = edge_table(fit)
    assert len(table) == 16 * 15
    assert (table["low"] < table["weight"]).all()
    assert table["q_value"].is_monotonic_increasing
    assert table["probability"].between(0, 1).all()
    edge = made.weights[table["target"], table["source"]] != 0
    assert table["probability"][edge].mean() > 0.8 > 0.2 > table["probability"][~edge].mean()
    found = table[table["edge"]]
    assert (made.weights[found["target"], found["source"]] == 0).mean() <= 0.07


def test_a_fit_whose_refinement_was_dropped_says_so_where_edges_are_tested():
    why = "the refinement was dropped: its error on held-out frames is 2, without it 1"
    with pytest.raises(OntogenyError, match=f"cannot be tested, since {why}"):
        edge_table(SimpleNamespace(standard_errors=None, verdict={"reason": f"{why}; more"}))


def test_few_edges_of_any_recording_are_false_although_the_weights_of_a_receiver_share_its_noise():
    rng = np.random.default_rng(0)
    n, false = 16, []
    for _ in range(100):
        edge = rng.random((n, n)) < 0.3
        W = 10 * edge * rng.standard_normal((n, n)) + rng.standard_normal((n, 1))
        found = edge_table(SimpleNamespace(W=W, standard_errors=1.0 - np.eye(n)))
        found = found[found["edge"]]
        false.append(1 - edge[found["target"], found["source"]].mean())
    assert np.mean(np.array(false) > 0.07) <= 0.02


def test_a_soft_prior_finds_more_edges_where_it_expects_them_at_the_same_rate():
    rng = np.random.default_rng(0)
    n, false, more = 60, [], []
    for _ in range(30):
        contact = rng.random((n, n)) < 0.2
        edge = contact & (rng.random((n, n)) < 0.6) | (rng.random((n, n)) < 0.01)
        W = np.where(edge, 3.0 * rng.standard_normal((n, n)), 0) + rng.standard_normal((n, n))
        np.fill_diagonal(W, 0)
        fit = SimpleNamespace(W=W, standard_errors=1.0 - np.eye(n))
        counts = []
        for prior in (None, contact):
            found = edge_table(fit, prior=prior)
            found = found[found["edge"]]
            true = edge[found["target"], found["source"]]
            counts.append(int(true.sum()))
        false.append(1 - true.mean())
        more.append(counts[1] / counts[0])
    assert np.mean(false) <= 0.06
    assert np.mean(more) > 1.1
    with pytest.raises(OntogenyError, match="at most 10 groups"):
        edge_table(fit, prior=W)


def test_a_known_mask_is_refined_within_it():
    made = simulate_activity(
        {"n_neurons": 12, "n_trajectories": 8, "n_frames": 80, "connectivity_filling_factor": 0.4}, seed=4
    )
    fit = fit_connectome(made, settings=FIT, edges="true")
    assert fit.refined
    assert not fit.W[made.W == 0].any()
    assert connectivity_r2(fit.W, made.weights)["connectivity_R2"] > 0.9999
    assert fit.verdict["verdict"] == "trusted"
    wrong = fit_connectome(made, settings=FIT, edges="transposed")
    assert wrong.verdict["verdict"] != "trusted"


def test_a_fit_that_does_not_fit_into_memory_is_refused_with_what_would():
    check_memory(1000, 10**6, 8 * 2**30)
    with pytest.raises(OntogenyError, match="enough for about 2"):
        check_memory(8000, 10**6, 8 * 2**30)


def test_a_common_input_is_taken_out_of_sparse_columns():
    rng = np.random.default_rng(1)
    true = np.where(rng.random((40, 40)) < 0.25, rng.standard_normal((40, 40)), 0)
    np.fill_diagonal(true, 0)
    loading = rng.standard_normal((40, 3))
    seen = true + loading @ (0.4 * rng.standard_normal((3, 40)))
    np.fill_diagonal(seen, 0)
    assert connectivity_r2(seen, true)["connectivity_R2"] < 0.6
    assert connectivity_r2(without_common(seen, loading), true)["connectivity_R2"] > 0.98


@pytest.mark.slow
def test_hidden_neurons_cost_less_with_their_inputs_taken_out(monkeypatch):
    made = simulate_activity(
        {"n_neurons": 30, "n_trajectories": 10, "n_frames": 120, "connectivity_filling_factor": 0.25}, seed=31
    )
    seen, true = Activity(u=made.u[..., :27], du=made.du[..., :27]), made.weights[:27, :27]
    before = []

    def watched(found, *more):
        before.append(found.refined.W)
        return without_hidden(found, *more)

    monkeypatch.setattr("ontogeny.connectome.fit.without_hidden", watched)
    after = fit_connectome(seen, settings=FIT.model_copy(update={"hidden_inputs": 8})).W
    r2 = [connectivity_r2(W, true)["connectivity_R2"] for W in (*before, after)]
    assert r2[1] > r2[0]
