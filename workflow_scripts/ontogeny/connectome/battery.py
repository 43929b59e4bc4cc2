"""Does the verdict hold? Recordings whose wiring can be recovered, and recordings whose wiring cannot, by the seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.connectome.edges import edge_table
from ontogeny.connectome.fit import fit_connectome
from ontogeny.connectome.outcome import KINDS
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.simulate import Activity, simulate_activity
from ontogeny.connectome.wiring import connectivity_r2, scale_between
from ontogeny.errors import unknown
from ontogeny.statistics import proportion_interval

BASE = {"n_neurons": 16, "n_trajectories": 10, "n_frames": 120, "connectivity_filling_factor": 0.3}
FIT = FitSettings(n_steps=40, n_snapshots=0, hidden_dim=32, n_layers=2)


def _simulated(seed: int, **changes: Any) -> Activity:
    return simulate_activity({**BASE, **changes}, seed=seed)


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, 77]))


def _with_slopes(made: Activity, u: np.ndarray, delta_t: float | None = None) -> Activity:
    """`u` (trajectories, frames, N) with central differences as its slopes, and the truth of `made`."""
    dt = delta_t or made.delta_t
    slopes = (u[:, 2:] - u[:, :-2]) / (2 * dt)
    return Activity(u=u[:, 1:-1], du=slopes, W=made.weights, types=made.types, delta_t=dt)


def _exact(seed: int) -> Activity:
    return _simulated(seed)


def _gaussian(seed: int) -> Activity:
    return _simulated(seed, connectivity_type="gaussian")


def _full(seed: int) -> Activity:
    return _simulated(seed, connectivity_filling_factor=1.0)


def _white(seed: int) -> Activity:
    made = _simulated(seed)
    noise = 0.5 * _rng(seed).standard_normal(made.du.shape)
    return dataclasses.replace(made, du=made.du + noise)


def _coloured(seed: int) -> Activity:
    from scipy.ndimage import gaussian_filter1d

    made = _simulated(seed)
    noise = gaussian_filter1d(_rng(seed).standard_normal(made.du.shape), 2, axis=1)
    return dataclasses.replace(made, du=made.du + 0.3 * noise / noise.std())


def _central(seed: int) -> Activity:
    made = _simulated(seed)
    return _with_slopes(made, made.u)


def _down_sampled(seed: int) -> Activity:
    k = 2 + seed % 9
    made = _simulated(seed, n_frames=120 * k)
    return _with_slopes(made, made.u[:, ::k], made.delta_t * k)


def _noisy_state(seed: int) -> Activity:
    made = _simulated(seed, measurement_noise=0.02)
    return _with_slopes(made, made.u)


def _noise_alone(seed: int) -> Activity:
    """Smooth signals that know nothing of each other."""
    from scipy.ndimage import gaussian_filter1d

    rng = _rng(seed)
    walk = gaussian_filter1d(rng.standard_normal((1, 1200, 16)), 5 + seed % 20, axis=1)
    made = _simulated(seed, n_frames=2)
    return _with_slopes(made, walk / walk.std())


def _relaxing(seed: int) -> Activity:
    """Independent Ornstein-Uhlenbeck processes, smoothed."""
    from scipy.ndimage import gaussian_filter1d

    rng, dt = _rng(seed), 0.01
    u = np.empty((1, 1200, 16))
    x = rng.standard_normal(16)
    for t in range(1200):
        x = x - dt * x + math.sqrt(2 * dt) * rng.standard_normal(16)
        u[0, t] = x
    return _with_slopes(_simulated(seed, n_frames=2), gaussian_filter1d(u, 20, axis=1))


def _mixed_trajectories(seed: int) -> Activity:
    """Each neuron's series from a trajectory of its own: its own dynamics, without its senders."""
    made = _simulated(seed)
    rng = _rng(seed)
    order = np.stack([rng.permutation(len(made.u)) for _ in range(made.n_neurons)], 1)
    u, du = (np.stack([a[order[:, k], :, k] for k in range(made.n_neurons)], 2) for a in (made.u, made.du))
    return dataclasses.replace(made, u=u, du=du)


def _surrogates(seed: int) -> Activity:
    """The recording with the phases of its spectrum drawn anew for every neuron."""
    made = _simulated(seed, n_trajectories=1, n_frames=1200)
    rng = _rng(seed)
    spectrum = np.fft.rfft(made.u.astype(float), axis=1)
    phases = np.exp(2j * np.pi * rng.random(spectrum.shape))
    return _with_slopes(made, np.fft.irfft(np.abs(spectrum) * phases, made.u.shape[1], axis=1))


