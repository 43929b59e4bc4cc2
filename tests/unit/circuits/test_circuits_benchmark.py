"""Speed of the enumeration beside a batched PyTorch search, and of counts that no such search could make."""

import time

import numpy as np
import pytest
from brute_force import candidates, perfect
from nets import trained_nets, truth_table

from ontogeny.circuits import count_candidates, count_circuits, enumerate_circuits, records_from_weights

pytestmark = pytest.mark.benchmark


def seconds(work, repeats=1):
    """CPU seconds of the fastest of `repeats` runs."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


@pytest.fixture(scope="module")
def each():
    """What the batched search takes for one candidate of the smallest network; those of larger ones take more."""
    masks = candidates((2, 3, 3, 1))
    net, rows = trained_nets((2, 3, 3, 1), 6)[0], truth_table(2, copies=20)
    return seconds(lambda: perfect(*net, *rows, masks=masks), 2) / count_candidates((2, 3, 3, 1))


@pytest.mark.parametrize(
    ("sizes", "factor", "gate"),
    [
        ((2, 3, 3, 1), 30, None),
        ((2, 4, 4, 1), 1000, None),
        ((2, 5, 5, 1), 100_000, None),
        ((3, 5, 5, 1), 100_000, None),
        ((3, 5, 5, 1), 100_000, (0, 0, 0, 1) * 2),
    ],
)
def test_much_faster_than_a_batched_search(each, sizes, factor, gate):
    """The second net of the last case is one that bounds cut little: millions of its circuits lie near a boundary."""
    rows = truth_table(sizes[0], gate=gate)
    for net in trained_nets(sizes, 6, gate=gate)[:2]:
        count_circuits(*net, *rows, engine="compiled")
        ours = seconds(lambda net=net: count_circuits(*net, *rows, engine="compiled"), 3)
        theirs = each * count_candidates(sizes)
        print(f"{sizes}: {ours * 1e3:.3f} ms against {theirs:.3f} s, {theirs / ours:,.0f} times")
        assert theirs / ours > factor


def test_records_of_a_run_cost_little_more_than_its_circuits():
    nets = trained_nets((2, 3, 3, 1), 12)
    weights = [np.concatenate([np.stack(w)] * 8) for w in zip(*(n[0] for n in nets))]
    biases = [np.concatenate([np.stack(b)] * 8) for b in zip(*(n[1] for n in nets))]
    rows = truth_table(2, copies=20)

    def make():
        return list(records_from_weights(weights, biases, *rows))

    def find():
        return [enumerate_circuits(*net, *rows) for net in nets]

    make(), find()
    ours, theirs = seconds(make, 2) / len(weights[0]), seconds(find, 2) / len(nets)
    print(f"a record takes {ours / theirs:.1f} times what finding its circuits takes")
    assert ours < 30 * theirs
