from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import (
    POLICIES,
    Proposal,
    propose,
    recent_chain,
    streak,
    ucb_scores,
    valid_prefix,
)
from ontogeny.connectome.search.records import Record, classify, record_from_json, reward
from ontogeny.connectome.search.rules import Rules, end_block
from ontogeny.connectome.search.space import FIRST_SETTINGS, SPACE, STUDY_FIRST, STUDY_SPACE, Setting, short
from ontogeny.errors import OntogenyError
from ontogeny.files import json_text

needs_optuna = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="optuna is not installed")


def rules(n: int = 12, **more) -> Rules:
    return Rules(1, 0.5, n, FIRST_SETTINGS, SPACE, **more)


def grow(scores, rules, policy="ucb", seed=0):
    """Records of a block whose i-th iteration gets the i-th (R2, cluster)."""
    records = []
    for i, (r2, cluster) in enumerate(scores, start=1):
        proposal = propose(records, rules, seed, policy)
        metrics = {"connectivity_R2": r2, "cluster_accuracy": cluster}
        records.append(
            Record(
                rules.block, i, rules.node(i), proposal.parent, rules.filling_factor, dict(proposal.settings),
                dict(proposal.mutation), proposal.strategy, proposal.rule, metrics, proposal.seed,
            )
        )  # fmt: skip
    return records


def tree(parents, r2=None, cluster=None):
    return [
        {
            "iteration": i,
            "parent": parent,
            "metrics": {
                "connectivity_R2": (r2 or [0.5] * len(parents))[i - 1],
                "cluster_accuracy": (cluster or [0.5] * len(parents))[i - 1],
            },
        }
        for i, parent in enumerate(parents, start=1)
    ]


def test_ucb_is_the_formula_with_descendants_as_visits():
    records = tree(["root", 1, 2, 1], [0.5, 0.9, 0.2, 0.7], [0.4, 1.0, 0.3, 0.6])
    scores = ucb_scores(records, c=1.414)
    assert {k: s.visits for k, s in scores.items()} == {1: 4, 2: 2, 3: 1, 4: 1}
    for k, score in scores.items():
        metrics = records[k - 1]["metrics"]
        expected = 0.6 * metrics["connectivity_R2"] + 0.4 * metrics["cluster_accuracy"]
        expected += 1.414 * math.sqrt(math.log(4) / score.visits)
        assert score.ucb == pytest.approx(expected, abs=1e-12)
    assert list(scores) == sorted(scores, key=lambda k: -scores[k].ucb)
    assert scores[1].parent is None
    assert scores[3].parent == 2


def test_ucb_of_the_published_example_ranks_as_there():
    scores = ucb_scores(tree(["root", 1], [0.934, 0.997], [0.88, 0.95]))
    assert list(scores) == [2, 1]
    assert [scores[k].visits for k in (2, 1)] == [1, 2]


def test_scores_start_anew_with_a_block():
    records = [{"block": 1, **r} for r in tree([None, 1, 2])]
    records += [{"block": 2, "node": 4, "parent": 3, "metrics": {"connectivity_R2": 1.0, "cluster_accuracy": 1.0}}]
    scores = ucb_scores(records)
    assert list(scores) == [4]
    assert scores[4].parent is None
    assert scores[4].ucb == pytest.approx(1.0)
    assert ucb_scores([]) == {}


@given(st.lists(st.integers(0, 6), min_size=1, max_size=25), st.floats(0, 3))
def test_visits_sum_to_depths_and_c_zero_ranks_by_reward(choices, c):
    parents = [None] + [(choice % i) + 1 for i, choice in enumerate(choices[1:], start=1)]
    r2 = [((7 * i) % 11) / 11 for i in range(len(parents))]
    scores = ucb_scores(tree(parents, r2), c)
    depth = {}
    for i, parent in enumerate(parents, start=1):
        depth[i] = 1 + (depth[parent] if parent else 0)
    assert sum(s.visits for s in scores.values()) == sum(depth.values())
    plain = list(ucb_scores(tree(parents, r2), 0).values())
    assert [s.R2 for s in plain] == sorted((s.R2 for s in plain), reverse=True)


