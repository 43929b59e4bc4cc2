"""Methods of circuit discovery, held against all circuits of small networks."""

import numpy as np
import pytest
import torch
from brute_force import FUNCTIONS, OTHERS
from nets import random_net, trained_nets, truth_table

from ontogeny.circuits import ACTIVATIONS, CircuitSettings, enumerate_circuits, minimal_circuits
from ontogeny.circuits.discovery import (
    METHODS,
    STEPS,
    discover,
    discovery_by_progress,
    discovery_table,
    edge_scores,
    score_discovery,
    trimmed,
)
from ontogeny.errors import OntogenyError
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

XOR = truth_table(2)


def by_edge(weights, biases, x, y, activation, towards):
    """Each edge's part of its sum (rows, out, in), and dL/d of it averaged over the inputs `towards`, by autograd."""
    tensors = [[torch.tensor(v, dtype=torch.float64) for v in part] for part in (weights, biases)]
    grads = [0.0] * len(weights)
    for inputs in towards:
        h, parts = torch.tensor(inputs, dtype=torch.float64), []
        for layer, (w, b) in enumerate(zip(*tensors)):
            parts.append((h[:, None, :] * w).requires_grad_())
            h = parts[-1].sum(dim=2) + b
            h = (FUNCTIONS | OTHERS)[activation](h) if layer < len(weights) - 1 else h
        loss = ((h - torch.tensor(y, dtype=torch.float64)) ** 2).mean()
        grads = [g + own.numpy() / len(towards) for g, own in zip(grads, torch.autograd.grad(loss, parts))]
    return [part.detach().numpy() for part in parts], grads


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_scores_are_those_of_autograd_edge_by_edge(activation):
    weights, biases = random_net((2, 3, 2, 1), 6)
    x, y = truth_table(2, copies=2, noise=0.3)
    mean = np.broadcast_to(x.mean(axis=0, dtype=np.float64), x.shape)
    path = [mean + (k + 0.5) / STEPS * (x - mean) for k in range(STEPS)]
    own, slopes = by_edge(weights, biases, x, y, activation, [x])
    without, _ = by_edge(weights, biases, mean, y, activation, [mean])
    along = by_edge(weights, biases, x, y, activation, path)[1]
    expected = {
        "gradient": [(a * g).sum(axis=0) for a, g in zip(own, slopes)],
        "attribution": [((a - b) * g).sum(axis=0) for a, b, g in zip(own, without, slopes)],
        "integrated": [((a - b) * g).sum(axis=0) for a, b, g in zip(own, without, along)],
    }
    for method, scores in expected.items():
        for score, found in zip(scores, edge_scores(method, weights, biases, x, y, activation)):
            np.testing.assert_allclose(found, np.abs(score), rtol=1e-9, atol=1e-12)


def test_edges_that_lead_nowhere_are_no_part_of_a_circuit():
    masks = [np.array([[1, 1], [1, 0], [0, 0]]), np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]]), np.array([[1, 1, 1]])]
    kept, whole = trimmed([mask[None] for mask in masks])
    assert whole.tolist() == [True]
    assert kept[0][0].tolist() == [[1, 1], [0, 0], [0, 0]]
    assert kept[1][0].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert kept[2][0].tolist() == [[1, 0, 0]]
    assert not trimmed([np.array([[[1, 0]]]), np.ones((1, 1, 1))])[1].any()


def one_by_one(method, circuits, weights, biases):
    """What a scored method returns, edge by edge: the first nested subnetwork that is among the circuits."""
    known = set(circuits.codes.tolist())
    scores = edge_scores(method, weights, biases, *XOR)
    kept = [np.zeros_like(score) for score in scores]
    ranked = sorted(
        ((-score[place], layer, place) for layer, score in enumerate(scores) for place in np.ndindex(score.shape)),
        key=lambda edge: edge[0],
    )
    for _, layer, place in ranked:
        kept[layer][place] = 1
        edges, whole = trimmed([mask[None] for mask in kept])
        code = int(circuits.layout.encode(edges[:-1])[0])
        if whole[0] and code in known:
            return code
    return None


def test_what_a_method_returns_is_a_circuit():
    for net in trained_nets((2, 3, 3, 1), 12)[:3]:
        circuits = enumerate_circuits(*net, *XOR)
        minimal = set(minimal_circuits(circuits).codes.tolist())
        for method in METHODS:
            code = discover(method, circuits, *net, *XOR)
            assert code is None or code in circuits.codes
            assert method == "acdc" or method == "chance" or code == one_by_one(method, circuits, *net)
        pruned = discover("acdc", circuits, *net, *XOR)
        assert pruned is not None
        assert (np.bitwise_count(np.uint64(pruned)) <= np.bitwise_count(circuits.codes).max()).all()
        assert len(minimal) > 0
    with pytest.raises(OntogenyError, match="did you mean 'gradient'"):
        discover("gradients", circuits, *net, *XOR)


def test_scores_of_an_ensemble():
    ensemble = train_ensemble(EnsembleSettings(epochs=40, loss_target=0, learning_rate=0.01), range(2))
    scores = score_discovery(ensemble, CircuitSettings(convergence_frequency=10))
    assert set(scores.method) == set(METHODS)
    assert not (scores.is_minimal & ~scores.found).any()
    assert (scores.edges.dropna() >= scores.fewest[scores.edges.notna()]).all()
    table = discovery_table(scores).set_index("method")
    assert table.networks.nunique() == 1
    assert (table.found_low <= table.found).all()
    sparse = score_discovery(
        ensemble, CircuitSettings(convergence_frequency=40, min_sparsity=0.2), ["acdc", "magnitude"]
    )
    assert sparse.found[sparse.method == "acdc"].any()
    lost = scores[(scores.seed == 0) | ~scores["last"]]
    assert (discovery_table(lost).networks == 1).all()
    along = discovery_by_progress(scores, bins=2, n_resamples=50)
    assert set(along.method) == set(METHODS)
    assert (along.is_minimal_low <= along.is_minimal).all()
    end = scores[scores.epoch == 40].groupby("method").is_minimal.mean()
    assert table.is_minimal.sort_index().equals(end[table.index].sort_index())
