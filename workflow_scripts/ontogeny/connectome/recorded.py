"""Activity that was recorded rather than simulated, read from files and checked before anything is fitted to it."""

from __future__ import annotations

import itertools
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.connectome.indicator import fitted_time_constant, without_indicator
from ontogeny.connectome.settings import DataSettings
from ontogeny.connectome.simulate import Activity, as_activity, check_activity, read_connectivity
from ontogeny.connectome.wiring import off_diagonal
from ontogeny.errors import OntogenyError, check_number, expect, first_line, shown, unknown
from ontogeny.files import check_archive, read_errors, read_text
from ontogeny.settings import complete
from ontogeny.words import counted

_FEWEST = 10
_MISSING = frozenset(("", "-", ".", "na", "n/a", "none", "null", "missing"))
_TIMES = re.compile(r"(?:time|timestamps?|frames?|t|seconds?|secs?|ms|s)(?![a-z0-9])")
_TRAJECTORIES = frozenset(("trajectory", "trial", "episode", "segment", "session"))


def read_activity(file: str | os.PathLike | DataSettings, delta_t: float | None = None, **settings: Any) -> Activity:
    """The activity in a CSV file (one row per frame, one column per neuron, with or without a header), npy, npz or NWB.

    Takes `DataSettings` whole, or a file with the settings one by one (`delta_t`, `difference`, `connectivity_file`).

    Arrays have shape (frames, neurons) or (trajectories, frames, neurons); `delta_t` is the time between frames. An
    npz file holds `u` (or one array of any name) and may hold `du`, `W` and `types`; the other files, where given,
    hold the derivative (shaped as the activity), the true W (neurons x neurons, row = receiver) and the true types (one
    name or number per neuron). The first line of a CSV file that is no comment (#) is a header if it is not numbers, or
    counts 0, 1, 2, ...
    An NWB file, read by pynwb, holds one time series (frames, neurons), or several, of which `series` names one (with
    what it is part of, as `ophys/traces`, where names are the same); conversions of the series and of its channels are
    applied, and its rate or time stamps must say `delta_t`. With `indicator_time_constant` the state is recovered from
    an indicator that follows it exponentially, which loses the first frame of every trajectory. Without a derivative
    it is estimated: "central" differences, error of order delta_t squared, lose the first and the
    last frame of every trajectory; "forward" differences lose the last, and are exact where every frame is an Euler
    step from the one before.

    Raises OntogenyError, one sentence that names file and place, when a file is missing or is not numbers, shapes do
    not fit, a value is not finite, a column counts the frames or holds their times, there are fewer than 10 frames, W
    is the same everywhere, or the activity is at rest or blows up.
    """
    if not isinstance(file, DataSettings):
        file = _settings(file, delta_t, settings)
    path, delta_t = file.file, file.delta_t
    arrays = _nwb(path, file.series, delta_t) if path.endswith(".nwb") else _arrays(path)
    u = _three(arrays.pop("u"), path)
    du = arrays.get("du") if file.derivative_file is None else _arrays(file.derivative_file)["u"]
    _check_states(u, path)
    about: dict[str, Any] = {}
    if file.indicator_time_constant:
        if du is not None:
            raise OntogenyError(
                f"{path}: a derivative was given beside indicator_time_constant, but it would be that of the "
                "indicator: leave one of them out"
            )
        constant = file.indicator_time_constant
        about["indicator_time_constant"] = fitted_time_constant(u, delta_t) if constant == "fitted" else constant
        u = without_indicator(u, delta_t, about["indicator_time_constant"])
    u, du = _with_derivative(u, du, file)
    neurons = u.shape[2]
    W = _wiring(arrays.get("W"), file, neurons)
    mask = None if file.mask_file is None else _mask(file.mask_file, neurons)
    types = _types(arrays.get("types"), file, neurons)
    try:
        activity = as_activity(Activity(u=u, du=du, W=W, types=types, delta_t=delta_t, settings=about, mask=mask))
    except OntogenyError as error:
        raise OntogenyError(f"{path}: {error}") from None
    for note in check_activity(activity):
        if "at rest" in note or "blows up" in note:
            raise OntogenyError(f"{path}: {note}")
    return activity


