"""Activity and fits as files: safetensors with one JSON text beside the arrays, the same bytes for the same content."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.connectome.outcome import Outcome
from ontogeny.connectome.simulate import Activity
from ontogeny.errors import OntogenyError
from ontogeny.files import atomic, checksum_of, json_text, read_errors, verify_checksum

if TYPE_CHECKING:
    from ontogeny.connectome.fit import Fit

ACTIVITY_FORMAT = "ontogeny-activity/1"
FIT_FORMAT = "ontogeny-connectome-fit/2"
_ARRAYS = ("u", "du", "W", "types", "params", "input", "mask")
_POINTS = 1025


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write `arrays` and the JSON value `about` to one safetensors file, whole or not at all."""
    from safetensors.numpy import save_file

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json_text(dict(about), indent=None)
    with atomic(path) as part:
        save_file(whole, part, metadata={"about": json.dumps([text, checksum_of(text, whole)])})


def read_arrays(
    path: str | os.PathLike, wanted: str, names: Collection[str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays (only those in `names`, if given) and the JSON value of a file whose `about["format"]` is `wanted`.

    Raises OntogenyError if the file is missing, damaged, or of another format.
    """
    from safetensors import safe_open

    with read_errors(path, "a whole safetensors file"), safe_open(path, framework="numpy") as file:
        text, checksum = json.loads((file.metadata() or {}).get("about", '["{}", null]'))
        about = json.loads(text)
        if not isinstance(about, dict) or about.get("format") != wanted:
            raise OntogenyError(f"{path} is not of the format {wanted}: delete it, and it is made again")
        kept = [name for name in file.keys() if names is None or name in names]  # noqa: SIM118
        arrays = {name: file.get_tensor(name) for name in kept}
        verify_checksum(path, checksum, text, arrays)
        return arrays, about


def save_activity(activity: Activity, path: str | os.PathLike) -> None:
    """Write an activity with the truth behind it."""
    arrays = {name: getattr(activity, name) for name in _ARRAYS if getattr(activity, name) is not None}
    about = {"delta_t": activity.delta_t, "settings": activity.settings, "seed": activity.seed}
    write_arrays(path, arrays, {"format": ACTIVITY_FORMAT, **about})


def load_activity(path: str | os.PathLike) -> Activity:
    """The activity that `save_activity` wrote. Raises OntogenyError as `read_arrays` does."""
    arrays, about = read_arrays(path, ACTIVITY_FORMAT)
    return Activity(
        arrays["u"],
        arrays["du"],
        W=arrays.get("W"),
        types=arrays.get("types"),
        params=arrays.get("params"),
        input=arrays.get("input"),
        delta_t=about["delta_t"],
        settings=about["settings"],
        seed=about["seed"],
        mask=arrays.get("mask"),
    )


def load_weights(path: str | os.PathLike) -> np.ndarray:
    """The true weights g_i W_ij (N, N) behind a stored activity, without reading the activity itself."""
    arrays, _ = read_arrays(path, ACTIVITY_FORMAT, ("W", "types", "params"))
    nothing = np.empty((0, 0, 0))
    return Activity(nothing, nothing, arrays.get("W"), arrays.get("types"), arrays.get("params")).weights


@dataclass(frozen=True)
class StoredFit(Outcome):
    """A fit read from a file: as `ontogeny.connectome.fit.Fit`, with psi and phi interpolated between tabulated points.

    `points` (P,) covers the range of the data, `psi_values` is (P,), `phi_values` (P, N).
    """

    W: np.ndarray
    embedding: np.ndarray
    network_W: np.ndarray
    points: np.ndarray
    psi_values: np.ndarray
    phi_values: np.ndarray
    history: dict[str, list[float]]
    snapshots: dict[str, np.ndarray]
    settings: dict[str, Any]
    seed: int
    validation: dict[str, float]
    notes: list[str]
    refinement: list[float]
    verdict: dict[str, Any]
    standard_errors: np.ndarray | None = None

    def _place(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low = (np.searchsorted(self.points, u) - 1).clip(0, len(self.points) - 2)
        return low, (u - self.points[low]) / (self.points[low + 1] - self.points[low])

    def psi(self, u: np.ndarray) -> np.ndarray:
        """psi at `u` of any shape; straight lines beyond the range of the data."""
        low, share = self._place(np.asarray(u, np.float64))
        return self.psi_values[low] * (1 - share) + self.psi_values[low + 1] * share

    def phi(self, u: np.ndarray) -> np.ndarray:
        """phi of every neuron at points `u` (points,): (points, N)."""
        low, share = self._place(np.asarray(u, np.float64))
        return self.phi_values[low] * (1 - share[:, None]) + self.phi_values[low + 1] * share[:, None]

    def derivative(self, state: np.ndarray) -> np.ndarray:
        """du/dt (frames, N) at `state` (frames, N)."""
        low, share = self._place(np.asarray(state, np.float64))
        neuron = np.arange(state.shape[-1])
        own = self.phi_values[low, neuron] * (1 - share) + self.phi_values[low + 1, neuron] * share
        return own + (self.psi_values[low] * (1 - share) + self.psi_values[low + 1] * share) @ self.W.T


def save_fit(fit: Fit, path: str | os.PathLike, low: float, high: float) -> None:
    """Write a fit, its functions tabulated from `low` to `high` (dense around 0)."""
    points = 0.5 * np.sinh(np.linspace(math.asinh(2 * low), math.asinh(2 * high), _POINTS))
    arrays = {
        "W": fit.W,
        "embedding": fit.embedding,
        "network_W": fit.network_W,
        "points": points,
        "psi_values": fit.psi(points),
        "phi_values": fit.phi(points),
        **{f"snapshots/{key}": np.asarray(value) for key, value in fit.snapshots.items()},
    }
    if fit.standard_errors is not None:
        arrays["standard_errors"] = fit.standard_errors
    keys = ("history", "settings", "seed", "validation", "notes", "refinement", "verdict")
    write_arrays(path, arrays, {"format": FIT_FORMAT, **{key: getattr(fit, key) for key in keys}})


def load_fit(path: str | os.PathLike) -> StoredFit:
    """The fit that `save_fit` wrote. Raises OntogenyError as `read_arrays` does."""
    arrays, about = read_arrays(path, FIT_FORMAT)
    snapshots = {name.split("/")[1]: arrays.pop(name) for name in sorted(arrays) if name.startswith("snapshots/")}
    known = {field.name for field in dataclasses.fields(StoredFit)}
    whole: dict[str, Any] = {**arrays, "snapshots": snapshots, **{key: about[key] for key in about if key in known}}
    return StoredFit(**whole)


__all__ = [
    "StoredFit",
    "load_activity",
    "load_fit",
    "load_weights",
    "read_arrays",
    "save_activity",
    "save_fit",
    "write_arrays",
]
