"""The file of activations: how it is laid out, and how it is read.

/probe/inputs, /probe/labels        the fixed probe batch
/step_{step}/{layer}                 samples x features..., gzip
/units_{step}/{layer}                the values after the nonlinearity, where the output does not give them
/readout_{step}/features, weight, bias  what the network's last linear layer reads, and its parameters
attributes of the file               format, run, identity, layers (JSON: name to module path), nonlinearities (JSON:
                                     name to what follows the layer: a function, custom, none, or unknown)
attributes of a step                 step, digest of the weights
attributes of a dataset              path of the module
The file ends in a checksum (see `ontogeny.files.append_checksum`).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, first_line, known_layer, unknown
from ontogeny.files import open_hdf5

FORMAT = "ontogeny-activations/2"
LARGEST = 1 << 28
"""Bytes of activations in float64 that an analysis holds at once."""

logger = logging.getLogger(__name__)


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what h5py says of a damaged file into one sentence."""

    @wraps(method)
    def checked(self: ActivationFile, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise OntogenyError(f"{self.path} is damaged or cut off ({first_line(error)}); make it again") from None

    return checked


class ActivationFile:
    """An open file of activations; use it in a `with` statement. Made by `read_activations`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    @_told
    def _open(self) -> None:
        self._file = open_hdf5(self.path)
        attributes = self._file.attrs
        self.format = str(attributes.get("format"))
        self.run = str(attributes.get("run"))
        self.identity = str(attributes.get("identity"))
        self.layers: dict[str, str] = json.loads(attributes.get("layers", "{}"))
        self.nonlinearities: dict[str, str] = json.loads(attributes.get("nonlinearities", "{}"))
        self.steps = sorted(int(name[5:]) for name in self._file if name.startswith("step_"))
        for step in self.steps:
            if self._file[f"step_{step}"].attrs["step"] != step:
                raise ValueError(f"step_{step} belongs to another step")

    @property
    @_told
    def labels(self) -> np.ndarray:
        """Labels of the probe batch, int64 (samples,)."""
        return self._file["probe/labels"][()]

    @property
    @_told
    def inputs(self) -> np.ndarray:
        """Inputs of the probe batch, float32 (samples, ...)."""
        return self._file["probe/inputs"][()]

    def digest(self, step: int) -> str:
        """Digest of the weights that made the activations of `step`."""
        return str(self._group(step).attrs["digest"])

    @_told
    def array(self, step: int, layer: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Activations of `layer` at `step`, float32 (samples, features...), of the samples `rows` (rising) if given.

        Here and below `layer` is a display name or a module path. Raises OntogenyError for unknown names.
        """
        values = self._dataset(step, layer)
        return (values[()] if rows is None or len(rows) == len(values) else values[rows]).astype(np.float32)

    @_told
    def units(self, step: int, layer: str, rows: np.ndarray | None = None) -> tuple[np.ndarray, str]:
        """Values of the units of `layer` at `step`, float32, and the nonlinearity that is yet to be applied to them.

        That is `none` where the values have been through it, and `unknown` where what follows could not be seen: then
        they are the layer's output, and nothing is known of units that are silent.
        """
        layer = self._layer(layer)
        self._dataset(step, layer)
        name, kept = self.nonlinearities.get(layer, "unknown"), f"units_{step}/{layer}"
        if kept in self._file:
            values = self._file[kept]
            whole = rows is None or len(rows) == len(values)
            return (values[()] if whole else values[rows]).astype(np.float32), "none"
        return self.array(step, layer, rows), name

    def matrix(self, step: int, layer: str, rows: np.ndarray | None = None) -> np.ndarray:
        """`array` as (samples, features), positions flattened into features."""
        values = self.array(step, layer, rows)
        return values.reshape(len(values), -1)

    @_told
    def fitting(self, layer: str, matrices: int = 1) -> np.ndarray:
        """Samples, rising, so few that `matrices` matrices of the layer in float64 fit into `LARGEST` bytes.

        All of them, if they fit; otherwise a random choice, always the same, of at least ten.
        """
        samples, *shape = self._dataset(self.steps[0], layer).shape
        count = max(LARGEST // (8 * int(np.prod(shape)) * matrices), 10)
        if count >= samples:
            return np.arange(samples)
        logger.info("%s of %s: %d of %d samples, so that they fit into memory", layer, self.run, count, samples)
        return np.sort(np.random.default_rng(0).permutation(samples)[:count])

    @_told
    def readout(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Features (samples, f), weight (classes, f) and bias (classes,) of the last linear layer at `step`, float32.

        None if the network has none that reads one vector per sample, or the file was made before they were kept.
        """
        self._group(step)
        name = f"readout_{step}"
        if name not in self._file or "features" not in self._file[name]:
            return None
        return tuple(self._file[name][part][()] for part in ("features", "weight", "bias"))

    def _dataset(self, step: int, layer: str) -> h5py.Dataset:
        return self._group(step)[self._layer(layer)]

    def _layer(self, layer: str) -> str:
        return known_layer(layer, self.layers, self.layers, str(self.path))

    def _group(self, step: int) -> h5py.Group:
        if step not in self.steps:
            raise unknown("step", step, self.steps, str(self.path))
        return self._file[f"step_{step}"]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> ActivationFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@checks_arguments
def read_activations(path: str | os.PathLike, identity: str | None = None) -> ActivationFile:
    """Open a file of activations.

    With `identity` (of config.json) a file that another run made is refused. Raises OntogenyError for a file that is
    missing, damaged, of another format or of another run.
    """
    path = Path(path)
    if not path.is_file():
        raise OntogenyError(f"{path} does not exist")
    file = ActivationFile(path)
    problem = None
    if file.format != FORMAT:
        problem = f"{path} has format {file.format!r}; this version reads {FORMAT!r}"
    elif identity is not None and file.identity != identity:
        problem = f"{path} was made by another run ('{file.run}', or the same under other settings); make it again"
    if problem:
        file.close()
        raise OntogenyError(problem)
    return file
