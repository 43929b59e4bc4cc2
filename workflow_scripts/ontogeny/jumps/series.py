"""Series without a jump, and series with changes of known place and size: what a detector is tried on.

Every null is a function of (random generator, number of series, length) that returns float64 (series, length).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Maker = Callable[[np.random.Generator, int, int], np.ndarray]
Background = tuple[np.ndarray, float | np.ndarray]
"""Series, and the standard deviation at every point."""


def _filtered(noise: np.ndarray, ar: float) -> np.ndarray:
    from scipy.signal import lfilter

    return lfilter([1.0], [1.0, -ar], noise, axis=1)


def ar1(rng: np.random.Generator, rows: int, n: int, phi: float = 0.9, noise: np.ndarray | None = None) -> np.ndarray:
    """Stationary first-order autoregression with marginal standard deviation 1 (for noise of variance 1)."""
    burn = 200
    drawn = rng.standard_normal((rows, n + burn)) if noise is None else noise
    return _filtered(drawn, phi)[:, -n:] * np.sqrt(1 - phi * phi)


def white(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Independent Gaussian values."""
    return rng.standard_normal((rows, n))


def random_walk(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Sums of independent Gaussian steps."""
    return np.cumsum(rng.standard_normal((rows, n)), axis=1)


def integrated_random_walk(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Sums of a random walk: smooth wandering."""
    return np.cumsum(random_walk(rng, rows, n), axis=1)


def linear_drift(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A straight rise of 10 to 100 standard deviations with white noise."""
    rise = rng.uniform(10, 100, (rows, 1))
    return rise * np.linspace(0, 1, n) + white(rng, rows, n)


def exponential_drift(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A decay of 5 to 100 standard deviations, time constants of 4% to 40% of the length, with white noise."""
    size, tau = rng.uniform(5, 100, (rows, 1)), rng.uniform(0.04, 0.4, (rows, 1))
    return size * np.exp(-np.linspace(0, 1, n) / tau) + white(rng, rows, n)


def changing_variance(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """White noise whose standard deviation changes up to tenfold: steadily, in waves, or at once."""
    t = np.linspace(0, 1, n)
    steady = np.exp(rng.uniform(-1, 1, (rows, 1)) * 2.3 * t)
    waves = np.exp(1.15 * np.sin(2 * np.pi * (rng.uniform(1, 4, (rows, 1)) * t + rng.random((rows, 1)))))
    sudden = np.where(t < rng.uniform(0.2, 0.8, (rows, 1)), 1.0, np.exp(rng.uniform(-1, 1, (rows, 1)) * 2.3))
    kind = rng.integers(0, 3, (rows, 1))
    return white(rng, rows, n) * np.where(kind == 0, steady, np.where(kind == 1, waves, sudden))


def heavy_tails(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Independent Student t values with 2 or 3 degrees of freedom."""
    return rng.standard_t(rng.integers(2, 4, (rows, 1)), (rows, n))


def spikes(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """White noise with single points, one in 50, that are 5 to 50 standard deviations off."""
    at = rng.random((rows, n)) < 0.02
    return white(rng, rows, n) + at * rng.uniform(5, 50, (rows, n)) * rng.choice([-1, 1], (rows, n))


def constant_float32(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A constant, computed with errors of float32 rounding."""
    level = 10 ** rng.uniform(-6, 6, (rows, 1))
    return (level * (1 + 1e-7 * rng.standard_normal((rows, n)))).astype(np.float32).astype(np.float64)


def constant_float64(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A constant, computed with errors of float64 rounding, which drift as those of a running sum do."""
    level = 10 ** rng.uniform(-6, 6, (rows, 1))
    return level * (1 + 1e-15 * np.cumsum(rng.standard_normal((rows, n)), axis=1))


def quantised_drift(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A smooth drift over 5 to 50 whole numbers, with little noise, rounded to whole numbers."""
    size, noise = rng.uniform(5, 50, (rows, 1)), rng.uniform(0, 0.3, (rows, 1))
    curve = np.linspace(0, 1, n) ** rng.uniform(0.3, 1.0, (rows, 1))
    return np.round(size * curve + noise * white(rng, rows, n))


def pink(rng: np.random.Generator, rows: int, n: int, exponent: float = 1.0) -> np.ndarray:
    """Noise with power proportional to 1/f**exponent, scaled to standard deviation 1."""
    m = 2 * n
    frequency = np.fft.rfftfreq(m)
    frequency[0] = frequency[1]
    spectrum = np.fft.rfft(rng.standard_normal((rows, m)), axis=1) * frequency ** (-exponent / 2)
    x = np.fft.irfft(spectrum, m, axis=1)[:, :n]
    return x / x.std(axis=1, keepdims=True)


def garch(rng: np.random.Generator, rows: int, n: int, alpha: float = 0.15, beta: float = 0.8) -> np.ndarray:
    """Values whose variance follows GARCH(1,1): quiet and stormy stretches (Bollerslev 1986)."""
    shocks = rng.standard_normal((rows, n + 200))
    variance, x = np.ones(rows), np.empty((rows, n + 200))
    for i in range(n + 200):
        x[:, i] = shocks[:, i] * np.sqrt(variance)
        variance = (1 - alpha - beta) + alpha * x[:, i] ** 2 + beta * variance
    return x[:, 200:]


def clipped_ar(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """AR(1) 0.9, clipped at bounds 0.5 to 1.5 standard deviations from its mean."""
    bound = rng.uniform(0.5, 1.5, (rows, 1))
    return np.clip(ar1(rng, rows, n), -bound, bound)


def logged_thrice(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """AR(1) 0.9 of which every value is logged three times."""
    return np.repeat(ar1(rng, rows, -(-n // 3)), 3, axis=1)[:, :n]


def decaying_spikes(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """White noise with spikes of 5 to 50 standard deviations, one in 200 points, that decay over about 8 points."""
    at = (rng.random((rows, n)) < 0.005) * rng.uniform(5, 50, (rows, n)) * rng.choice([-1, 1], (rows, n))
    return white(rng, rows, n) + _filtered(at, np.exp(-1 / 8))


def held_drift(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A drift of 10 to 100 standard deviations with white noise, measured every 4 to 20 points and held between."""
    out = np.empty((rows, n))
    for i, every in enumerate(rng.integers(4, 21, rows)):
        drift = linear_drift(rng, 1, n)[0]
        out[i] = drift[np.arange(n) // every * every]
    return out


def slow_wander(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """White noise, and below it AR(1) with standard deviation 0.2 to 1 that forgets over 2 to 30% of the length."""
    spans, size = n * rng.uniform(0.02, 0.3, rows), rng.uniform(0.2, 1, (rows, 1))
    return size * np.concatenate([ar1(rng, 1, n, np.exp(-1 / span)) for span in spans]) + white(rng, rows, n)


def smooth_wander(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """White noise smoothed over 2 to 20% of the length, standard deviation 1, with white noise of 0.0005 to 0.3."""
    from scipy.ndimage import gaussian_filter1d

    out = np.empty((rows, n))
    for i, width in enumerate(n * rng.uniform(0.02, 0.2, rows)):
        spare = int(4 * width)
        wander = gaussian_filter1d(rng.standard_normal(n + 2 * spare), width)[spare : spare + n]
        out[i] = wander / wander.std()
    return out + np.exp(rng.uniform(np.log(0.0005), np.log(0.3), (rows, 1))) * white(rng, rows, n)


def ripples(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A relaxation with a cosine of 2 to 14 periods, 0.02 to 0.3 of its size, and next to no noise."""
    t = np.linspace(0, 1, n)
    wave = np.cos(2 * np.pi * (rng.integers(2, 15, (rows, 1)) * t + rng.random((rows, 1))))
    size = np.exp(rng.uniform(np.log(0.02), np.log(0.3), (rows, 1)))
    return np.exp(-t / rng.uniform(0.1, 0.5, (rows, 1))) + size * wave + 1e-5 * white(rng, rows, n)


NULLS: dict[str, Maker] = {
    "white": white,
    "ar1_0.9": ar1,
    "random_walk": random_walk,
    "integrated_random_walk": integrated_random_walk,
    "linear_drift": linear_drift,
    "exponential_drift": exponential_drift,
    "changing_variance": changing_variance,
    "heavy_tails": heavy_tails,
    "spikes": spikes,
    "constant_float32": constant_float32,
    "constant_float64": constant_float64,
    "quantised_drift": quantised_drift,
    "pink": pink,
    "garch": garch,
    "clipped_ar": clipped_ar,
    "logged_thrice": logged_thrice,
    "decaying_spikes": decaying_spikes,
    "held_drift": held_drift,
    "slow_wander": slow_wander,
}
"""The nulls of the battery, by name."""


def moving_average(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Moving average of 2 to 12 white values."""
    out = np.empty((rows, n))
    for i, width in enumerate(rng.integers(2, 13, rows)):
        out[i] = np.convolve(rng.standard_normal(n + width - 1), np.ones(width), "valid")
    return out


def arma(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """ARMA(2,1) with a damped cycle."""
    from scipy.signal import lfilter

    out = np.empty((rows, n))
    for i in range(rows):
        r, f = rng.uniform(0.6, 0.97), rng.uniform(0.02, 0.3)
        a = [1, -2 * r * np.cos(2 * np.pi * f), r * r]
        out[i] = lfilter([1, rng.uniform(-0.8, 0.8)], a, rng.standard_normal(n + 300))[300:]
    return out


def seasonal(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A sine wave, period 10 to 200, up to 10 standard deviations high, in white noise."""
    t = np.arange(n)
    period, phase = rng.uniform(10, 200, (rows, 1)), rng.random((rows, 1))
    return rng.uniform(1, 10, (rows, 1)) * np.sin(2 * np.pi * (t / period + phase)) + white(rng, rows, n)


def student_ar(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """AR(1) 0.5 to 0.95 driven by Student t noise with 3 to 5 degrees of freedom."""
    out = np.empty((rows, n))
    for i in range(rows):
        out[i] = ar1(rng, 1, n, rng.uniform(0.5, 0.95), rng.standard_t(rng.integers(3, 6), (1, n + 200)))[0]
    return out


def telegraph(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Random switching between two levels half a standard deviation apart, in white noise."""
    switches = rng.random((rows, n)) < rng.uniform(0.005, 0.1, (rows, 1))
    return 0.5 * (np.cumsum(switches, axis=1) % 2) + white(rng, rows, n)


def log_normal(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Exponential of AR(1) 0.5 to 0.95 with standard deviation 0.5 to 1."""
    out = np.empty((rows, n))
    for i in range(rows):
        out[i] = np.exp(rng.uniform(0.5, 1) * ar1(rng, 1, n, rng.uniform(0.5, 0.95))[0])
    return out


def log_normal_white(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Exponential of white noise with standard deviation 1."""
    return np.exp(white(rng, rows, n))


def multiplicative(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A drifting level with noise in proportion to it."""
    level = np.exp(rng.uniform(-3, 3, (rows, 1)) * np.linspace(0, 1, n))
    return level * (1 + rng.uniform(0.01, 0.2, (rows, 1)) * white(rng, rows, n))


def ornstein_uhlenbeck(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Slowly reverting wander with measurement noise of 0 to 0.5 standard deviations."""
    out = np.empty((rows, n))
    for i in range(rows):
        out[i] = ar1(rng, 1, n, np.exp(-1 / rng.uniform(20, 500)))[0]
    return out + rng.uniform(0, 0.5, (rows, 1)) * white(rng, rows, n)


def fractional(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Noise with power 1/f**0.4 to 1/f**1.8."""
    return np.concatenate([pink(rng, 1, n, e) for e in rng.uniform(0.4, 1.8, rows)])


def brownian_bridge(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A random walk that returns to where it began."""
    x = random_walk(rng, rows, n)
    return x - np.linspace(0, 1, n) * x[:, -1:]


def triangle(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A triangle wave, period 20 to 200, with white noise."""
    t = np.arange(n)
    phase = (t / rng.uniform(20, 200, (rows, 1)) + rng.random((rows, 1))) % 1
    return rng.uniform(5, 40, (rows, 1)) * np.abs(2 * phase - 1) + white(rng, rows, n)


def kink(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A level that turns, somewhere in the middle half, into a slope of 0.2 to 5 standard deviations a point."""
    bend = n * rng.uniform(0.25, 0.75, (rows, 1))
    slope = np.exp(rng.uniform(np.log(0.2), np.log(5), (rows, 1)))
    return slope * np.maximum(np.arange(n) - bend, 0) + white(rng, rows, n)


def sawtooth(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A sawtooth with falls of 1 to 3 standard deviations of its noise."""
    t = np.arange(n)
    return rng.uniform(1, 3, (rows, 1)) * ((t / rng.uniform(20, 200, (rows, 1))) % 1) + white(rng, rows, n)


def quantised_ar(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """AR(1) 0.9, rounded to steps of 0.1 to 3 of its standard deviations."""
    quantum = rng.choice([0.1, 0.3, 1.0, 2.0, 3.0], (rows, 1))
    return np.round(ar1(rng, rows, n) / quantum) * quantum


def quantised_walk(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A random walk whose steps are 0.02 to 1 of the whole numbers that it is rounded to."""
    return np.round(random_walk(rng, rows, n) * 10 ** rng.uniform(-1.7, 0, (rows, 1)))


def counts(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Poisson counts, mean 0.2 to 50."""
    return rng.poisson(10 ** rng.uniform(-0.7, 1.7, (rows, 1)), (rows, n)).astype(float)


def cauchy(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Independent Cauchy values."""
    return rng.standard_cauchy((rows, n))


def laplace_walk(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A random walk with Laplace steps."""
    return np.cumsum(rng.laplace(size=(rows, n)), axis=1)


def stochastic_volatility(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """White noise scaled by the exponential of AR(1) 0.98 with standard deviation 1."""
    return white(rng, rows, n) * np.exp(ar1(rng, rows, n, 0.98))


def garch_walk(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A random walk with GARCH steps."""
    return np.cumsum(garch(rng, rows, n), axis=1)


def half_precision(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A smooth drift with little noise, stored with 8 bits of mantissa, as bfloat16 does."""
    x = 1 + 3 * np.linspace(0, 1, n) ** rng.uniform(0.3, 2, (rows, 1)) + 0.002 * white(rng, rows, n)
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 256) / 256, exponent)


def logistic_growth(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A smooth S-shaped rise over a tenth to a half of the length, with white noise."""
    t = np.linspace(0, 1, n)
    return rng.uniform(10, 60, (rows, 1)) / (
        1 + np.exp(-(t - rng.uniform(0.2, 0.8, (rows, 1))) / rng.uniform(0.03, 0.12, (rows, 1)))
    ) + white(rng, rows, n)


def anticorrelated(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """AR(1) with coefficient -0.9 to -0.3."""
    return np.concatenate([ar1(rng, 1, n, phi) for phi in rng.uniform(-0.9, -0.3, rows)])


def _decay(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Losses without noise: power laws from the first measurements on, to a level."""
    size, floor = rng.uniform(1, 6, (rows, 1)), rng.uniform(0.05, 1, (rows, 1))
    scale = np.exp(rng.uniform(np.log(0.02), 0, (rows, 1)))
    return floor + size * (1 + scale * np.arange(n)) ** -rng.uniform(0.3, 1.2, (rows, 1))


def _small(rng: np.random.Generator, rows: int, least: float, most: float) -> np.ndarray:
    return np.exp(rng.uniform(np.log(least), np.log(most), (rows, 1)))


def _running_means(x: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Exponential means of each series (series, n) over about so many values, from its first one on."""
    keep = 1 - 1 / over
    return np.concatenate([_filtered(row[None] - row[0], a) * (1 - a) + row[0] for row, a in zip(x, keep)])


def running_mean_loss(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A decaying loss with white or AR(1) noise, as its exponential mean over 2 to 100 measurements."""
    noise = np.where(rng.random((rows, 1)) < 0.5, white(rng, rows, n), ar1(rng, rows, n))
    return _running_means(
        _decay(rng, rows, n) + _small(rng, rows, 0.01, 0.5) * noise, rng.choice([2, 10, 20, 50, 100], rows)
    )


def mean_so_far(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """The mean of all values so far: white, AR(1) 0.9, or exponentials of white ones."""
    kind = rng.integers(0, 3, (rows, 1))
    values = np.where(
        kind == 0, white(rng, rows, n), np.where(kind == 1, ar1(rng, rows, n), np.exp(white(rng, rows, n)))
    )
    return np.cumsum(values, axis=1) / np.arange(1, n + 1)


def second_moment(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Adam's second moment, or its root, of 1 to 50 gradients whose size decays and wanders: exponential means of
    squares over 100 or 1000 steps, corrected for their start (Kingma and Ba 2015)."""
    size = np.exp(0.3 * ar1(rng, rows, n, 0.95) - rng.uniform(0, 3, (rows, 1)) * np.linspace(0, 1, n))
    degrees = rng.choice([1, 10, 50], (rows, 1))
    squares = size**2 * rng.chisquare(degrees, (rows, n)) / degrees
    keep = rng.choice([0.99, 0.999], rows)
    moment = np.concatenate([_filtered(row[None], a) * (1 - a) for row, a in zip(squares, keep)])
    moment /= 1 - keep[:, None] ** np.arange(1, n + 1)
    return np.where(rng.random((rows, 1)) < 0.5, moment, np.sqrt(moment))


def clipped_norms(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Norms of gradients, logarithms of which are AR(1) 0.5 to 0.95 on a drift, clipped at a bound that 10 to 70% of
    them reach."""
    colour = np.concatenate([ar1(rng, 1, n, phi) for phi in rng.uniform(0.5, 0.95, rows)])
    norms = np.exp(_small(rng, rows, 0.2, 0.8) * colour - rng.uniform(-1, 2, (rows, 1)) * np.linspace(0, 1, n))
    return np.concatenate([np.minimum(row, np.quantile(row, rng.uniform(0.3, 0.9)))[None] for row in norms])


def running_variance(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Variances of batches that grow or shrink, as exponential means over 10 or 100 of them: of batch normalisation."""
    t = np.linspace(0, 1, n)
    level = np.exp(rng.uniform(-1, 2, (rows, 1)) * (1 - np.exp(-t / rng.uniform(0.1, 1, (rows, 1)))))
    shape = rng.uniform(5, 50, (rows, 1))
    return _running_means(level * rng.gamma(shape, 1 / shape, (rows, n)), rng.choice([10, 100], rows))


def accuracy_of_few(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """The share of 20 to 200 new samples that are right, of a chance that relaxes to 0.3 to 0.9 more."""
    samples = rng.choice([20, 50, 100, 200], (rows, 1))
    learned = 1 - np.exp(-np.linspace(0, 1, n) / rng.uniform(0.03, 0.6, (rows, 1)))
    return rng.binomial(samples, 0.1 + rng.uniform(0.3, 0.88, (rows, 1)) * learned) / samples


def bfloat16_loss(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Running means of a decaying loss, stored with 8 bits of mantissa."""
    loss = _running_means(
        _decay(rng, rows, n) + _small(rng, rows, 0.002, 0.1) * white(rng, rows, n), rng.choice([2, 10, 30], rows)
    )
    mantissa, exponent = np.frexp(loss)
    return np.ldexp(np.round(mantissa * 256) / 256, exponent)


def warmed_rate(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A learning rate that rises straight over 2 to 20% of the length, then falls as an inverse root or a cosine."""
    t, warm = np.linspace(0, 1, n), rng.uniform(0.02, 0.2, (rows, 1))
    cosine = 0.5 * (1 + np.cos(np.pi * np.maximum(t - warm, 0) / (1 - warm)))
    after = np.where(rng.random((rows, 1)) < 0.5, np.sqrt(warm / np.maximum(t, warm)), cosine)
    return np.where(t < warm, t / warm, after)


def same_order(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A decaying loss of 7 to 60 batches that differ, in the same order or in another one in each epoch."""
    out = np.empty((rows, n))
    for i, count in enumerate(rng.integers(7, 61, rows)):
        batches = rng.standard_normal(count)
        epochs = [rng.permutation(batches) if i % 2 else batches for _ in range(-(-n // count))]
        out[i] = np.concatenate(epochs)[:n]
    spread = _small(rng, rows, 0.01, 0.2)
    return _decay(rng, rows, n) * (1 + spread * out) + _small(rng, rows, 0.003, 0.05) * white(rng, rows, n)


def best_so_far(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """The best value so far of white or AR(1) noise, or of a decaying loss."""
    kind = rng.integers(0, 3, (rows, 1))
    loss = -_decay(rng, rows, n) + 0.1 * white(rng, rows, n)
    values = np.where(kind == 0, white(rng, rows, n), np.where(kind == 1, ar1(rng, rows, n), loss))
    return np.maximum.accumulate(values, axis=1)


def heavy_walk(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """A random walk with Student t steps, 3 degrees of freedom."""
    return np.cumsum(rng.standard_t(3, (rows, n)), axis=1)


FURTHER_NULLS: dict[str, Maker] = {
    f.__name__: f
    for f in (
        moving_average, arma, seasonal, student_ar, telegraph, log_normal, log_normal_white, multiplicative,
        ornstein_uhlenbeck, fractional, brownian_bridge, triangle, sawtooth, quantised_ar, quantised_walk, counts,
        cauchy, laplace_walk, stochastic_volatility, garch_walk, half_precision, logistic_growth, anticorrelated, kink,
        smooth_wander, ripples, running_mean_loss, mean_so_far, second_moment, clipped_norms, running_variance,
        accuracy_of_few, bfloat16_loss, warmed_rate, same_order, best_so_far, heavy_walk,
    )
}  # fmt: skip
"""More families, on which the default was not tuned to pass but is reported; the last eleven are as training logs."""


def _flat(rng: np.random.Generator, rows: int, n: int) -> Background:
    return white(rng, rows, n), 1.0


def _coloured(rng: np.random.Generator, rows: int, n: int) -> Background:
    return ar1(rng, rows, n), 1.0


def _rising(rng: np.random.Generator, rows: int, n: int) -> Background:
    return linear_drift(rng, rows, n), 1.0


def _decaying(rng: np.random.Generator, rows: int, n: int) -> Background:
    return exponential_drift(rng, rows, n), 1.0


def _spreading(rng: np.random.Generator, rows: int, n: int) -> Background:
    t = np.linspace(0, 1, n)
    ratio = np.exp(rng.uniform(-1, 1, (rows, 1)) * np.log(5))
    steady = np.where(rng.random((rows, 1)) < 0.5, ratio**t, 1 + (ratio - 1) * t)
    wave = np.sqrt(5.0) ** np.sin(2 * np.pi * (t + rng.random((rows, 1))))
    spread = np.where(rng.random((rows, 1)) < 0.67, steady, wave)
    return white(rng, rows, n) * spread, spread


BACKGROUNDS: dict[str, Callable[[np.random.Generator, int, int], Background]] = {
    "white": _flat,
    "ar1_0.9": _coloured,
    "linear_drift": _rising,
    "exponential_drift": _decaying,
    "changing_variance": _spreading,
}
"""Backgrounds of planted changes: series, and the standard deviation at every point (that of the noise around
the drift; the marginal one of AR(1), which is 2.3 times that of its innovations)."""


def planted(
    background: str, rng: np.random.Generator, rows: int, n: int, sigmas: float, ramp: int = 0, margin: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Series with one change each, up or down, of `sigmas` local standard deviations; and where it begins, (series,).

    ramp: points that the change takes beyond the first; 0 is a step. Places lie at least `margin` from the ends.
    """
    x, spread = BACKGROUNDS[background](rng, rows, n)
    at = rng.integers(margin, n - margin - ramp, rows)
    local = np.broadcast_to(np.asarray(spread, dtype=float), (rows, n))[np.arange(rows), at]
    size = sigmas * local * rng.choice([-1.0, 1.0], rows)
    share = np.clip((np.arange(n) - at[:, None] + 1) / (ramp + 1), 0, 1)
    return x + size[:, None] * share, at