def _settings(file: str | os.PathLike, delta_t: float | None, settings: dict[str, Any]) -> DataSettings:
    expect(file, (str, os.PathLike), "a file of activity")
    given = {
        key: os.fspath(value) if isinstance(value, os.PathLike) else value
        for key, value in settings.items()
        if value or key not in DataSettings.model_fields
    }
    for key in given:
        if key not in DataSettings.model_fields:
            raise unknown("setting", key, DataSettings.model_fields, "read_activity")
    if delta_t is None:
        raise OntogenyError("delta_t is missing: give the time between frames, as read_activity(file, delta_t=0.01)")
    check_number(delta_t, "delta_t", "the time between frames, a number above 0")
    return complete(DataSettings, {"file": os.fspath(file), "delta_t": delta_t, **given}, "data", "read_activity")


def _check_states(u: np.ndarray, path: str) -> None:
    """Refuse what is no recording of states: too few frames, spikes, a column that counts the frames."""
    _finite(u, path)
    largest = float(np.abs(u).max())
    if largest > float(np.finfo(np.float32).max):
        raise OntogenyError(
            f"{path} reaches {largest:.3g}, which is too large for the single precision (float32) of fits: give the "
            "activity in another unit"
        )
    _runs, frames, neurons = u.shape
    if neurons < 2 or frames < _FEWEST:
        raise OntogenyError(
            f"{path} has {counted(frames, 'frame')} of {counted(neurons, 'neuron')}: expected at least "
            f"{_FEWEST} frames of 2 neurons "
            "(rows are frames, columns are neurons)"
        )
    values = np.unique(u[:, : max(2, 100_000 // max(1, u[:, 0].size))])
    if values.tolist() == [0.0, 1.0]:
        raise OntogenyError(
            f"{path} holds only 0 and 1, as a spike raster does, but the model is of a smooth state: smooth it first, "
            "for example with scipy.ndimage.gaussian_filter1d(spikes, sigma, axis=0)"
        )
    clock = _counting(u)
    if clock is not None:
        index = "" if clock else " (a pandas index is left out by to_csv with index=False)"
        raise OntogenyError(f"{path}: column {clock + 1} counts the frames, as no neuron does: leave it out{index}")


def _with_derivative(u: np.ndarray, du: np.ndarray | None, file: DataSettings) -> tuple[np.ndarray, np.ndarray]:
    """States and derivatives of the same frames; a derivative that is not given is estimated."""
    if du is not None:
        source = file.derivative_file or file.file
        du = _three(du, source)
        if du.shape != u.shape:
            raise OntogenyError(
                f"{source} has a derivative of shape {du.shape}, the activity has {u.shape}: make them equal"
            )
        _finite(du, source)
        return u, du
    if file.difference == "forward":
        return u[:, :-1], np.diff(u, axis=1) / file.delta_t
    return u[:, 1:-1], (u[:, 2:] - u[:, :-2]) / (2 * file.delta_t)


def _wiring(W: np.ndarray | None, file: DataSettings, neurons: int) -> np.ndarray | None:
    """The true W (neurons, neurons), its diagonal 0: that of `connectivity_file`, else `W`, or None."""
    if file.connectivity_file is not None:
        W = read_connectivity(file.connectivity_file)
    if W is None:
        return None
    where, W = file.connectivity_file or file.file, np.array(W, np.float64)
    if W.shape != (neurons, neurons) or not np.isfinite(W).all():
        shape = " x ".join(map(str, W.shape))
        raise OntogenyError(
            f"{where}: W has shape {shape}: expected {neurons} x {neurons} finite numbers, one row and column per "
            "neuron"
        )
    np.fill_diagonal(W, 0)
    if np.ptp(off_diagonal(W, W)[0]) == 0:
        raise OntogenyError(
            f"{where}: W has the same value everywhere off its diagonal, so that its recovery cannot be measured: "
            "leave W out"
        )
    return W


def _types(labels: np.ndarray | None, file: DataSettings, neurons: int) -> np.ndarray | None:
    """The type of each neuron, a number from 0: those of `types_file`, else `labels`, or None."""
    if file.types_file is not None:
        labels = _labels(file.types_file)
    if labels is None:
        return None
    where = file.types_file or file.file
    if labels.shape != (neurons,):
        raise OntogenyError(
            f"{where}: types holds {counted(labels.size, 'type')} for {counted(neurons, 'neuron')}: give each one"
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise OntogenyError(f"{where}: neuron {np.flatnonzero(~np.isfinite(labels))[0]} has no type")
    return np.unique(labels, return_inverse=True)[1]


def _mask(path: str, neurons: int) -> np.ndarray:
    mask = read_connectivity(path)
    if len(mask) != neurons:
        raise OntogenyError(
            f"mask_file {path} is of {counted(len(mask), 'neuron')}, but the activity has {neurons}: give one row each"
        )
    np.fill_diagonal(mask, 0)
    if not mask.any():
        raise OntogenyError(f"mask_file {path} rules every connection out: put 1 where one is possible")
    return mask


def _nwb(path: str | os.PathLike, series: str | None, delta_t: float) -> dict[str, np.ndarray]:
    """The time series of an NWB file, as `u`."""
    try:
        import pynwb
    except ImportError:
        raise OntogenyError(f"{path}: NWB files need pynwb: install it with `pip install pynwb`") from None
    if not Path(path).is_file():
        raise OntogenyError(f"{path} does not exist: give a CSV, npy, npz or NWB file of activity")
    with read_errors(path, "an NWB file"), pynwb.NWBHDF5IO(os.fspath(path), "r") as io:
        several = [
            item
            for item in io.read().objects.values()
            if isinstance(item, pynwb.TimeSeries) and len(getattr(item.data, "shape", ())) == 2
        ]
        chosen = _series_named(path, several, series)
        _sources_exist(path, chosen)
        return {"u": _series_values(path, chosen, delta_t)}


def _sources_exist(path: str | os.PathLike, chosen: Any) -> None:
    """Refuse a series that is put together from other files of which one is gone: HDF5 reads zeros in its place."""
    if not getattr(chosen.data, "is_virtual", False):
        return
    for source in chosen.data.virtual_sources():
        if source.file_name != "." and not (Path(path).parent / source.file_name).is_file():
            raise OntogenyError(f"{path}: {chosen.name} is put together from {source.file_name}, which does not exist")


def _series_named(path: str | os.PathLike, several: list[Any], wanted: str | None) -> Any:
    """The one of `several` time series that is called `wanted`, perhaps with what it is part of, or the only one."""
    if not several:
        raise OntogenyError(f"{path} holds no time series of several neurons: expected one of shape (frames, neurons)")
    places = [item.get_ancestors() for item in several]
    full = [
        "/".join([*(part.name for part in reversed(place[:-1])), item.name]) for item, place in zip(several, places)
    ]
    names = [item.name for item in several]
    unique = [whole if names.count(name) > 1 else name for whole, name in zip(full, names)]
    found = [item for item, *known in zip(several, full, unique) if wanted is None or wanted in known]
    if len(found) != 1:
        raise OntogenyError(
            f"{path}: name one of its time series of several neurons in `series`: {', '.join(sorted(unique))}"
        )
    return found[0]


def _series_values(path: str | os.PathLike, chosen: Any, delta_t: float) -> np.ndarray:
    """The values (frames, neurons) of an NWB time series, in its unit."""
    name, shape = chosen.name, chosen.data.shape
    times = None if chosen.rate else np.asarray(chosen.timestamps[:], np.float64)
    region = getattr(chosen, "rois", None) or getattr(chosen, "electrodes", None)
    columns = shape[1] if region is None else len(region)
    if columns != shape[1] or (times is not None and len(times) != shape[0]):
        against = f"{columns} neurons" if columns != shape[1] else f"{0 if times is None else len(times)} time stamps"
        raise OntogenyError(
            f"{path}: {name} has {shape[0]} rows and {shape[1]} columns for {against}: write a row per frame and a "
            "column per neuron"
        )
    gaps = np.array([1 / chosen.rate]) if times is None else np.diff(times)
    if len(gaps) and not np.abs(gaps - delta_t).max() <= 0.01 * delta_t:
        raise OntogenyError(
            f"{path}: frames of {name} are {gaps.min():g} to {gaps.max():g} apart, but delta_t is {delta_t:g}: "
            "give that, or resample to even frames"
        )
    scale = np.asarray(getattr(chosen, "channel_conversion", None) or 1.0, np.float64)
    return np.asarray(chosen.data[:], np.float64) * chosen.conversion * scale + (chosen.offset or 0.0)


def _arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise OntogenyError(f"{path} {what}: give a CSV, npy or npz file of activity")
    try:
        if path.suffix == ".npz":
            check_archive(path)
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive}
            if "u" not in arrays and len(arrays) == 1:
                arrays = {"u": next(iter(arrays.values()))}
            if "u" not in arrays:
                raise OntogenyError(f"{path} holds {', '.join(arrays) or 'nothing'}: name the activity 'u'")
        elif path.suffix == ".npy":
            arrays = {"u": np.load(path, allow_pickle=False)}
        else:
            cells = _cells(path, 0)
            _only_neurons(path, cells)
            skipped = _header(path, cells)
            skipped += _comments_before(path)
            with warnings.catch_warnings(action="ignore"):  # of a file without numbers, which is refused
                arrays = {"u": np.loadtxt(path, delimiter=",", ndmin=2, skiprows=skipped, encoding="utf-8-sig")}
            _no_times(path, cells, arrays["u"])
        if not arrays["u"].size:
            raise OntogenyError(f"{path} holds no numbers: give a CSV, npy, npz or NWB file of activity")
        for name in arrays:
            if name in ("u", "du", "W"):
                if arrays[name].dtype.kind in "cMm":
                    raise OntogenyError(f"{path}: {name} is {arrays[name].dtype.name}: expected real numbers")
                single = arrays[name].dtype == np.float32
                arrays[name] = np.asarray(arrays[name], np.float32 if single else np.float64)
    except OntogenyError:
        raise
    except Exception as error:
        with path.open("rb") as file:
            begins, line = file.read(10_000), b""
        if path.suffix == ".npy" and not begins.startswith(b"\x93NUMPY"):
            raise OntogenyError(f"{path} is no file of numpy.save, whatever its ending") from None
        if path.suffix not in (".npy", ".npz"):
            line = begins.split(b"\n", 1)[0]
            if b"\0" in begins:
                raise OntogenyError(f"{path} is no UTF-8 text: give a CSV, npy, npz or NWB file of activity") from None
        for sign, name in ((b";", "semicolons"), (b"\t", "tabs")):
            if sign in line:
                raise OntogenyError(f"{path} has {name} between its columns: put commas there") from None
        if path.suffix not in (".npy", ".npz"):
            _only_numbers(path)
        raise OntogenyError(f"{path} is not an array of numbers: {first_line(error)}") from None
    return arrays


def _cells(path: Path, line: int) -> list[str]:
    """The cells of a line, counted from 0, of a CSV file, without quotation marks; one that is empty beyond its end.

    Comments and empty lines are not counted.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = itertools.filterfalse(_is_comment, file)
        return [cell.strip(" \"'\r\n") for cell in next(itertools.islice(lines, line, None), "").split(",")]


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _comments_before(path: Path) -> int:
    """Comments and empty lines that a CSV file begins with."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return sum(1 for _ in itertools.takewhile(_is_comment, file))


def _header(path: Path, cells: list[str]) -> int:
    """How many lines (0 or 1) of a CSV file, of which `cells` is the first, come before its numbers.

    Raises OntogenyError for a first line that is neither names nor numbers.
    """
    numbers, names = [], []
    for cell in cells:
        try:
            numbers.append(float(cell))
        except ValueError:
            names.append(cell)
    if not names:
        return int(len(numbers) > 1 and numbers == list(range(len(numbers))))
    if not cells[0] and len(names) == 1 and numbers == list(range(len(numbers))):
        raise OntogenyError(
            f"{path}: the first column, whose name is empty, is the index of a table: leave it out, as pandas does "
            "with to_csv(..., index=False)"
        )
    missing = [name for name in names if name.lower() in _MISSING]
    if numbers and (missing or any(number % 1 for number in numbers)):
        name = (missing or names)[0]
        raise OntogenyError(
            f"{path}, line 1: {repr(name) if name else 'an empty cell'} stands among numbers: give a header of names, "
            "or numbers alone"
        )
    return 1


def _only_neurons(path: Path, cells: list[str]) -> None:
    for number, name in enumerate(map(str.lower, cells), 1):
        if name in _TRAJECTORIES:
            raise OntogenyError(
                f"{path}: column {number} ({name}) numbers trajectories, as no neuron does: give an array "
                "(trajectories, frames, neurons) in a .npy or .npz file"
            )


def _no_times(path: Path, cells: list[str], u: np.ndarray) -> None:
    """Refuse a column that is called as times are and grows, at whatever intervals."""
    for number, name in enumerate(cells[: u.shape[1]]):
        if _TIMES.match(name.lower()) and (np.diff(u[:, number]) > 0).all() and _counting(u[None]) is None:
            raise OntogenyError(
                f"{path}: column {number + 1} ({name}) holds times, as no neuron does, and not at even intervals: "
                "bring the frames to even ones, a delta_t apart, and leave the column out"
            )


def _only_numbers(path: Path) -> None:
    """Refuse a CSV file with a column of text, as of dates, by its first line of values."""
    names = _cells(path, 0)
    for number, cell in enumerate(_cells(path, 1), 1):
        try:
            float(cell)
        except ValueError:
            if cell.lower() in _MISSING:
                continue
            name = f" ({names[number - 1]})" if number <= len(names) and names[number - 1] else ""
            raise OntogenyError(
                f"{path}: column {number}{name} holds {shown(cell)} where a number is expected: keep the columns of "
                "neurons only; delta_t is the time between their frames"
            ) from None


def _labels(path: str | os.PathLike) -> np.ndarray:
    path = Path(path)
    if not path.is_file():
        raise OntogenyError(f"{path} does not exist: give a text file with one type per neuron")
    if path.suffix == ".npy":
        with read_errors(path, "an array of types"):
            return np.load(path, allow_pickle=False)
    text = read_text(path)
    return np.array([label.strip() for line in text.splitlines() for label in line.split(",") if label.strip()])


def _three(array: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or min(array.shape) < 1:
        raise OntogenyError(
            f"{path} has shape {array.shape}: expected (frames, neurons) or (trajectories, frames, neurons)"
        )
    return array


def _counting(u: np.ndarray) -> int | None:
    """The first neuron that grows by the same amount from frame to frame, or by much the same with a jitter, as clocks.

    A clock may start again with each of several trajectories that stand one below the other. A neuron that relaxes
    grows by amounts that change smoothly; the jitter of a clock is new in every frame.
    """
    steps = np.diff(u, axis=1)
    size, spread = np.abs(steps.mean((0, 1))), steps.std((0, 1))
    turns = np.diff(steps, axis=1).std((0, 1))
    one_way = (steps > 0).all((0, 1)) | (steps < 0).all((0, 1))
    tick = np.median(steps, (0, 1))
    ticks = (np.abs(steps - tick) <= 1e-6 * np.abs(tick)).mean((0, 1))
    again = (tick != 0) & (ticks >= 0.9) & (ticks < 1)
    found = again | one_way & ((spread <= 1e-6 * size) | ((spread <= 0.3 * size) & (turns > spread)))
    return int(np.flatnonzero(found)[0]) if found.any() else None


def _finite(array: np.ndarray, path: str | os.PathLike) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        trajectory, frame, neuron = np.argwhere(bad)[0]
        raise OntogenyError(
            f"{path} holds {array[trajectory, frame, neuron]} at trajectory {trajectory}, frame {frame}, neuron "
            f"{neuron} (counted from 0), and {counted(int(bad.sum()), 'such value')} in all: every value must be finite"
        )


__all__ = ["read_activity"]
