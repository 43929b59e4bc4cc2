"""Labelled images: the data sets that are known by name, and files of the user's."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, expect, first_line, shown, unknown
from ontogeny.files import atomic
from ontogeny.tasks.settings import TaskSettings
from ontogeny.words import counted

DEFAULTS = TaskSettings()

Arrays = tuple[np.ndarray, np.ndarray]
Fetcher = Callable[..., Arrays]


@dataclass(frozen=True)
class ImageSet:
    """One entry of `IMAGE_SETS`: where a named data set comes from.

    `load(fetch)` returns `(x, y)`: x of shape (n, *shape) or (n, pixels), integers from 0 to 255 or floats from
    0 to 1 (other ranges must be scaled by `load`); y the labels 0 to classes - 1. `fetch` is called like
    `sklearn.datasets.fetch_openml`; a set that needs no network ignores it.
    """

    load: Callable[[Fetcher], Arrays]
    shape: tuple[int, int, int]
    classes: int
    source: str
    remote: bool = True


@dataclass(frozen=True, eq=False)
class ImageData:
    """Labelled images.

    x: float32, (n, channels, height, width), from 0 to 1. y: int64, (n,), from 0 to classes - 1.
    source: where they came from, in words. fingerprint: SHA-256 of shape, pixels and labels.
    """

    x: np.ndarray
    y: np.ndarray
    name: str
    classes: int
    source: str
    fingerprint: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return tuple(self.x.shape[1:])

    def __len__(self) -> int:
        return len(self.y)


# ---------------------------------------------------------------------------------------------------- data sets


def _digits(fetch: Fetcher) -> Arrays:
    table = _table_of_digits()
    return (table[:, :-1].reshape(-1, 8, 8) / 16.0).astype(np.float32)[:, None], table[:, -1].astype(int)


@cache
def _table_of_digits() -> np.ndarray:
    """The digits that scikit-learn ships, read from its file: importing it takes longer than training on them."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    with gzip.open(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        return np.loadtxt(file, delimiter=",")


def modular_addition(p: int) -> Callable[[Fetcher], Arrays]:
    """The `load` function of (a + b) mod p: all p squared pairs, each number one-hot in a row of a 2 by p image.

    Networks that learn it with weight decay from a part of the pairs grok: Power et al. 2022, arXiv:2201.02177.
    """

    def load(fetch: Fetcher) -> Arrays:
        a, b = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(p), indexing="ij"))
        one_hot = np.eye(p, dtype=np.float32)
        return np.stack([one_hot[a], one_hot[b]], axis=1)[:, None], (a + b) % p

    return load


def sparse_parity(bits: int, relevant: int, samples: int) -> Callable[[Fetcher], Arrays]:
    """The `load` function of the parity of the first `relevant` of `bits` random bits, as 1 by `bits` images.

    The loss stays flat until the relevant bits are found: Barak et al. 2022, arXiv:2207.08799.
    """

    def load(fetch: Fetcher) -> Arrays:
        drawn = np.random.default_rng(0).integers(0, 2, (samples, bits))
        return drawn.astype(np.float32)[:, None, None], drawn[:, :relevant].sum(axis=1) % 2

    return load


def openml_images(data_id: int) -> Callable[[Fetcher], Arrays]:
    """The `load` function of a data set on OpenML whose columns are the pixels, channel planes first."""

    def load(fetch: Fetcher) -> Arrays:
        return fetch(data_id=data_id, as_frame=False, return_X_y=True, parser="pandas", cache=False)

    return load


RELEVANT_BITS = 3
"""Bits that decide the label of `sparse_parity`."""


def _pairs_modulo(p: int) -> ImageSet:
    return ImageSet(modular_addition(p), (1, 2, p), p, f"all pairs modulo {p}", remote=False)


def _parity_of(bits: int) -> ImageSet:
    source = f"parity of {RELEVANT_BITS} of {bits} random bits"
    return ImageSet(sparse_parity(bits, RELEVANT_BITS, 20_000), (1, 1, bits), 2, source, remote=False)


SIZED: dict[str, Callable[[int], ImageSet]] = {"modular_addition": _pairs_modulo, "sparse_parity": _parity_of}
"""Computed data sets whose size can be chosen."""

IMAGE_SETS: dict[str, ImageSet] = {
    "digits": ImageSet(_digits, (1, 8, 8), 10, "scikit-learn's bundled digits", remote=False),
    "mnist": ImageSet(openml_images(554), (1, 28, 28), 10, "OpenML data set 554 (mnist_784)"),
    "fashion_mnist": ImageSet(openml_images(40996), (1, 28, 28), 10, "OpenML data set 40996 (Fashion-MNIST)"),
    "modular_addition": _pairs_modulo(23),
    "sparse_parity": _parity_of(24),
    "cifar10": ImageSet(openml_images(40927), (3, 32, 32), 10, "OpenML data set 40927 (CIFAR_10)"),
}
"""The data sets known by name. To add one: a function that returns (x, y), and an entry here."""


