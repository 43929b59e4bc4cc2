"""The exact enumeration against a plain one that runs every candidate as a masked network."""

import gc
import itertools
import math
import time
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from brute_force import FUNCTIONS, OTHERS, candidates, layer_masks, perfect
from nets import random_net, trained_nets, truth_table

from ontogeny.circuits import (
    ACTIVATIONS,
    Circuit,
    CircuitSet,
    Layout,
    above,
    count_candidates,
    count_circuits,
    enumerate_circuits,
    enumeration,
    estimate_cost,
    sample_circuits,
)
from ontogeny.circuits._records import _ALIGNED, Plan
from ontogeny.circuits.masks import surjections
from ontogeny.errors import OntogenyError
from ontogeny.nonlinearities import apply_nonlinearity

XOR = truth_table(2, copies=20)


def both(net, x, y, **settings):
    """Codes found by the enumeration and by the brute force, each in its own order."""
    weights, biases = net
    found = enumerate_circuits(weights, biases, x, y, **settings)
    published = settings.get("candidates") == "published"
    index = perfect(
        weights,
        biases,
        x,
        y,
        settings.get("activation", "leaky_relu"),
        settings.get("accuracy_threshold", 0.99),
        published,
    )
    sizes = (weights[0].shape[1], *(len(b) for b in biases))
    edges, _ = candidates(sizes, published)
    expected = Layout(sizes).encode([e[index] for e in edges])
    return found, expected


@pytest.mark.parametrize("activation", list(FUNCTIONS))
@pytest.mark.parametrize("published", [False, True])
def test_same_circuits_in_the_same_order_as_brute_force(activation, published):
    nets = trained_nets((2, 3, 3, 1), 12, activation)[:4] + [random_net((2, 3, 3, 1), s, 1.5) for s in range(4)]
    total = 0
    for net in nets:
        found, expected = both(net, *XOR, activation=activation, candidates="published" if published else "all")
        assert np.array_equal(found.codes, expected)
        total += len(found)
    assert len(nets) > 6
    assert total > 100


@pytest.mark.parametrize("activation", OTHERS)
def test_functions_by_name_have_the_settings_of_pytorch(activation):
    x = truth_table(2)[0]
    for seed in range(8):
        net = random_net((2, 3, 2, 1), seed, 1.5)
        y = np.arange(4)[:, None] // (seed % 3 + 1) % 2
        found, expected = both(net, x, y, activation=activation, accuracy_threshold=0.7)
        assert np.array_equal(found.codes, expected)


@pytest.mark.parametrize("noise", [0.05, 0.3])
@pytest.mark.parametrize("threshold", [0.99, 0.9, 0.5])
def test_noisy_rows_and_error_budgets(noise, threshold):
    x, y = truth_table(2, copies=12, noise=noise, seed=3)
    for net in trained_nets((2, 3, 3, 1), 12)[:4]:
        found, expected = both(net, x, y, accuracy_threshold=threshold)
        assert np.array_equal(found.codes, expected)


@pytest.mark.parametrize("sizes", [(3, 3, 3, 1), (2, 4, 2, 1), (2, 2, 4, 1), (2, 3, 2, 3, 1), (4, 3, 1), (1, 3, 3, 1)])
def test_other_shapes(sizes):
    x, y = truth_table(sizes[0], copies=2)
    nets = trained_nets(sizes, 4)[:2] + [random_net(sizes, s) for s in range(2)]
    for net in nets:
        found, expected = both(net, x, y)
        assert np.array_equal(found.codes, expected)


def test_other_gates_have_circuits_too():
    for gate, bits in {"and": (0, 0, 0, 1), "imp": (1, 1, 0, 1), "constant": (0, 0, 0, 0)}.items():
        x, y = truth_table(2, copies=3, gate=bits)
        for net in trained_nets((2, 3, 3, 1), 3, gate=bits):
            found, expected = both(net, x, y)
            assert len(found) > 0, gate
            assert np.array_equal(found.codes, expected)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(2, 4, 4, 1), (2, 3, 3, 3, 1)])
