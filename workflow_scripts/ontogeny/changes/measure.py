"""What differs between two networks of one architecture, such as one network before and after a jump."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from ontogeny.arguments import Classes, Reals, checks_arguments, plain
from ontogeny.changes.compare import Change
from ontogeny.changes.settings import ChangeSettings
from ontogeny.errors import OntogenyError
from ontogeny.features.attention import attention_maps
from ontogeny.features.attribution import saliency
from ontogeny.geometry.components import pca
from ontogeny.geometry.similarity import AXES, cka_of_grams, gram, procrustes_of_scores, unit_norm
from ontogeny.models import get_handler
from ontogeny.models.trace import undisturbed
from ontogeny.neurons.scores import check_classes, checked_data, evaluate, sample_losses, scores_of, working_copy
from ontogeny.neurons.sites import by_unit, find_site, site_values
from ontogeny.neurons.statistics import UNKNOWN, compare_neurons, values_by_unit
from ontogeny.tracking.estimators import stable_rank
from ontogeny.trajectory import Trajectory

FLIPPED = ["sample", "label", "predicted_before", "predicted_after", "flip", "margin_before", "margin_after",
           "loss_before", "loss_after"]  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """The network of a step of an imported series, in memory only while it is looked at."""

    trajectory: Trajectory
    step: int


Network = nn.Module | Stored


@checks_arguments
def network_changes(
    before: nn.Module,
    after: nn.Module,
    inputs: Reals,
    labels: Classes,
    settings: ChangeSettings | None = None,
) -> list[Change]:
    """Everything that differs between two networks of one architecture, measured on the same samples.

    inputs, labels: (samples, ...), (samples,). settings: how many samples' saliency is compared, and the rate of false
    discoveries among the units that count as changed. The networks are not changed.

    Raises OntogenyError for networks whose layers differ, or data that make no sense.
    """
    settings = settings or ChangeSettings()
    inputs, labels = checked_data(inputs, labels)
    layers = get_handler(before).layers
    if [(layer.name, layer.path) for layer in layers] != [(x.name, x.path) for x in get_handler(after).layers]:
        raise OntogenyError("the two networks have different layers: compare networks of one architecture")
    found = weight_changes(before, after, {layer.name: layer.path for layer in layers})
    twins = [working_copy(network) for network in (before, after)]
    for layer in layers:
        site = find_site(twins[0], layer.name, inputs, after_nonlinearity=False)
        one, two = (plain(site_values(network, site, inputs)).numpy() for network in twins)
        found += activation_changes(layer.name, *(values.reshape(len(values), -1) for values in (one, two)))
        site = find_site(twins[0], layer.name, inputs)
        one, two = (by_unit(site_values(network, site, inputs), site).numpy() for network in twins)
        name = UNKNOWN if site.nonlinearity == UNKNOWN else "none"
        units = compare_neurons(one, None, two, name, feature_axis=-1)
        found += unit_changes(layer.name, units, settings.false_discovery_rate)
        found += selectivity_changes(layer.name, one, two, labels.numpy(), name)
    found += attention_changes(before, after, inputs)
    found += feature_changes(before, after, inputs[: settings.explained], labels[: settings.explained])
    return found + prediction_changes(flipped_predictions(before, after, inputs, labels))


def weight_changes(
    before: Network, after: Network, layers: Mapping[str, str], during: Network | None = None
) -> list[Change]:
    """How far the parameters of each layer moved, and what became of their norm and spectrum.

    layers: display name to module path. Of all parameters of a layer as one vector: `relative change` |b - a| / |a|,
    `direction` 1 - cosine, `norm`. Of its largest matrix (output by everything else): `spectral norm`, `stable rank`.
    Layers without parameters are left out.
    """
    found = []
    networks = _moments(before, during, after)
    for name, path in layers.items():
        ends, norms, spectra = [], [], []
        for place, network in enumerate(networks):
            parts = [each.detach().double().cpu() for each in _parameters(network, path)]
            if not parts:
                break
            largest = max(parts, key=lambda each: each.numel() * (each.ndim > 1))
            if largest.ndim > 1:
                spectra.append(torch.linalg.svdvals(largest.flatten(1)).numpy())
            flat = (parts[0].flatten() if len(parts) == 1 else torch.cat([each.flatten() for each in parts])).numpy()
            norms.append(float(np.linalg.norm(flat)))
            if place in (0, len(networks) - 1):
                ends.append(flat)
            del parts, largest, flat
        if not ends:
            continue
        a, b = ends
        size, moved = norms[0], np.linalg.norm(b - a)
        found.append(Change("weights", name, "relative change", float(moved / size) if size else np.nan))
        length = size * norms[-1]
        turned = 0.0 if moved == 0 else max(1 - float(a @ b / length), 0.0) if length else np.nan
        found.append(Change("weights", name, "direction", turned))
        found.append(Change.between("weights", name, "norm", norms))
        if spectra:
            found.append(Change.between("weights", name, "spectral norm", [s[0] for s in spectra]))
            ranks = [stable_rank(s) if s[0] > 0 else np.nan for s in spectra]
            found.append(Change.between("weights", name, "stable rank", ranks))
    return found


def _moments(before: Any, during: Any, after: Any) -> list[Any]:
    return [each for each in (before, during, after) if each is not None]


def _in_memory(*networks: Network | None) -> Iterator[nn.Module]:
    """The networks one after another, each to be looked at before the next is asked for."""
    for each in networks:
        if each is not None:
            yield each.trajectory.at(each.step) if isinstance(each, Stored) else each


def _parameters(network: Network, path: str) -> list[Tensor]:
    if isinstance(network, Stored) and network.trajectory.series:
        return network.trajectory.series.weights(network.step, path)
    return list(next(_in_memory(network)).get_submodule(path).parameters())


def activation_changes(layer: str, before: np.ndarray, after: np.ndarray) -> list[Change]:
    """How far the representations of the same samples, (samples, features) each, moved.

    `CKA distance` 1 - debiased CKA and `shape distance` (radians), blind to rotation; `displacement`, the mean over
    samples of how far each moved, and `mean shift`, how far their mean moved, in units of the spread of samples before
    and after (root of the mean of the two total variances).
    """
    one, two = (np.asarray(values, dtype=np.float64) for values in (before, after))
    found = []
    if len(one) >= 5:
        alike = cka_of_grams(gram(one), gram(two))
        found.append(
            Change("activations", layer, "CKA distance", 1 - alike.value, low=1 - alike.high, high=1 - alike.low)
        )
        scores = [unit_norm(pca(values, min(AXES, *values.shape)).projections[0]) for values in (one, two)]
        turned = procrustes_of_scores(*scores)
        found.append(Change("activations", layer, "shape distance", turned.value, low=turned.low, high=turned.high))
    step = two - one
    spread = np.sqrt((one.var(axis=0, ddof=1).sum() + two.var(axis=0, ddof=1).sum()) / 2)
    mean = step.mean(axis=0)
    shift = np.linalg.norm(mean)
    along = step @ (mean / shift) if shift > 0 else np.zeros(len(step))
    for name, values in (("displacement", np.linalg.norm(step, axis=1)), ("mean shift", along)):
        scaled = values / spread if spread > 0 else np.where(values == 0, 0.0, np.nan)
        found.append(Change.of_samples("activations", layer, name, scaled))
    return found


def unit_changes(layer: str, units: pd.DataFrame, alpha: float = 0.05) -> list[Change]:
    """Shares of the units of a layer that `changed` (adjusted p-value at most `alpha`), `died`, `revived`, and the mean
    `unit effect`, a unit's standardised change by size. units: rows of `compare_neurons`; the samples are units.
    """
    effect = np.abs(units["effect_size"].to_numpy(dtype=np.float64))
    columns = {
        "changed": (units["p_adjusted"] <= alpha).to_numpy(dtype=np.float64),
        "died": units["died"].to_numpy(dtype=np.float64),
        "revived": units["revived"].to_numpy(dtype=np.float64),
        "unit effect": np.where(np.isfinite(effect), effect, np.nan),
    }
    return [Change.of_samples("neurons", layer, name, values, over="units") for name, values in columns.items()]


def selectivity_changes(
    layer: str,
    before: np.ndarray,
    after: np.ndarray,
    labels: np.ndarray,
    nonlinearity: str = "none",
    during: np.ndarray | None = None,
) -> list[Change]:
    """By how much the share of each unit's variance that the class explains (eta squared) moved, up or down."""
    shares = [
        _explained(values_by_unit(values, nonlinearity, None, layer).mean(axis=1), labels)
        for values in _moments(before, during, after)
    ]
    moved = Change.of_samples("neurons", layer, "selectivity", np.abs(shares[-1] - shares[0]), over="units")
    return [moved.at([float(share.mean()) for share in shares])]


