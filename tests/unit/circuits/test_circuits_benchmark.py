"""Speed of the enumeration beside a batched PyTorch search, and of counts that no such search could make."""

import time

import numpy as np
import pytest
from brute_force import candidates, perfect
from nets import trained_nets, truth_table

from ontogeny.circuits import count_circuits, enumerate_circuits, records_from_weights

pytestmark = pytest.mark.benchmark


def seconds(work, repeats=1):
    """CPU seconds of the fastest of `repeats` runs."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "factor"), [((2, 3, 3, 1), 30), ((2, 4, 4, 1), 1000)])
def test_much_faster_than_a_batched_search(sizes, factor):
    net, rows = trained_nets(sizes, 6)[0], truth_table(2, copies=20)
    found = enumerate_circuits(*net, *rows)
    masks = candidates(sizes)
    count_circuits(*net, *rows, engine="compiled")
    ours = seconds(lambda: count_circuits(*net, *rows, engine="compiled"), 20)
    theirs = seconds(lambda: perfect(*net, *rows, masks=masks), 1)
    print(f"{sizes}: {ours * 1e3:.3f} ms against {theirs:.3f} s, {theirs / ours:,.0f} times")
    assert len(found) == len(perfect(*net, *rows, masks=masks))
    assert theirs / ours > factor


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "most", "gate"), [((2, 5, 5, 1), 0.5, None), ((3, 5, 5, 1), 4, None), ((3, 5, 5, 1), 4, (0, 0, 0, 1) * 2)]
)
def test_counts_of_large_networks(sizes, most, gate):
    """The second net of the last case is one that bounds cut little: millions of its circuits lie near a boundary."""
    rows = truth_table(sizes[0], gate=gate)
    for net in trained_nets(sizes, 4, gate=gate)[:2]:
        count = count_circuits(*net, *rows).count
        spent = seconds(lambda net=net: count_circuits(*net, *rows), 2)
        print(f"{sizes}: {count:,} circuits in {spent:.3f} s")
        assert spent < 4 * most


def test_records_of_a_run_are_made_as_they_train():
    nets = trained_nets((2, 3, 3, 1), 12)
    weights = [np.concatenate([np.stack(w)] * 8) for w in zip(*(n[0] for n in nets))]
    biases = [np.concatenate([np.stack(b)] * 8) for b in zip(*(n[1] for n in nets))]
    rows = truth_table(2, copies=20)

    def make():
        return list(records_from_weights(weights, biases, *rows))

    make()
    spent = seconds(make) / len(weights[0])
    assert spent < 60 / (100 * 75) * 4