def _short(seed: int) -> Activity:
    return _simulated(seed, n_trajectories=1, n_frames=30 + 5 * (seed % 5), n_neurons=24)


def _settled(seed: int) -> Activity:
    """One trajectory that comes to rest."""
    return _simulated(seed, n_trajectories=1, n_frames=1000, params=[[1.0, 0.1, 2.0]], connectivity_type="gaussian")


def _hidden(seed: int) -> Activity:
    made = _simulated(seed, n_neurons=24)
    seen = np.arange(12)
    return Activity(
        u=made.u[..., seen],
        du=made.du[..., seen],
        W=made.weights[np.ix_(seen, seen)],
        types=None if made.types is None else made.types[seen],
        delta_t=made.delta_t,
    )


def _slow_indicator(seed: int) -> Activity:
    made = _simulated(seed)
    keep = math.exp(-made.delta_t / 0.5)
    seen, x = np.empty_like(made.u), made.u[:, 0].copy()
    for t in range(made.u.shape[1]):
        x = keep * x + (1 - keep) * made.u[:, t]
        seen[:, t] = x
    return _with_slopes(made, seen)


def _few_sources(seed: int) -> Activity:
    """Mixtures of three oscillations."""
    rng = _rng(seed)
    time = 0.01 * np.arange(1200)[:, None]
    sources = np.sin(2 * np.pi * (rng.uniform(0.3, 2, 3) * time + rng.random(3)))
    return _with_slopes(_simulated(seed, n_frames=2), (sources @ rng.standard_normal((3, 16)))[None])


def _walks(seed: int) -> Activity:
    """Independent random walks, observed without smoothing."""
    steps = _rng(seed).standard_normal((4, 300, 16))
    return _with_slopes(_simulated(seed, n_frames=2), 0.1 * np.cumsum(steps, axis=1))


def _common_drive(seed: int) -> Activity:
    """Neurons that relax, each on its own, under two inputs that none of them carries."""
    rng, dt = _rng(seed), 0.01
    loading = 5 * rng.standard_normal((2, 16))
    u, x, drive = np.empty((6, 200, 16)), rng.standard_normal((6, 16)), np.zeros((6, 2))
    for t in range(200):
        drive = 0.97 * drive + 0.25 * rng.standard_normal((6, 2))
        x = x + dt * (-x + drive @ loading)
        u[:, t] = x
    return _with_slopes(_simulated(seed, n_frames=2), u)


def _noise_drowned(seed: int) -> Activity:
    made = _simulated(seed, measurement_noise=2.0)
    return _with_slopes(made, made.u)


def _process_noise(seed: int) -> Activity:
    made = _simulated(seed, n_frames=400, noise_level=0.02)
    return _with_slopes(made, made.u)


def _oscillators(seed: int) -> Activity:
    """A chain of eight masses, positions and velocities, which is linear: it follows a map from frame to frame, too."""
    from scipy.linalg import expm

    rng, dt, n = _rng(seed), 0.05, 8
    springs = rng.uniform(0.5, 2, n - 1)
    W = np.zeros((2 * n, 2 * n))
    W[:n, n:] = np.eye(n)
    for i, k in enumerate(springs):
        W[n + i : n + i + 2, i : i + 2] += k * np.array([[-1, 1], [1, -1]])
    W[n:, :n] -= 0.3 * np.eye(n)
    u = np.empty((12, 120, 2 * n))
    u[:, 0] = rng.standard_normal((12, 2 * n))
    for t in range(119):
        u[:, t + 1] = u[:, t] @ expm(W * dt).T
    return _with_slopes(Activity(u=u, du=u, W=W, delta_t=dt), u)


def _copies(seed: int) -> Activity:
    """Four of twelve neurons are recorded twice, the second time with a little noise."""
    made = _simulated(seed, n_neurons=12, precision="float64")
    noisy = made.u[..., :4] + 0.01 * made.u.std() * _rng(seed).standard_normal(made.u[..., :4].shape)
    W = np.zeros((16, 16))
    W[:12, :12] = made.weights
    W[12:, :12] = made.weights[:4]
    copied = Activity(u=made.u, du=made.du, W=W, delta_t=made.delta_t)
    return _with_slopes(copied, np.concatenate([made.u, noisy], 2))


def _travelling_wave(seed: int) -> Activity:
    """One wave that passes all neurons, each with a little smooth noise of its own."""
    from scipy.ndimage import gaussian_filter1d

    time = 0.02 * np.arange(1200)[:, None]
    noise = gaussian_filter1d(_rng(seed).standard_normal((1200, 16)), 4, axis=0)
    made = _simulated(seed, n_frames=2)
    return _with_slopes(made, (np.sin(6 * time - 0.5 * np.arange(16)) + 0.02 * noise)[None], 0.02)