def _explained(units: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Eta squared of every unit; 0 for one that does not vary."""
    centred = units - units.mean(axis=0)
    one_hot = labels[:, None] == np.unique(labels)
    between = ((one_hot.T @ centred) ** 2 / one_hot.sum(axis=0)[:, None]).sum(axis=0)
    total = (centred**2).sum(axis=0)
    return np.divide(between, total, out=np.zeros_like(total), where=total > 1e-20)


def attention_changes(before: Network, after: Network, inputs: Tensor, during: Network | None = None) -> list[Change]:
    """`attention moved`, the total variation distance of attention weights (0 to 1), and `attention entropy` (nats).

    Both are means over heads and queries, by layer. Nothing for a network without attention that can be read.
    """
    chunk = 256 if inputs.is_floating_point() else 8
    try:
        maps = [attention_maps(network, inputs, chunk) for network in _in_memory(before, during, after)]
    except OntogenyError:
        return []
    found = []
    for path in maps[0]:
        states = [each[path].astype(np.float64) for each in maps]
        moved = 0.5 * np.abs(states[-1] - states[0]).sum(-1).mean((1, 2))
        found.append(Change.of_samples("attention", path, "attention moved", moved))
        entropies = [_entropy(each).mean((1, 2)) for each in states]
        change = Change.of_samples("attention", path, "attention entropy", entropies[-1] - entropies[0])
        found.append(change.at([float(each.mean()) for each in entropies]))
    return found


def _entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(-1)


def feature_changes(before: Network, after: Network, inputs: Tensor, labels: Tensor) -> list[Change]:
    """`saliency moved`: 1 - rank correlation of a sample's saliency maps for its own class, before and after."""
    one, two = (
        saliency(network, inputs, labels).values.reshape(len(inputs), -1) for network in _in_memory(before, after)
    )
    same = (one == two).all(axis=1)
    one, two = (rankdata(each, axis=1) for each in (one, two))
    one, two = (each - each.mean(axis=1, keepdims=True) for each in (one, two))
    length = np.sqrt((one**2).sum(1) * (two**2).sum(1))
    likeness = np.divide((one * two).sum(1), length, out=np.full(len(one), np.nan), where=length > 0)
    return [Change.of_samples("features", "", "saliency moved", np.where(same, 0.0, 1 - likeness))]


@checks_arguments
def flipped_predictions(before: Network, after: Network, inputs: Reals, labels: Classes) -> pd.DataFrame:
    """One row per sample: what each network predicts, and which way it flipped.

    Columns: sample, label, predicted_before, predicted_after, flip (`to right`, `to wrong`, `other` from one wrong
    class to another, or empty), and of both networks margin (score of the true class less the best other) and loss
    (nats).
    """
    inputs, labels = checked_data(inputs, labels)
    columns: dict[str, Any] = {"sample": np.arange(len(labels)), "label": labels.numpy()}
    for name, network in zip(("before", "after"), _in_memory(before, after)):
        with undisturbed(network):
            scores = scores_of(network, inputs).double()
        check_classes(scores, labels)
        own = scores.gather(1, labels[:, None])[:, 0]
        others = scores.scatter(1, labels[:, None], -torch.inf)
        columns |= {
            f"predicted_{name}": scores.argmax(1).numpy(),
            f"margin_{name}": (own - others.amax(1)).numpy(),
            f"loss_{name}": sample_losses(scores, labels).numpy(),
        }
    table = pd.DataFrame(columns)
    right = [(table[f"predicted_{name}"] == table["label"]).to_numpy() for name in ("before", "after")]
    turned = (table["predicted_before"] != table["predicted_after"]).to_numpy()
    flip = np.select([turned & right[1], turned & right[0], turned], ["to right", "to wrong", "other"], "")
    return table.assign(flip=flip)[FLIPPED]


def prediction_changes(table: pd.DataFrame, during: pd.DataFrame | None = None) -> list[Change]:
    """Shares of predictions that `flipped`, `to right`, `to wrong`, and the change of `loss`, `accuracy`, `margin`.

    table: of `flipped_predictions`; during: that of the network before and the one at the moment itself.
    """
    found = []
    for name in ("flipped", "to right", "to wrong"):
        flips = table["flip"] != "" if name == "flipped" else table["flip"] == name
        found.append(Change.of_samples("predictions", "", name, flips.to_numpy(dtype=np.float64)))
    ends = [(table, "before"), *([] if during is None else [(during, "after")]), (table, "after")]
    for name in ("loss", "accuracy", "margin"):
        if name == "accuracy":
            states = [(each[f"predicted_{when}"] == each["label"]).to_numpy(dtype=np.float64) for each, when in ends]
        else:
            states = [each[f"{name}_{when}"].to_numpy(dtype=np.float64) for each, when in ends]
        found.append(_change_of_samples(name, states))
    return found


def _change_of_samples(name: str, states: list[np.ndarray]) -> Change:
    """The change of a quantity from the first of `states`, (samples,) each, to the last, with the mean at each."""
    change = Change.of_samples("predictions", "", name, states[-1] - states[0])
    return change.at([float(each.mean()) for each in states])


def sequence_changes(
    before: Network, after: Network, inputs: Tensor, labels: Tensor, during: Network | None = None
) -> list[Change]:
    """The change of `loss` (nats) and `accuracy` of networks that read tokens, by sequence.

    labels: a class per sequence, or the tokens themselves, (samples, positions), of which each next one is predicted;
    both quantities are then means over the positions of a sequence.
    """
    measured = []
    for network in _in_memory(before, during, after):
        with undisturbed(network):
            measured.append([values.numpy() for values in evaluate(network, inputs, labels, chunk=8)])
    return [_change_of_samples(name, list(states)) for name, states in zip(("loss", "accuracy"), zip(*measured))]