def test_larger_networks(sizes):
    for net in [*trained_nets(sizes, 4)[:1], random_net(sizes, 1)]:
        found, expected = both(net, *truth_table(2))
        assert np.array_equal(found.codes, expected)


@pytest.mark.parametrize("activation", ["leaky_relu", "relu"])
def test_outputs_exactly_on_a_boundary(activation):
    """Weights of quarters put many outputs on -0.5, 0.5 and 1.5 exactly, where rounding to even decides."""
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(25):
        weights = [rng.integers(-4, 5, (b, a)) / 4 for a, b in itertools.pairwise((2, 3, 3, 1))]
        biases = [rng.integers(-2, 3, b) / 4 for b in (3, 3, 1)]
        x, y = truth_table(2, gate=rng.integers(0, 2, 4))
        found, expected = both((weights, biases), x, y, activation=activation)
        assert np.array_equal(found.codes, expected)
        seen += count_circuits(weights, biases, x, y, activation=activation).decided_in_float32
    assert seen > 100


@pytest.mark.parametrize("min_sparsity", [0.2, 1 / 3, 0.5, 0.7])
def test_min_sparsity_is_strict(min_sparsity):
    for net in trained_nets((2, 3, 3, 1), 12)[:3]:
        full = enumerate_circuits(*net, *XOR)
        kept = enumerate_circuits(*net, *XOR, min_sparsity=min_sparsity)
        wanted = full.codes[full.sparsity[:, 0] > min_sparsity]
        assert np.array_equal(kept.codes, wanted)
        assert count_circuits(*net, *XOR, min_sparsity=min_sparsity).count == len(kept)


@pytest.mark.parametrize("engine", ["compiled", "plain"])
@pytest.mark.parametrize("sizes", [(2, 3, 3, 1), (3, 3, 2, 1), (2, 2, 3, 2, 1)])
def test_count_agrees_with_the_list(engine, sizes):
    x, y = truth_table(sizes[0], copies=2)
    for net in trained_nets(sizes, 8)[:3]:
        listed = enumerate_circuits(*net, x, y)
        counted = count_circuits(*net, x, y, engine=engine)
        assert counted.count == len(listed)
        assert counted.candidates == count_candidates(sizes)
        for share, mask in zip(counted.edge_participation, listed.edge_masks):
            np.testing.assert_allclose(share, mask.mean(axis=0) if len(listed) else 0, atol=1e-12)
        for share, mask in zip(counted.node_participation, listed.node_masks):
            np.testing.assert_allclose(share, mask.mean(axis=0) if len(listed) else 0, atol=1e-12)
        if len(listed):
            np.testing.assert_allclose(counted.mean_sparsity, listed.sparsity.mean(axis=0))


@pytest.mark.parametrize("sizes", [(2, 4, 4, 1), (2, 3, 6, 1)])
def test_count_by_ranks_agrees_with_the_list(sizes):
    """Networks wide enough for combinations of the last layer to be ranked; ties and a neuron of no weight too."""
    rng = np.random.default_rng(1)
    both_active, never = (0, 0, 0, 1), (0, 0, 0, 0)
    nets = [(trained_nets(sizes, 4, gate=both_active)[0], both_active, {})]
    nets.append((random_net(sizes, 1), never, {"min_sparsity": 0.3}))
    nets.append((trained_nets(sizes, 4)[0], None, {"candidates": "published"}))
    for quiet in (False, True):
        weights = [rng.integers(-4, 5, (b, a)) / 4 for a, b in itertools.pairwise(sizes)]
        biases = [rng.integers(-2, 3, b) / 4 for b in sizes[1:]]
        if quiet:
            weights[-1][0, 1] = 2**-10
        nets.append(((weights, biases), never, {"min_sparsity": 0.3}))
    for net, gate, settings in nets:
        rows = truth_table(2, gate=gate)
        listed = enumerate_circuits(*net, *rows, **settings)
        counted = count_circuits(*net, *rows, **settings)
        assert counted.count == len(listed) > 1000
        for share, mask in zip(counted.edge_participation, listed.edge_masks):
            np.testing.assert_allclose(share, mask.mean(axis=0), atol=1e-12)