@pytest.mark.parametrize("c", [-1, math.nan, "2", math.inf])
def test_a_bad_constant_is_refused(c):
    with pytest.raises(OntogenyError, match="ucb_c"):
        ucb_scores(tree([None]), c)


def test_a_node_without_metrics_counts_nothing():
    assert reward({}) == reward({"connectivity_R2": float("nan"), "cluster_accuracy": None}) == 0
    assert reward({"connectivity_R2": -3.0, "cluster_accuracy": 2.0}) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("r2", "cluster", "outcome"),
    [
        (0.95, 0.95, "CONVERGED"),
        (0.95, 0.5, "partial-W"),
        (0.95, 0.9, "partial-W"),
        (0.5, 0.95, "partial-E"),
        (0.5, 0.5, "partial"),
        (0.05, 0.05, "failed"),
        (0.05, 0.25, "partial"),
    ],
)
def test_outcomes_follow_the_table(r2, cluster, outcome):
    assert classify({"connectivity_R2": r2, "cluster_accuracy": cluster}) == outcome


@pytest.mark.parametrize("policy", ["ucb", "random", pytest.param("tpe", marks=needs_optuna)])
def test_proposals_are_pure_stay_in_range_and_hold_options_back(policy):
    rng = np.random.default_rng(3)
    scores = [tuple(rng.uniform(0, 1, 2)) for _ in range(11)]
    records = grow(scores, rules(), policy)
    assert [r.to_json() for r in grow(scores, rules(), policy)] == [r.to_json() for r in records]
    assert valid_prefix(records, rules(), 0, policy) == len(records)
    names = {s.name: s for s in SPACE}
    for record in records:
        for name, setting in names.items():
            setting.check(record.settings[name])
            if setting.option and record.iteration <= 4:
                assert record.settings[name] == FIRST_SETTINGS[name]
    if policy == "ucb":
        by_node = {r.node: r for r in records}
        for record in records[1:]:
            before = by_node[record.parent].settings
            changed = [name for name in names if before[name] != record.settings[name]]
            assert changed == ([record.mutation["setting"]] if "setting" in record.mutation else [])
        keys = [json_text(r.settings) for r in records if r.strategy != "robustness-test"]
        assert len(set(keys)) == len(keys)


def test_the_seed_changes_the_proposals():
    scores = [(0.5, 0.5)] * 6
    assert [r.settings for r in grow(scores, rules(), seed=1)] != [r.settings for r in grow(scores, rules(), seed=2)]


def test_strategies_follow_the_conditions():
    good, bad = (0.95, 0.96), (0.4, 0.3)
    assert [r.strategy for r in grow([bad] * 6, rules())] == ["exploit"] * 6
    run = grow([good] * 6, rules(12))
    assert [r.strategy for r in run] == ["exploit", "exploit", "exploit", "failure-probe", "explore", "failure-probe"]
    probe = run[3]
    setting = next(s for s in SPACE if s.name == probe.mutation["setting"])
    assert probe.mutation["new"] == setting.extreme(probe.mutation["old"])
    assert run[4].parent not in recent_chain(run[:4]) or len({r.node for r in run[:4]} - recent_chain(run[:4])) == 0
    after = grow([good] * 3 + [bad] + [good], rules(12))
    assert after[4].strategy == "robustness-test"
    best = max(after[:4], key=lambda r: (r.score, -r.node))
    assert after[4].settings == best.settings
    assert after[4].parent == best.node
    assert after[4].seed == 1
    assert after[3].seed == 0
    last = grow([good, bad, good, bad, bad, bad], rules(6))
    assert "robustness-test" in [r.strategy for r in last]
    assert streak(run) == 6


