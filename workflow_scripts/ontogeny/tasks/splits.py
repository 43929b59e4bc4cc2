"""How labelled images are split, and the order in which training sees them.

Everything random here is a pure function of a seed, so that a run can be replayed from any position.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, check_number, unknown
from ontogeny.tasks.images import Arrays, ImageData
from ontogeny.tasks.settings import TaskSettings

DEFAULTS = TaskSettings()
SPLITS = ("train", "validation", "probe")


@dataclass(frozen=True, eq=False)
class ImageSplits:
    """Disjoint train, validation and probe images of one data set.

    train, validation, probe: int64 indices into `data`. mean, std: float64, one per channel, of the training images
    (0 and 1 when `standardise` is off).
    """

    data: ImageData
    train: np.ndarray
    validation: np.ndarray
    probe: np.ndarray
    seed: int
    standardise: bool
    mean: np.ndarray
    std: np.ndarray

    def indices(self, split: str) -> np.ndarray:
        """The indices of `split`: "train", "validation" or "probe". Raises OntogenyError for another."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        return getattr(self, split)

    def arrays(self, split: str) -> Arrays:
        """(x, y) of `split`: x float32 (n, channels, height, width), standardised if `standardise`; y int64 (n,).

        A channel that is constant over the training images is centred and not scaled.
        """
        at = self.indices(split)
        x = self.data.x[at]
        if self.standardise:
            scale = np.where(self.std > 0, self.std, 1.0)
            x = (x - self.mean.astype(np.float32)[:, None, None]) / scale.astype(np.float32)[:, None, None]
        return np.ascontiguousarray(x, dtype=np.float32), self.data.y[at]

    def record(self) -> dict[str, Any]:
        """What is needed to recognise these splits, as JSON types."""
        return {
            "data": self.data.name,
            "source": self.data.source,
            "fingerprint": self.data.fingerprint,
            "shape": list(self.data.shape),
            "classes": self.data.classes,
            "seed": self.seed,
            "sizes": {split: len(self.indices(split)) for split in SPLITS},
            "indices": {split: hashlib.sha256(self.indices(split).data).hexdigest() for split in SPLITS},
            "standardise": self.standardise,
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }


@checks_arguments
def split_images(
    data: ImageData,
    n_train: int | None,
    n_validation: int,
    n_probe: int,
    seed: int,
    standardise: bool = DEFAULTS.standardise,
) -> ImageSplits:
    """Draw disjoint splits, each with the classes in their proportions, fixed by `seed`.

    n_train: None takes everything left by validation and probe. The probe is drawn first, then validation, then
    training, so that the probe stays the same when another size changes.

    Raises OntogenyError when the sizes do not fit the data.
    """
    held_out = n_validation + n_probe
    if n_train is None:
        needed, asked = (
            held_out + 1,
            f"{n_validation} validation + {n_probe} probe images, and a training image",
        )
    else:
        needed = n_train + held_out
        asked = f"{n_train} training + {n_validation} validation + {n_probe} probe = {needed} images"
    if needed > len(data):
        raise OntogenyError(
            f"{asked} requested, but {data.name} has {len(data)}: lower n_probe, n_validation or n_train"
        )
    n_train = len(data) - held_out if n_train is None else n_train

    left = np.arange(len(data), dtype=np.int64)
    drawn: dict[str, np.ndarray] = {}
    for position, (split, size) in enumerate((("probe", n_probe), ("validation", n_validation), ("train", n_train))):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(position,)))
        drawn[split] = _stratified(left, data.y, size, rng)
        left = np.setdiff1d(left, drawn[split], assume_unique=True)

    channels = data.x.shape[1]
    mean, std = np.zeros(channels), np.ones(channels)
    if standardise:
        images = data.x[drawn["train"]]
        mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
        std = images.std(axis=(0, 2, 3), dtype=np.float64)
    return ImageSplits(data, drawn["train"], drawn["validation"], drawn["probe"], seed, standardise, mean, std)


def _stratified(pool: np.ndarray, labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """`size` entries of `pool`, each class in its proportion (largest remainder), in random order."""
    of_class = labels[pool]
    counts = np.bincount(of_class)
    share = counts * (size / len(pool))
    quota = np.floor(share).astype(np.int64)
    by_remainder = np.argsort(quota - share, kind="stable")
    quota[by_remainder[: size - quota.sum()]] += 1
    chosen = [
        rng.choice(pool[of_class == label], size=number, replace=False) for label, number in enumerate(quota) if number
    ]
    return rng.permutation(np.concatenate(chosen)).astype(np.int64)


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which epoch `epoch` visits `n` training images: int64 (n,), a pure function of its arguments."""
    n, seed, epoch = _count("n", n), _count("seed", seed, least=0), _count("epoch", epoch, least=0)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_EPOCH_STREAM, epoch)))
    return rng.permutation(n).astype(np.int64)


_EPOCH_STREAM = 100


def _count(what: str, value: Any, least: int = 1) -> int:
    check_number(value, what, f"a whole number of at least {least}", least, whole=True)
    return int(value)