def _counted(net, rows, activation, **settings):
    weights, biases = net
    return count_circuits(weights, biases, *rows, activation=activation, engine="compiled", threads=1, **settings)


@pytest.mark.parametrize("sizes", [(2, 3, 3, 1), (3, 3, 3, 1), (2, 2, 3, 2, 1), (2, 4, 4, 1), (1, 3, 5, 1)])
def test_count_box_by_box_agrees_with_other_counts(sizes, monkeypatch):
    """All activations, and both rules; quarters put outputs on boundaries, a little noise puts them next to those."""
    _compiled = pytest.importorskip("ontogeny.circuits._compiled")
    monkeypatch.setattr(_compiled, "_many", lambda inputs, last: True)
    monkeypatch.setattr(_compiled, "_FEW_VISITS", 1 << 62)
    monkeypatch.setattr(_compiled, "_EASY", 0)
    seen = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        weights, biases = (
            [rng.integers(-4, 5, shape) / 4 + seed % 2 * 1e-7 * rng.normal(size=shape) for shape in shapes]
            for shapes in ([(b, a) for a, b in itertools.pairwise(sizes)], sizes[1:])
        )
        rows = truth_table(sizes[0], gate=rng.integers(0, 2, 2 ** sizes[0]) * (seed % 4 < 2))
        activation = ACTIVATIONS[seed // 2 % len(ACTIVATIONS)]
        settings = {} if seed % 3 else {"rule": above(0.25)}
        mine = _counted((weights, biases), rows, activation, **settings)
        with monkeypatch.context() as without:
            without.setattr(_compiled, "by_boxes", lambda sizes, n_rows: False)
            without.setattr(_compiled, "_many", lambda inputs, last: False)
            theirs = _counted((weights, biases), rows, activation, **settings)
        assert mine.count == theirs.count
        for ours, other in (
            (mine.edge_participation, theirs.edge_participation),
            (mine.node_participation, theirs.node_participation),
        ):
            for a, b in zip(ours, other):
                np.testing.assert_array_equal(a, b)
        seen += mine.count
    assert seen > 100


@pytest.mark.parametrize(("visits", "by_ranks"), [(1, 0.0), (1, 1e6), (50, 1e6)])
def test_boxes_give_way_to_ranks_or_go_on(visits, by_ranks, monkeypatch):
    """A count that boxes do not finish is made by ranks, or goes on where it has paused, and is the same."""
    _compiled = pytest.importorskip("ontogeny.circuits._compiled")
    net, rows = trained_nets((2, 5, 5, 1), 3)[0], truth_table(2)
    whole = _counted(net, rows, "leaky_relu")
    asked = []
    monkeypatch.setattr(_compiled, "_FEW_VISITS", visits)
    monkeypatch.setattr(_compiled, "_seconds_by_ranks", lambda *problem: asked.append(1) or by_ranks)
    again = _counted(net, rows, "leaky_relu")
    assert asked == [1]
    assert again.count == whole.count > 1_000_000
    for a, b in zip(again.edge_participation, whole.edge_participation):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("by_ranks", [1e-9, 1e6])
def test_boxes_are_given_up_where_more_is_left_than_ranks_take(by_ranks, monkeypatch):
    _compiled = pytest.importorskip("ontogeny.circuits._compiled")
    net, rows = random_net((3, 4, 5, 1), 0, 0.5), truth_table(3, gate=(0, 0, 0, 1) * 2)
    whole = _counted(net, rows, "leaky_relu")
    shares, share_done = [], _compiled.share_done
    monkeypatch.setattr(_compiled, "_FEW_VISITS", 1)
    monkeypatch.setattr(_compiled, "_CHECKED", 0.0)
    monkeypatch.setattr(_compiled, "_seconds_by_ranks", lambda *problem: by_ranks)
    monkeypatch.setattr(_compiled, "_seconds_by_boxes", lambda *problem: 0.0)
    monkeypatch.setattr(_compiled, "share_done", lambda *arrays: shares.append(share_done(*arrays)) or shares[-1])
    again = _counted(net, rows, "leaky_relu")
    assert again.count == whole.count > 1_000_000
    if by_ranks < 1:
        assert len(shares) == 1
    else:
        assert shares[0] < 0.01
        assert 0.5 < shares[-1] <= 1
    for a, b in zip(again.edge_participation, whole.edge_participation):
        np.testing.assert_array_equal(a, b)


def test_seconds_that_compiling_takes_do_not_count_for_boxes(monkeypatch):
    """How far boxes may go depends on how fast they are, but not on how long their code took to compile before."""
    _compiled = pytest.importorskip("ontogeny.circuits._compiled")
    walk, clock, limits = _compiled._search_boxes, time.thread_time, []

    def compiled_late(table, limit, number):
        walk(table, limit, number)
        if number == 0:
            limits.append(limit)

    late = SimpleNamespace(thread_time=lambda: clock() + 1000.0 * bool(limits))
    monkeypatch.setattr(_compiled, "time", late)
    monkeypatch.setattr(_compiled, "_search_boxes", compiled_late)
    monkeypatch.setattr(_compiled, "_FEW_VISITS", 50)
    monkeypatch.setattr(_compiled, "_seconds_by_ranks", lambda *problem: 1.0)
    _counted(trained_nets((2, 5, 5, 1), 3)[0], truth_table(2), "leaky_relu")
    assert limits[-1] > 1000


@pytest.mark.parametrize("settings", [{}, {"min_sparsity": 0.1}])
def test_count_by_ranks_with_sets_of_many_sizes(settings):
    """Four and five active inputs of the last layer take turns, and so do bit sets of two lengths."""
    rows = truth_table(2)
    for net in trained_nets((2, 5, 3, 1), 3):
        listed = enumerate_circuits(*net, *rows, **settings)
        counted = count_circuits(*net, *rows, **settings)
        assert counted.count == len(listed) > 1000
        for shares, masks in (
            (counted.edge_participation, listed.edge_masks),
            (counted.node_participation, listed.node_masks),
        ):
            for share, mask in zip(shares, masks):
                np.testing.assert_allclose(share, mask.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"candidates": "published"}, {"min_sparsity": 0.3}])