def test_at_the_studys_c_every_node_gets_a_child_before_any_gets_two_and_at_a_small_c_not():
    rng = np.random.default_rng(0)
    scores = [tuple(rng.uniform(0.3, 0.8, 2)) for _ in range(12)]
    children = lambda c: len({r.parent for r in grow(scores, rules(ucb_c=c))})  # noqa: E731
    assert children(1.414) > children(0.05)


def test_valid_prefix_ends_where_another_constant_would_choose_otherwise():
    rng = np.random.default_rng(1)
    scores = [tuple(rng.uniform(0.2, 0.8, 2)) for _ in range(10)]
    records = grow(scores, rules())
    keep = valid_prefix(records, rules(ucb_c=0.05), 0)
    assert 2 <= keep < 10
    assert valid_prefix(records[:keep], rules(ucb_c=0.05), 0) == keep
    assert valid_prefix(records, rules(), 1) == 0
    assert valid_prefix(records, rules(), 0, "random") == 1


def test_a_policy_may_be_any_function():
    def stay(history, rules, rng):
        return Proposal(dict(rules.first), history[-1].node, "robustness-test", {"law": "again"}, "always again")

    records = grow([(0.5, 0.5)] * 3, rules(), stay)
    assert [r.parent for r in records] == [None, 1, 2]
    assert [r.seed for r in records] == [0, 1, 2]


def test_when_every_neighbour_was_tried_it_draws_anew():
    space = (Setting("batch_size", "batch_size", values=(1, 2)),)
    small = Rules(1, 1.0, 6, {"batch_size": 1}, space)
    records = grow([(0.2, 0.2)] * 4, small)
    assert records[3].parent is None


def test_a_chain_that_falls_is_left_for_the_best_node():
    records = grow([(0.8, 0.8), (0.7, 0.8), (0.6, 0.8), (0.5, 0.8)], rules(12))
    parents = [r.parent for r in records]
    assert parents[:3] == [None, 1, 2]
    assert parents[3] == 1
    assert "back to the best node" in records[3].rule


def test_a_quarter_of_the_block_in_successes_explores():
    records = grow([(0.95, 0.95), (0.4, 0.4)], rules(4))
    assert records[1].strategy == "explore"


def test_a_low_branching_rate_adds_the_exploration_rule():
    ladder = [(0.1 * i, 0.1 * i) for i in range(1, 9)]
    records = grow(ladder, rules(8, ucb_c=0.0))
    end = end_block(records, rules(8, ucb_c=0.0))
    assert end.branching_rate < 0.2
    assert end.explore
    assert any("added rule [exploration" in change for change in end.changes)
    again = end_block(records, rules(8, ucb_c=0.0, explore=True))
    assert not any("exploration" in change for change in again.changes)
    dug = grow(ladder, rules(8, ucb_c=0.0, explore=True))
    assert "explore" in [r.strategy for r in dug]


def test_a_stuck_objective_adds_a_focus_rule_and_success_removes_it():
    records = grow([(0.95, 0.3)] * 6, rules(6))
    end = end_block(records, rules(6))
    assert end.focus == "embedding"
    assert any("added rule [focus-embedding" in change for change in end.changes)
    assert end_block(grow([(0.3, 0.95)] * 6, rules(6)), rules(6)).focus == "W"
    done = end_block(grow([(0.95, 0.95)] * 6, rules(6, focus="W")), rules(6, focus="W"))
    assert done.focus == ""
    assert any("removed" in change for change in done.changes)
    drawn = {"embedding": 0, "": 0}
    for seed in range(60):
        for focus in drawn:
            second = grow([(0.5, 0.5)] * 2, rules(6, focus=focus), seed=seed)[1]
            drawn[focus] += second.mutation["setting"] == "learning_rate_embedding_start"
    assert drawn["embedding"] > 1.5 * drawn[""]