# ------------------------------------------------------------------------------------------------------ loading


@checks_arguments
def load_images(
    name: str = DEFAULTS.name,
    path: str | os.PathLike | None = None,
    cache_dir: str | os.PathLike | None = None,
    *,
    fetch: Fetcher | None = None,
    size: int | None = None,
) -> ImageData:
    """Load a data set by name, or from a local `.npz`.

    name: a key of `IMAGE_SETS`; with `path`, any name.
    path: an `.npz` with arrays `x` and `y` (also images/labels, data/target, or x_train/y_train with
        x_test/y_test, which are joined); read instead of fetching.
    cache_dir: folder that keeps fetched sets as `{name}.npz`; None fetches every time.
    fetch: called in place of `sklearn.datasets.fetch_openml`, with the same arguments.
    size: of a computed set (`SIZED`): the modulus, or the number of bits.

    Raises OntogenyError for an unknown name, an unreachable network, and a file that is not such a data set.
    """
    if size is not None and (name not in SIZED or path is not None):
        raise OntogenyError(f"task.size is {size}, but {name} has a size of its own: leave it out")
    entry = SIZED[name](size) if size is not None else IMAGE_SETS.get(name)
    if path is not None:
        path = Path(path)
        x, y = _read_npz(path)
        return _image_data(name, x, y, entry, source=f"local file {path.name}", where=str(path))
    if entry is None:
        raise unknown("data set", name, IMAGE_SETS)
    expect(entry, ImageSet, f"an ImageSet as the entry '{name}' of IMAGE_SETS")
    if not entry.remote:
        return _image_data(name, *_pair(name, entry.load(_no_network)), entry, source=entry.source, where=name)

    cached = Path(cache_dir) / f"{name}.npz" if cache_dir is not None else None
    if cached is not None and cached.exists():
        try:
            return _image_data(name, *_read_npz(cached), entry, source=entry.source, where=str(cached))
        except OntogenyError as error:
            raise OntogenyError(f"{error} (the cached copy of {name}; delete it to download it again)") from None
    data = _image_data(name, *_fetched(name, entry, fetch), entry, source=entry.source, where=entry.source)
    if cached is not None:
        _write_npz(cached, data)
    return data


def _no_network(**_: Any) -> Arrays:
    raise OntogenyError("a data set with remote=False tried to use the network: set remote=True in IMAGE_SETS")


def _fetched(name: str, entry: ImageSet, fetch: Fetcher | None) -> Arrays:
    from sklearn.datasets import fetch_openml

    try:
        loaded = entry.load(fetch or fetch_openml)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        raise OntogenyError(
            f"{name} could not be fetched from {entry.source} ({reason[:200]}): offline, set `path` to a local .npz "
            f"with arrays x (n, {', '.join(map(str, entry.shape))}) and y (n,)"
        ) from error
    return _pair(name, loaded)


def _pair(name: str, loaded: Any) -> Arrays:
    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
        what = counted(len(loaded), "thing") if isinstance(loaded, tuple | list) else shown(loaded)
        raise OntogenyError(
            f"the function of data set '{name}' should return images and labels, but what it returned is {what}"
        )
    return loaded[0], loaded[1]


def _write_npz(path: Path, data: ImageData) -> None:
    levels = np.rint(data.x * 255)
    exact = np.array_equal((levels / np.float32(255)).astype(np.float32), data.x)
    with atomic(path) as part:
        np.savez_compressed(part, x=levels.astype(np.uint8) if exact else data.x, y=data.y)


_PAIRS = (
    ("x", "y"),
    ("images", "labels"),
    ("data", "target"),
    ("data", "labels"),
    ("arr_0", "arr_1"),
)
_TRAIN_TEST = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)


def _read_npz(path: Path) -> Arrays:
    if not path.exists():
        raise OntogenyError(f"{path} does not exist: the task's path must be an .npz with arrays x and y")
    try:
        archive = np.load(path, allow_pickle=False)
        if not hasattr(archive, "files"):
            raise OntogenyError(f"{path} is a single array: expected an .npz with arrays x and y")
        with archive:
            names = {key.lower(): key for key in archive.files}
            for pair in _PAIRS:
                if all(key in names for key in pair):
                    return tuple(archive[names[key]] for key in pair)
            for x1, y1, x2, y2 in _TRAIN_TEST:
                if x1 in names and y1 in names:
                    parts = [(archive[names[x1]], archive[names[y1]])]
                    if x2 in names and y2 in names:
                        parts.append((archive[names[x2]], archive[names[y2]]))
                    return _joined(parts, path)
            found = ", ".join(archive.files) or "no arrays"
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        detail = "it holds Python objects" if "pickle" in str(error).lower() else first_line(error)
        raise OntogenyError(f"{path} cannot be read as an .npz file ({detail})") from None
    raise OntogenyError(f"{path} holds {found}: expected arrays x and y (or x_train, y_train, x_test, y_test)")