def test_input_sets_that_add_the_same_are_counted_together(settings):
    """A neuron that is never active, one without weight to the output, and a pair of equal ones."""
    seen = 0
    for seed in range(4):
        weights, biases = random_net((2, 4, 4, 1), seed)
        biases[1][1], weights[2][0, 2], biases[0][3] = -9.0, 0.0, biases[0][0]
        weights[0][3] = weights[0][0]
        for gate in (None, (0, 0, 0, 1), (0, 0, 0, 0)):
            rows = truth_table(2, gate=gate)
            listed = enumerate_circuits(weights, biases, *rows, activation="relu", **settings)
            counted = count_circuits(weights, biases, *rows, activation="relu", **settings)
            assert counted.count == len(listed)
            for share, mask in zip(counted.edge_participation, listed.edge_masks):
                np.testing.assert_allclose(share, mask.mean(axis=0) if len(listed) else 0, atol=1e-12)
            seen += len(listed)
    assert seen > 10_000


@pytest.mark.parametrize("engine", ["compiled", "plain"])
@pytest.mark.parametrize("sizes", [(2, 3, 3, 1), (2, 1, 3, 1), (2, 2, 2, 2, 1), (2, 4, 1)])
def test_threads_share_a_count(engine, sizes, monkeypatch):
    monkeypatch.setattr(enumeration, "_WORTH_THREADS", 0.0)
    rows = truth_table(2, gate=(0, 0, 0, 1))
    for net in trained_nets(sizes, 3, gate=(0, 0, 0, 1)):
        alone, shared = (count_circuits(*net, *rows, engine=engine, threads=threads) for threads in (1, 3))
        assert alone.count == shared.count > 0
        for a, b in zip(alone.edge_participation, shared.edge_participation):
            np.testing.assert_array_equal(a, b)