def test_the_l1_guideline_is_updated_from_the_best_records():
    records = grow([(0.95, 0.95)] * 6, rules(6))
    end = end_block(records, rules(6))
    guideline = next(g for g in end.guidelines if g.filling_factor == 0.5)
    values = [r.settings["coeff_W_L1"] for r in records]
    assert (guideline.low, guideline.high) == (min(values), max(values))
    assert end_block(grow([(0.1, 0.1)] * 6, rules(6)), rules(6)).guidelines == ()


def test_focus_and_mutations_learn_from_what_helped():
    """Where only one setting matters, the policy comes to change it more often than chance."""
    space = STUDY_SPACE
    r = Rules(1, 1.0, 16, STUDY_FIRST, space, ucb_c=0.2)
    hits = 0
    for seed in range(20):
        records = []
        for i in range(1, 17):
            p = propose(records, r, seed)
            value = 0.5 + 0.2 * math.log10(p.settings["learning_rate_W_start"] / 1e-3)
            metrics = {"connectivity_R2": value, "cluster_accuracy": 0.5}
            records.append(Record(1, i, i, p.parent, 1.0, p.settings, p.mutation, p.strategy, p.rule, metrics, p.seed))
        hits += max(x.settings["learning_rate_W_start"] for x in records) >= 9e-3
    assert hits >= 14


def test_records_survive_json_and_damage_is_told_in_a_sentence():
    import json

    record = grow([(0.5, 0.5)] * 2, rules())[1]
    assert record_from_json(json.loads(json_text(record.to_json()))) == record
    with pytest.raises(OntogenyError, match="lacks the key 'seed'"):
        record_from_json({k: v for k, v in record.to_json().items() if k != "seed"}, "iter_002.json")
    with pytest.raises(OntogenyError, match="did you mean 'metrics'"):
        record_from_json({**record.to_json(), "metric": {}})
    with pytest.raises(OntogenyError, match="'block' is 'one'"):
        record_from_json({**record.to_json(), "block": "one"})
    with pytest.raises(OntogenyError, match="holds list"):
        record_from_json([])


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(OntogenyError, match="did you mean 'ucb'"):
        propose([], rules(), 0, "ucbb")
    with pytest.raises(OntogenyError, match="seed"):
        propose([], rules(), -1)
    with pytest.raises(OntogenyError, match="full"):
        propose(grow([(0.5, 0.5)] * 3, rules(3)), rules(3), 0)
    with pytest.raises(OntogenyError, match="stands where"):
        propose(grow([(0.5, 0.5)] * 3, rules(3))[1:], rules(3), 0)
    for level in (0, 1.5, -0.1, "half", float("nan"), True):
        with pytest.raises(OntogenyError, match="connectivity_filling_factor"):
            Search(blocks=(1.0, level))
    with pytest.raises(OntogenyError, match="learning_rate_W_start is 5"):
        Search(first={**FIRST_SETTINGS, "learning_rate_W_start": 5})
    with pytest.raises(OntogenyError, match="optimizer is 'adamm'"):
        Search(first={**FIRST_SETTINGS, "optimizer": "adamm"})
    with pytest.raises(OntogenyError, match="lack batch_size"):
        Search(first={k: v for k, v in FIRST_SETTINGS.items() if k != "batch_size"})
    with pytest.raises(OntogenyError, match="n_iter_block"):
        Search(n_iter_block=0)
    with pytest.raises(OntogenyError, match="0 < low < high"):
        Setting("x", "x", 1.0, 0.1)


def test_numbers_are_written_as_the_study_writes_them():
    values = [2e-3, 1e-5, 0, 8, 0.5, 30.0, "cosine", 1e-12, 1e4]
    assert [short(v) for v in values] == ["2.0E-3", "1.0E-5", "0", "8", "0.5", "30", "cosine", "1.0E-12", "1.0E4"]


def test_every_named_policy_is_a_function():
    assert set(POLICIES) == {"ucb", "random", "tpe"}
    assert all(callable(policy) for policy in POLICIES.values())