def _joined(parts: list[Arrays], path: Path) -> Arrays:
    shapes = {x.shape[1:] for x, _ in parts}
    if len(shapes) > 1:
        raise OntogenyError(
            f"{path}: training images are {parts[0][0].shape[1:]} and test images {parts[1][0].shape[1:]}"
        )
    return np.concatenate([x for x, _ in parts]), np.concatenate([np.ravel(y) for _, y in parts])


def _image_data(name: str, x: Any, y: Any, entry: ImageSet | None, source: str, where: str) -> ImageData:
    y = _labels(np.asarray(y), entry, where)
    x = _pixels(np.asarray(x), entry, name, where)
    if len(x) != len(y):
        raise OntogenyError(
            f"{where} contains {counted(len(x), 'image')} and {counted(len(y), 'label')}: expected one label per image"
        )
    if len(x) == 0:
        raise OntogenyError(f"{where} contains no images")
    classes = entry.classes if entry is not None else int(y.max()) + 1
    digest = hashlib.sha256(repr(x.shape).encode())
    digest.update(x.data)
    digest.update(y.data)
    return ImageData(x, y, name, classes, source, digest.hexdigest())


def _labels(y: np.ndarray, entry: ImageSet | None, where: str) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise OntogenyError(f"{where}: labels have shape {y.shape}; expected one whole number per image, shape (n,)")
    try:
        numbers = y.astype(np.float64)
    except (TypeError, ValueError):
        raise OntogenyError(f"{where}: label {y[0]!r} is not a number; labels are whole numbers from 0") from None
    bad = ~np.isfinite(numbers) | (numbers != np.rint(numbers)) | (numbers < 0)
    if bad.any():
        at = int(np.argmax(bad))
        raise OntogenyError(f"{where}: label {y[at]} of image {at} is not a whole number from 0")
    labels = np.ascontiguousarray(numbers.astype(np.int64))
    if not len(labels):
        return labels
    if entry is not None and labels.max() >= entry.classes:
        raise OntogenyError(f"{where}: label {labels.max()} is beyond {entry.classes - 1}, the last class of this set")
    if entry is None:
        present = np.unique(labels)
        if len(present) != present[-1] + 1:
            gap = int(np.argmax(present != np.arange(len(present))))
            raise OntogenyError(
                f"{where}: labels go up to {present[-1]} but no image has label {gap}; number the classes 0, 1, 2, ..."
            )
    return labels


def _pixels(x: np.ndarray, entry: ImageSet | None, name: str, where: str) -> np.ndarray:
    if not (np.issubdtype(x.dtype, np.integer) or np.issubdtype(x.dtype, np.floating) or x.dtype == bool):
        raise OntogenyError(f"{where}: images have type {x.dtype}; expected numbers")
    x = _channels_first(x, entry.shape if entry is not None else None, name, where)
    if x.size == 0:
        return x.astype(np.float32)
    low, high = float(x.min()), float(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
        raise OntogenyError(f"{where}: image {int(np.argmin(finite))} contains NaN or infinity")
    if low < 0 or high > 255:
        raise OntogenyError(f"{where}: pixels range from {low:g} to {high:g}; expected 0 to 1, or 0 to 255")
    scaled = x.astype(np.float32) / np.float32(255) if high > 1 else x.astype(np.float32)
    return np.ascontiguousarray(scaled)


def _channels_first(x: np.ndarray, shape: tuple[int, int, int] | None, name: str, where: str) -> np.ndarray:
    """`x` as (n, channels, height, width), from rows of pixels, grey images, or channels last."""
    channel_counts = (1, 2, 3, 4)
    if x.ndim == 2:
        pixels = x.shape[1]
        side = math.isqrt(pixels)
        if shape is not None and pixels == math.prod(shape):
            x = x.reshape(len(x), *shape)
        elif shape is None and side * side == pixels:
            x = x.reshape(len(x), 1, side, side)
        else:
            expected = f"{math.prod(shape)} ({'x'.join(map(str, shape))})" if shape else "a square number"
            raise OntogenyError(f"{where}: an image has {pixels} pixels; expected {expected}")
    elif x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4:
        looks_last = x.shape[1] not in channel_counts and x.shape[3] in channel_counts
        last = looks_last if shape is None else x.shape[1:] == (*shape[1:], shape[0]) != shape
        if last:
            x = x.transpose(0, 3, 1, 2)
        elif shape is None and x.shape[1] not in channel_counts:
            raise OntogenyError(f"{where}: images have shape {x.shape[1:]}, in which no axis looks like channels")
    else:
        raise OntogenyError(f"{where}: images have shape {x.shape}; expected (n, channels, height, width)")
    if shape is not None and x.shape[1:] != shape:
        raise OntogenyError(
            f"{where}: images are {'x'.join(map(str, x.shape[1:]))}, but {name} is {'x'.join(map(str, shape))}; "
            "give the set another name"
        )
    return x