def test_threads_of_a_job_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert enumeration._available_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert enumeration._available_threads() >= 1
    with pytest.raises(OntogenyError, match="threads is 0: give 1 or more"):
        count_circuits(*random_net((2, 2, 1), 0), *truth_table(2), threads=0)


def test_both_engines_find_the_same():
    x, y = truth_table(2, copies=6, noise=0.2)
    for activation in FUNCTIONS:
        for net in trained_nets((2, 3, 3, 1), 12, activation)[:2]:
            for settings in ({}, {"candidates": "published", "accuracy_threshold": 0.8}):
                a = enumerate_circuits(*net, x, y, activation=activation, **settings)
                b = enumerate_circuits(*net, x, y, activation=activation, engine="plain", **settings)
                assert a == b


@pytest.mark.parametrize("engine", ["compiled", "plain"])
def test_sample_is_a_uniform_subset(engine):
    net = trained_nets((2, 3, 3, 1), 12)[0]
    full = enumerate_circuits(*net, *XOR)
    every = sample_circuits(*net, *XOR, n=10**6, seed=0, engine=engine)
    assert np.array_equal(every.codes, full.codes)
    assert every.population == len(full)
    hits = np.zeros(len(full))
    draws = 200 if engine == "compiled" else 20
    for seed in range(draws):
        drawn = sample_circuits(*net, *XOR, n=5, seed=seed, engine=engine)
        assert len(drawn) == len(set(drawn)) == 5
        hits += np.isin(full.codes, drawn.codes)
    expected = 5 * draws / len(full)
    assert hits.sum() == 5 * draws
    assert ((hits - expected) ** 2 / expected).sum() < 2 * len(full) + 60
    again = sample_circuits(*net, *XOR, n=5, seed=draws - 1, engine=engine)
    assert again == drawn


def test_masks_decode_to_valid_circuits():
    net = trained_nets((2, 3, 3, 1), 12)[1]
    found = enumerate_circuits(*net, *XOR)
    for circuit in found:
        edges, nodes = circuit.edge_masks, circuit.node_masks
        assert [m.shape for m in edges] == [(3, 2), (3, 3), (1, 3)]
        assert [m.shape for m in nodes] == [(2,), (3,), (3,), (1,)]
        for layer, mask in enumerate(edges):
            assert np.array_equal(mask.any(axis=1), nodes[layer + 1] == 1)
            assert np.array_equal(mask.any(axis=0), nodes[layer] == 1)
        hidden = np.concatenate(nodes[1:-1])
        flat = np.concatenate([m.ravel() for m in edges])
        both_ = np.concatenate([hidden, flat])
        assert circuit.sparsity == (np.mean(hidden == 0), np.mean(flat == 0), np.mean(both_ == 0))
        assert Layout((2, 3, 3, 1)).encode([m[None] for m in edges])[0] == circuit.code
    assert found[0] in found
    assert isinstance(found[:3], CircuitSet)
    assert found[0] <= found[0]
    assert not any(a <= b for a, b in [(Circuit(1, (2, 3, 3, 1)), Circuit(2, (2, 3, 3, 1)))])
    assert "Circuit(2-3-3-1" in repr(found[0])


@pytest.mark.parametrize(
    ("sizes", "everything", "published"),
    [((2, 3, 3, 1), 9625, 3000), ((3, 3, 3, 1), 94591, 24366), ((2, 5, 5, 1), 7271931361, 1247432400)],
)
def test_number_of_candidates(sizes, everything, published):
    assert count_candidates(sizes) == everything
    assert count_candidates(sizes, "published") == published
    if everything < 10**6:
        assert len(candidates(sizes)[0][0]) == everything
        assert len(candidates(sizes, True)[0][0]) == published
        nodes = np.concatenate(candidates(sizes)[1], axis=1)
        assert count_candidates(sizes, min_sparsity=0.4) == ((nodes == 0).mean(axis=1) > 0.4).sum()