def _switched(seed: int) -> Activity:
    """Half of the trajectories under one wiring, half under another."""
    first, second = _simulated(seed), _simulated(seed + 5000)
    u = np.stack([first.u[:5], second.u[:5]], 1).reshape(first.u.shape)
    du = np.stack([first.du[:5], second.du[:5]], 1).reshape(u.shape)
    return dataclasses.replace(first, u=u, du=du)


def _saturated(seed: int) -> Activity:
    made = _simulated(seed)
    return _with_slopes(made, np.tanh(made.u / made.u.std()))


RECOVERABLE: dict[str, Callable[[int], Activity]] = {
    "exact slopes": _exact,
    "Gaussian wiring": _gaussian,
    "full wiring": _full,
    "white noise": _white,
    "coloured noise": _coloured,
    "central differences": _central,
    "down-sampled 2 to 10 times": _down_sampled,
    "noisy states": _noisy_state,
    "noise in the dynamics": _process_noise,
    "linear oscillators": _oscillators,
}
UNRECOVERABLE: dict[str, Callable[[int], Activity]] = {
    "independent smooth signals": _noise_alone,
    "independent relaxing signals": _relaxing,
    "trajectories mixed": _mixed_trajectories,
    "phases drawn anew": _surrogates,
    "short": _short,
    "settled": _settled,
    "half of the neurons hidden": _hidden,
    "slow indicator": _slow_indicator,
    "three sources mixed": _few_sources,
    "drowned in noise": _noise_drowned,
    "random walks": _walks,
    "common drive without wiring": _common_drive,
    "noisy copies of neurons": _copies,
    "travelling wave": _travelling_wave,
    "two wirings": _switched,
    "saturated readout": _saturated,
}


def run_cases(
    repeats: int = 10, seed: int = 0, cases: Sequence[str] | None = None, confidence: float = 0.95
) -> Iterator[dict[str, Any]]:
    """Fit every case with `repeats` seeds, and yield one row each.

    Keys: case, recoverable, seed, verdict, reason, connectivity_R2, coverage (share of intervals at `confidence` that
    hold the true weight, in the scale of `scale_between`), edges (at an FDR of 5%), false_edges (share of them), and
    the numbers behind the verdict.

    Raises OntogenyError for an unknown case.
    """
    known = {**RECOVERABLE, **UNRECOVERABLE}
    for name in cases or known:
        if name not in known:
            raise unknown("case", name, known)
        for k in range(repeats):
            activity = known[name](seed + k)
            fit = fit_connectome(activity, settings=FIT, seed=seed + k)
            row: dict[str, Any] = {"case": name, "recoverable": name in RECOVERABLE, "seed": seed + k}
            row |= {key: fit.verdict.get(key) for key in ("verdict", "reason")}
            row |= _against_truth(fit, activity.weights, confidence)
            yield row | {key: value for key, value in fit.verdict.items() if key not in row}


def _against_truth(fit: Any, true: np.ndarray, confidence: float) -> dict[str, float]:
    found: dict[str, float] = {"connectivity_R2": connectivity_r2(fit.W, true)["connectivity_R2"]}
    if fit.standard_errors is None:
        return found
    scale = scale_between(fit.W, true, fit.standard_errors)
    table = edge_table(fit, confidence=confidence)
    truth = scale * true[table["target"], table["source"]]
    found["coverage"] = float(((table["low"] <= truth) & (truth <= table["high"])).mean())
    edges = table["q_value"] <= 0.05
    found["edges"] = int(edges.sum())
    found["false_edges"] = float((truth[edges] == 0).mean()) if edges.any() else 0.0
    return found


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per case: how often which verdict was given, with Wilson's interval of the share that is trusted, and the
    median recovery, coverage and share of false edges of the trusted."""
    rows = []
    for (name, recoverable), part in table.groupby(["case", "recoverable"], sort=False):
        trusted = int((part["verdict"] == "trusted").sum())
        low, high = proportion_interval(trusted, len(part))
        row = {"case": name, "recoverable": recoverable, "seeds": len(part)}
        row |= {kind: int((part["verdict"] == kind).sum()) for kind in KINDS}
        row |= {"trusted_share": trusted / len(part), "low": float(low), "high": float(high)}
        row |= {key: float(part[key].median()) for key in ("connectivity_R2", "coverage", "false_edges") if key in part}
        rows.append(row)
    return pd.DataFrame(rows)


__all__ = ["RECOVERABLE", "UNRECOVERABLE", "run_cases", "summary"]