def test_accepts_tensors_and_leaves_them_alone():
    weights, biases = random_net((2, 3, 3, 1), 0)
    tensors = [torch.tensor(w, requires_grad=True) for w in weights], [torch.tensor(b) for b in biases]
    x, y = map(torch.tensor, XOR)
    state = torch.random.get_rng_state()
    assert enumerate_circuits(*tensors, x, y) == enumerate_circuits(weights, biases, *XOR)
    assert torch.equal(state, torch.random.get_rng_state())


def refused(match, *args, **settings):
    with pytest.raises(OntogenyError, match=match) as caught:
        enumerate_circuits(*args, **settings)
    assert "\n" not in str(caught.value)


def test_bad_input_is_told_in_a_sentence():
    weights, biases = random_net((2, 3, 3, 1), 0)
    x, y = XOR
    refused("did you mean 'leaky_relu'", weights, biases, x, y, activation="leaky")
    refused("did you mean 'published'", weights, biases, x, y, candidates="publish")
    refused("NaN", [weights[0] * np.nan, *weights[1:]], biases, x, y)
    refused("0 or 1", weights, biases, x, y * 2)
    refused("one output at a time", weights, biases, x, np.hstack([y, y]))
    refused("rows", weights, biases, x[:5], y)
    refused(r"x has shape \(80, 3\)", weights, biases, np.hstack([x, y]), y)
    refused("weights of shape", weights, [biases[0][:2], *biases[1:]], x, y)
    refused("accuracy_threshold", weights, biases, x, y, accuracy_threshold=1.0)
    refused("min_sparsity", weights, biases, x, y, min_sparsity=-0.1)
    refused("negative_slope", weights, biases, x, y, negative_slope=2.0)
    refused("too many to list", *trained_nets((2, 3, 3, 1), 12)[0], x, y, limit=3)
    wide = random_net((2, 7, 7, 1), 0)
    refused(r"candidate circuits, about .* (hours|days|years)", *wide, x, y)
    refused("count them instead", *random_net(DEEP, 0), x, y, min_sparsity=0.65)


DEEP = (2, *[4] * 5, 1)


@lru_cache(maxsize=1)
def chains(sizes, most):
    """Edge masks of every candidate that uses at most `most` hidden neurons, layer by layer, for deep networks."""
    found = []

    def grow(layer, active, masks, used):
        if layer == len(sizes) - 2:
            on = np.isin(np.arange(sizes[layer]), active).astype(np.uint8)[None]
            found.append([*masks, on])
            return
        room = most - used - (len(sizes) - 3 - layer)
        for size in range(1, min(sizes[layer + 1], room) + 1):
            for chosen in itertools.combinations(range(sizes[layer + 1]), size):
                for mask in layer_masks(
                    np.isin(np.arange(sizes[layer]), active), np.isin(np.arange(sizes[layer + 1]), chosen)
                ):
                    grow(layer + 1, chosen, [*masks, mask], used + size)

    grow(0, tuple(range(sizes[0])), [], 0)
    return [np.array(layer) for layer in zip(*found)]


def test_more_edges_than_fit_a_code_are_counted():
    """72 edges into 20 hidden neurons, of which a circuit may use 6."""
    x, y = truth_table(2, gate=(0, 1, 1, 1))
    masks, total = chains(DEEP, 6), 0
    assert len(masks[0]) == count_candidates(DEEP, min_sparsity=0.65) > 1000
    for seed in (1, 2):
        weights, biases = random_net(DEEP, seed, 1.5)
        h = np.broadcast_to(x.astype(np.float64), (len(masks[0]), *x.shape))
        for layer, (w, b) in enumerate(zip(weights, biases)):
            h = h @ (w * masks[layer]).transpose(0, 2, 1) + b
            if layer < len(weights) - 1:
                h = np.where(h > 0, h, 0.01 * h) * masks[layer].any(axis=2)[:, None]
        outputs = np.sort(h.ravel())[h.size // 4 : 3 * h.size // 4]
        widest = np.diff(outputs).argmax()  # where no rounding can turn an output from one side to the other
        threshold = float(outputs[widest : widest + 2].mean())
        right = ((h[..., 0] > threshold) == (y[:, 0] > 0)).all(axis=1)
        rule = above(threshold)
        found = count_circuits(weights, biases, x, y, min_sparsity=0.65, rule=rule, engine="compiled")
        assert found.count == right.sum()
        if found.count:
            for share, mask in zip(found.edge_participation, masks):
                np.testing.assert_allclose(share, mask[right].mean(axis=0))
        total += found.count
    assert total > 0


def test_cost_grows_with_size():
    costs = [estimate_cost(s) for s in ((2, 3, 3, 1), (2, 4, 4, 1), (2, 5, 5, 1), (2, 6, 6, 1), (2, 7, 7, 1))]
    assert costs == sorted(costs)
    assert costs[0] < 1e-3


def test_a_layer_of_many_inputs_with_few_candidates():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(1, 40)).astype(np.float32), np.ones((1, 1), np.float32)]
    biases = [np.zeros(1, np.float32), np.zeros(1, np.float32)]
    x = rng.normal(size=(30, 40)).astype(np.float32)
    y = (x @ weights[0].T > 0).astype(np.float32)
    assert estimate_cost((40, 1, 1)) < 1
    found = count_circuits(weights, biases, x, y, rule=above(0.0), activation="identity")
    assert (found.count, found.candidates) == (1, 1)
    assert found.edge_participation[0].shape == (1, 40)
    assert enumerate_circuits(weights, biases, x, y, rule=above(0.0), activation="identity")[0].edge_masks[0].all()
    with pytest.raises(OntogenyError, match="candidate circuits"):
        count_circuits(*random_net((20, 3, 1), 0), rng.normal(size=(4, 20)), np.ones(4))


@pytest.mark.parametrize("engine", ["compiled", "plain"])
@pytest.mark.parametrize("activation", [("gelu", "tanh"), ("silu", "softplus"), ("elu", "identity")])
def test_activations_of_each_layer_and_a_threshold(engine, activation):
    x, y = truth_table(2)
    for seed in range(3):
        net = random_net((2, 3, 2, 1), seed, 2.0)
        found = enumerate_circuits(*net, x, y, activation=activation, rule=above(0.1), engine=engine)
        edges, nodes = candidates((2, 3, 2, 1))
        h = np.broadcast_to(x.astype(np.float64), (len(edges[0]), 4, 2))
        for layer, (w, b) in enumerate(zip(*net)):
            h = h @ (w * edges[layer]).transpose(0, 2, 1) + b
            if layer < 2:
                h = np.asarray(apply(h, activation[layer])) * nodes[layer][:, None]
        right = ((h[..., 0] > 0.1) == (y[:, 0] > 0)).all(axis=1)
        assert len(found) == right.sum()
        assert np.array_equal(found.edge_masks[0], edges[0][right])
        counted = count_circuits(*net, x, y, activation=activation, rule=above(0.1), engine=engine)
        assert counted.count == len(found)


def apply(values, name):
    return values if name == "identity" else apply_nonlinearity(values, name)


@pytest.mark.parametrize("engine", ["compiled", "plain"])
def test_many_rows_of_which_some_may_be_wrong(engine):
    x, y = truth_table(2, copies=100, noise=0.15)
    for net in trained_nets((2, 3, 3, 1), 6)[:2]:
        found = enumerate_circuits(*net, x, y, accuracy_threshold=0.9, engine=engine)
        assert np.array_equal(found.edge_masks[0], candidates((2, 3, 3, 1))[0][0][perfect(*net, x, y, threshold=0.9)])
        assert count_circuits(*net, x, y, accuracy_threshold=0.9, engine=engine).count == len(found) > 0


def test_a_screen_of_some_rows_changes_nothing(monkeypatch):
    """Circuits of many rows are those found on all of them at once; some are right on the screen alone."""
    x, y = truth_table(2, copies=100, noise=0.05)
    total = 0
    for net in trained_nets((2, 3, 3, 1), 6)[:3]:
        for threshold in (0.985, 0.99, 0.999):
            how = {"accuracy_threshold": threshold, "engine": "compiled"}
            screened, counted = enumerate_circuits(*net, x, y, **how), count_circuits(*net, x, y, **how)
            with monkeypatch.context() as patch:
                patch.setattr(enumeration, "_MOST_SCREENED", -1)
                assert enumerate_circuits(*net, x, y, **how) == screened
                whole = count_circuits(*net, x, y, **how)
            assert counted.count == whole.count == len(screened)
            for mine, theirs in zip(counted.edge_participation, whole.edge_participation):
                np.testing.assert_allclose(mine, theirs)
            total += whole.count
    assert total > 0


def test_compiling_leaves_garbage_collection_as_it_was():
    """It is off while the search compiles, and afterwards as before, also where code does not compile."""
    extending = pytest.importorskip("numba.extending")
    numba = pytest.importorskip("numba")
    from ontogeny.circuits._records import PartCompiler, WholeCompiler

    seen = []

    def one(compiler):
        """A function that returns 1, and notes when it is compiled whether garbage is collected."""

        @extending.intrinsic
        def noted(typing):
            seen.append(gc.isenabled())
            return numba.int64(), lambda context, builder, signature, args: context.get_constant(numba.int64, 1)

        return numba.njit(pipeline_class=compiler)(lambda: noted())

    def run(added):
        inner, outer = one(PartCompiler), one(WholeCompiler)
        return numba.njit(pipeline_class=WholeCompiler)(lambda: inner() + outer() + added)()

    before = gc.isenabled()
    try:
        for switch in (gc.enable, gc.disable):
            switch()
            collects = gc.isenabled()
            assert run(1) == 3
            assert gc.isenabled() == collects
            with pytest.raises(numba.TypingError):
                run("a")
            assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
    assert len(seen) == 8
    assert not any(seen)


def test_numba_is_left_as_it_was():
    """What a compilation remembers of types, and the collector that it stops, are as before when it ends."""
    numba = pytest.importorskip("numba")
    records = pytest.importorskip("ontogeny.circuits._records")

    @numba.njit(pipeline_class=records.WholeCompiler, nogil=True, _nrt=False)
    def twice(x):
        return x + x

    assert twice(2) == 4
    assert "get_call_type" not in vars(numba.core.types.Function)
    assert gc.isenabled()


def test_networks_of_one_shape_share_a_layout():
    """What the sizes alone tell is checked and worked out once, however many networks there are; nobody can edit it."""
    one, other = (enumerate_circuits(*random_net((2, 3, 1), seed), *truth_table(2)).layout for seed in (0, 1))
    assert one is other
    assert not one.neuron_masks.flags.writeable


@pytest.mark.parametrize("filling", [0x55, 0xFF])
def test_a_count_by_boxes_does_not_depend_on_what_its_memory_held(monkeypatch, filling):
    """Most of it is written before it is read, and so not filled beforehand, which would take small networks longer."""
    nets, rows = [*trained_nets((2, 5, 5, 1), 3), random_net((2, 5, 5, 1), 1)], truth_table(2)
    clean = [count_circuits(*net, *rows, engine="compiled", threads=1) for net in nets]
    place, left = Plan.place, []

    def place_in_used_memory(plan):
        table, block = place(plan)
        left.append(plan.zeros / plan.size)
        block[plan.zeros + _ALIGNED :] = filling  # the zeros begin at the first aligned byte
        return table, block

    monkeypatch.setattr(Plan, "place", place_in_used_memory)
    for net, expected in zip(nets, clean):
        counted = count_circuits(*net, *rows, engine="compiled", threads=1)
        assert repr(counted) == repr(expected)
    assert min(left) < 0.25


def test_candidates_of_wide_networks_are_counted_at_once():
    sizes = (5, 90, 70, 1)
    everywhere = math.prod(surjections(a, b) for a, b in itertools.pairwise(sizes[:-1]))
    assert count_candidates(sizes) - count_candidates(sizes, "published") == everywhere
    assert count_candidates((4, 9, 8, 7, 1)) == count_candidates((4, 9, 8, 7, 1), min_sparsity=1e-9) + math.prod(
        surjections(a, b) for a, b in itertools.pairwise((4, 9, 8, 7))
    )
