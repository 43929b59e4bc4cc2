"""Which settings to try next: records of a search, UCB scores, rules, and the policies that propose.

A search goes block by block; a block is one connectivity filling factor and `n_iter_block` iterations. A policy is
a plain function `(history, rules, rng) -> Proposal`: what iteration i of a block tries follows from the records of
iterations 1..i-1 of that block, from the block's rules, and from a seed, and from nothing else.

The tree policy is the published study's (arXiv 2602.13325): the parent is the node with the highest

    UCB(k) = (0.6 R2_k + 0.4 cluster_k) + c sqrt(ln N / n_k),

where N counts the nodes of the block and n_k counts node k and its descendants; the child differs from its parent in
one setting. Rewards lie in [0, 1]. With the study's c = 1.414 and two to six nodes, a childless node carries a bonus of
1.18 to 1.89, and the first child takes 0.34 to 0.55 of it away, which is more than settings usually differ. So every
node gets a child before any gets a second one, whatever its reward: nearly breadth-first where there are several
childless nodes (the better one first), and a chain where the newest node is the only one, which the strategies
explore and robustness-test, and the exploration rule, break up. With c near 0.1 the rewards decide.

A tree of single changes is made for the neighbourhood of good settings; `compare_policies` tells whether it, random
search or a tree-structured Parzen estimator serves the data at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.records import CLUSTER_WEIGHT, R2_WEIGHT, Record, metric_value, reward, success
from ontogeny.connectome.search.rules import UCB_C, Rules
from ontogeny.connectome.search.space import Setting, two_digits
from ontogeny.connectome.search.steering import steering
from ontogeny.connectome.settings import SearchSettings
from ontogeny.errors import OntogenyError, check_number, expect, is_number, shown, unknown

DEFAULTS = SearchSettings()


class UCBScore(NamedTuple):
    """The standing of one node: its score, its parent, its visits (itself and its descendants), its two metrics."""

    node: int
    ucb: float
    parent: int | None
    visits: int
    R2: float
    cluster: float


def _as_node(record: Record | Mapping[str, Any]) -> tuple[int, int, int | None, Mapping[str, Any]]:
    if isinstance(record, Record):
        return record.block, record.node, record.parent, record.metrics
    expect(record, Mapping, "a record, or a mapping with 'node', 'parent' and 'metrics',")
    node = record.get("node", record.get("iteration"))
    if node is None:
        raise OntogenyError(f"a record needs 'node' or 'iteration'; this one has {sorted(map(str, record))}")
    parent, block, metrics = record.get("parent"), record.get("block", 1), record.get("metrics", record)
    parent = None if isinstance(parent, str) and parent == "root" else parent
    for name, number in (("node", node), ("parent", 0 if parent is None else parent), ("block", block)):
        check_number(number, f"'{name}' of a record", "a whole number", whole=True)
    expect(metrics, Mapping, "a mapping of metrics to values, as 'metrics' of a record,")
    return block, node, parent, metrics


def ucb_scores(records: Sequence[Record | Mapping[str, Any]], c: float = UCB_C) -> dict[int, UCBScore]:
    """UCB(k) = (0.6 R2_k + 0.4 cluster_k) + c sqrt(ln N / n_k) of every node, best first.

    Scores start anew with each block: only the nodes of the last block in `records` count. N is their number, n_k
    the number of node k and its descendants. Ties go to the higher reward, then to the earlier node.

    Args:
        records: `Record`s, or mappings with `node` (or `iteration`), `parent` (None or "root" for none), `metrics`
            (`connectivity_R2`, `cluster_accuracy`; or these beside the other keys) and, with several blocks, `block`.
        c: exploration constant; 0 ranks by reward alone.

    Returns:
        `{node: UCBScore}` in falling order of the score; empty for no records.

    Raises:
        OntogenyError: c is negative or not finite, a node is listed twice, or a record has no number.
    """
    if not (is_number(c) and math.isfinite(c) and c >= 0):
        raise OntogenyError(f"ucb_c is {shown(c)}; expected a number of at least 0 (the study allows 0.5 to 3)")
    expect(records, Sequence, "a list of records")
    if not records:
        return {}
    nodes = [_as_node(record) for record in records]
    last = max(block for block, *_ in nodes)
    nodes = [entry for entry in nodes if entry[0] == last]
    parents = {node: parent for _, node, parent, _ in nodes}
    if len(parents) != len(nodes):
        raise OntogenyError(f"block {last} lists a node twice")
    visits = dict.fromkeys(parents, 1)
    for node in parents:
        above, seen = parents[node], {node}
        while above in parents and above not in seen:
            visits[above] += 1
            seen.add(above)
            above = parents[above]
    bonus = math.log(len(nodes))
    scores = [
        UCBScore(
            node,
            reward(metrics) + c * math.sqrt(bonus / visits[node]),
            parent if parent in parents else None,
            visits[node],
            metric_value(metrics, "connectivity_R2"),
            metric_value(metrics, "cluster_accuracy"),
        )
        for _, node, parent, metrics in nodes
    ]
    scores.sort(key=lambda s: (-s.ucb, -(R2_WEIGHT * s.R2 + CLUSTER_WEIGHT * s.cluster), s.node))
    return {score.node: score for score in scores}


@dataclass(frozen=True)
class Proposal:
    """What to try next, and why.

    Args:
        settings: all settings of the iteration.
        parent: node that they come from; None for root.
        strategy: one of `STRATEGIES`.
        mutation: `setting, old, new, law`, or only `law`.
        rule: one line, why this parent.
        seed: seed of the evaluation.
    """

    settings: Mapping[str, Any]
    parent: int | None
    strategy: str
    mutation: Mapping[str, Any]
    rule: str
    seed: int = 0


Policy = Callable[[Sequence[Record], Rules, np.random.Generator], Proposal]


@checks_arguments
def propose(history: Sequence[Record], rules: Rules, seed: int, policy: str | Policy = DEFAULTS.policy) -> Proposal:
    """The settings of the iteration that follows `history`.

    A pure function: the same records, rules, seed and policy give the same proposal. Its random numbers come from
    (seed, block, iteration) alone, so that they do not depend on what was drawn before.

    Every iteration is evaluated with `seed` itself, so that settings are compared under the same randomness; a
    robustness-test gets a seed of its own.

    Args:
        history: the records of this block so far, in order.
        rules: the rules of the block.
        seed: seed of the search.
        policy: "ucb", "random", "tpe", or a function `(history, rules, rng) -> Proposal`.

    Raises:
        OntogenyError: unknown policy, records of another block, a block that is full, or a negative seed.
    """
    chosen = resolve_policy(policy)
    check_number(seed, "seed", "a whole number of at least 0", 0, whole=True)
    for place, record in enumerate(history, start=1):
        if record.block != rules.block or record.iteration != place:
            raise OntogenyError(
                f"iteration {record.iteration} of block {record.block} stands where iteration {place} of block "
                f"{rules.block} belongs"
            )
    iteration = len(history) + 1
    if iteration > rules.n_iter_block:
        raise OntogenyError(f"block {rules.block} is full: it has all its {rules.n_iter_block} iterations")
    if not history:
        return Proposal(
            dict(rules.first), None, "exploit", {"law": "baseline"}, "first iteration of block, parent=root", int(seed)
        )
    proposal = chosen(history, rules, np.random.default_rng([int(seed), rules.block, iteration]))
    reruns = sum(record.strategy == "robustness-test" for record in history)
    offset = reruns + 1 if proposal.strategy == "robustness-test" else 0
    return replace(proposal, seed=int(seed) + offset)


@checks_arguments
def valid_prefix(records: Sequence[Record], rules: Rules, seed: int, policy: str | Policy = DEFAULTS.policy) -> int:
    """How many of a block's records, from the first on, are what `policy` would propose under `rules`.

    After a change of `ucb_c`, of a policy or of rules, iterations up to this number stay valid.
    """
    for count, record in enumerate(records):
        then = replace(rules, principles=record.principles)
        if count >= rules.n_iter_block or not follows(record, propose(records[:count], then, seed, policy)):
            return count
    return len(records)


def follows(record: Record, proposal: Proposal) -> bool:
    """Whether `record` is the iteration that `proposal` asks for."""
    return (
        dict(record.settings) == dict(proposal.settings)
        and record.parent == proposal.parent
        and record.strategy == proposal.strategy
        and dict(record.mutation) == dict(proposal.mutation)
        and record.seed == proposal.seed
    )


def streak(history: Sequence[Record]) -> int:
    """The number of successes in a row at the end of `history`."""
    count = 0
    for record in reversed(history):
        if not success(record.metrics):
            break
        count += 1
    return count


def recent_chain(history: Sequence[Record], length: int = 3) -> set[int]:
    """The last node and the ancestors that it came from, `length` nodes in all."""
    parents = {record.node: record.parent for record in history}
    chain: list[int] = []
    node: int | None = history[-1].node if history else None
    while node in parents and len(chain) < length and node not in chain:
        chain.append(node)
        node = parents[node]
    return set(chain)


def choose_strategy(history: Sequence[Record], rules: Rules) -> tuple[str, str]:
    """The strategy by the study's conditions, and the condition that held.

    In this order: a good configuration that was not run again yet is (robustness-test) once a failure ended the
    run of successes or the block is about to end; three or more successes in a row make a failure-probe; a quarter
    of the block in successes in a row makes it explore; so does the exploration rule after two steps
    down one chain. A probe and an exploration never follow one of their own kind. Otherwise it exploits.
    """
    row = streak(history)
    last = history[-1].strategy
    good = [record for record in history if success(record.metrics)]
    rerun = any(record.strategy == "robustness-test" for record in history)
    ends = len(history) + 1 == rules.n_iter_block
    if good and not rerun and (ends or (row == 0 and last in ("failure-probe", "explore"))):
        return "robustness-test", "good config found, run again before the block ends" if ends else "boundary found"
    if row >= 3 and last != "failure-probe":
        return "failure-probe", f"{row} consecutive successes"
    if 4 * row >= rules.n_iter_block and last != "explore":
        return "explore", f"{row} consecutive successes, at least n_iter_block/4"
    if rules.explore and last != "explore" and len(history) >= 3:
        down = [history[-i].parent == history[-i - 1].node for i in (1, 2)]
        if all(down):
            return "explore", "exploration rule: two steps down one chain"
    return "exploit", "highest UCB node"


def _gains(history: Sequence[Record], rules: Rules) -> tuple[dict[tuple[str, Any], list[float]], dict[str, int]]:
    """Change of reward by (setting, direction), and how often each setting was changed."""
    by_node = {record.node: record for record in history}
    space = {setting.name: setting for setting in rules.space}
    gains: dict[tuple[str, Any], list[float]] = {}
    tried: dict[str, int] = {}
    for record in history:
        name = record.mutation.get("setting")
        if name in space and record.parent in by_node:
            way = space[name].direction(record.mutation["old"], record.mutation["new"])
            gains.setdefault((name, way), []).append(record.score - by_node[record.parent].score)
            tried[name] = tried.get(name, 0) + 1
    return gains, tried


def _key(settings: Mapping[str, Any]) -> tuple:
    return tuple(sorted((name, repr(value)) for name, value in settings.items()))


def _pick(
    parent: Record,
    candidates: list[tuple[Setting, Any, str]],
    history: Sequence[Record],
    rules: Rules,
    rng: np.random.Generator,
) -> dict[str, Any] | None:
    """One mutation of `parent`, drawn by how its kind did so far, among those that make settings not yet tried.

    Every setting has the same weight at first. A direction that was taken has exp(2 g / s), g being its mean change
    of reward and s the largest change of the block (at least 0.02); where only the opposite direction was taken,
    exp(-g / s). A setting whose changes did next to nothing (|g| < s / 10) has its weight divided by one more than
    the times that it was changed. Settings that a focus rule names have three times theirs, options a quarter until
    they have been tried. A principle that a person added multiplies or divides the weight of what it is about by 4.
    """
    done = {_key(record.settings) for record in history}
    gains, tried = _gains(history, rules)
    scale = max([0.02, *(abs(gain) for found in gains.values() for gain in found)])
    weights = []
    fresh = []
    for setting, new, law in candidates:
        old = parent.settings[setting.name]
        if _key({**parent.settings, setting.name: new}) in done:
            continue
        way = setting.direction(old, new)
        same = gains.get((setting.name, way))
        opposite = gains.get((setting.name, -way)) if setting.numeric else None
        effect = float(np.mean(same or opposite or [0.0]))
        weight = math.exp(2 * effect / scale) if same else math.exp(-effect / scale)
        if abs(effect) < 0.1 * scale:
            weight /= 1 + tried.get(setting.name, 0)
        if rules.focus and setting.objective == rules.focus:
            weight *= 3
        if setting.option and not same:
            weight *= 0.25
        siblings = sum(other is setting for other, *_ in candidates)
        factor, said = steering(rules.principles, rules.space, setting, old, new, rules.filling_factor)
        weights.append(weight / siblings * factor)
        law = f"{law}{_BY}{said}" if factor > 1 else law
        fresh.append({"setting": setting.name, "old": old, "new": new, "law": law})
    if not fresh:
        return None
    shares = np.asarray(weights) / np.sum(weights)
    return fresh[int(rng.choice(len(fresh), p=shares))]


_FALL = 0.02
_BY = ", by the principle: "


def fell_from(history: Sequence[Record]) -> Record | None:
    """The best record, if the last two went down one chain below it and left its score 0.02 or more behind."""
    if len(history) < 3 or history[-1].parent != history[-2].node:
        return None
    best = max(history, key=lambda record: (record.score, -record.node))
    return best if all(record.score < best.score - _FALL for record in history[-2:]) else None


def ucb_policy(history: Sequence[Record], rules: Rules, rng: np.random.Generator) -> Proposal:
    """The study's policy: parent by UCB, strategy by its conditions, one setting changed."""
    scores = ucb_scores(history, rules.ucb_c)
    by_node = {record.node: record for record in history}
    strategy, reason = choose_strategy(history, rules)
    if strategy == "robustness-test":
        top = max(history, key=lambda record: (record.score, -record.node))
        rule = f"{reason}: best node {top.node} again with another seed"
        return Proposal(dict(top.settings), top.node, strategy, {"law": "rerun with another seed"}, rule)

    order = [by_node[node] for node in scores]
    best = fell_from(history) if strategy == "exploit" else None
    if best is not None:
        reason = "the score fell over two steps down one chain, back to the best node"
        order = [best, *(record for record in order if record is not best)]
    if strategy == "explore":
        chain = recent_chain(history)
        outside = [record for record in order if record.node not in chain]
        order = outside or [history[0]]
    space = rules.open_settings(len(history) + 1)
    for parent in order:
        here = parent.settings
        if strategy == "failure-probe":
            probed = {r.mutation.get("setting") for r in history if r.strategy == "failure-probe"}
            numbers = [s for s in space if s.numeric and s.name not in probed] or [s for s in space if s.numeric]
            moves = [(s, s.extreme(here[s.name]), "extreme of the range") for s in numbers]
        elif strategy == "explore":
            moves = [(s, s.sample(rng), "anywhere in the range") for s in space]
        else:
            moves = [(s, new, law) for s in space for new, law in s.moves(here[s.name])]
        moves = [(s, new, law) for s, new, law in moves if new != here[s.name]]
        guided = rules if strategy != "failure-probe" else replace(rules, principles=())
        mutation = _pick(parent, moves, history, guided, rng)
        if mutation is None:
            continue
        score = scores[parent.node]
        rule = f"{reason}; node {parent.node}: UCB={score.ucb:.3f}, visits={score.visits}"
        if _BY in mutation["law"]:
            rule += mutation["law"][mutation["law"].index(_BY) :]
        return Proposal({**here, mutation["setting"]: mutation["new"]}, parent.node, strategy, mutation, rule)
    drawn = {setting.name: setting.sample(rng) for setting in space}
    rule = f"{reason}; every neighbour was tried, all settings drawn anew"
    return Proposal({**rules.first, **drawn}, None, "explore", {"law": "all settings drawn"}, rule)


def random_policy(history: Sequence[Record], rules: Rules, rng: np.random.Generator) -> Proposal:
    """Random search: every setting drawn from its whole range, from the block's first settings on."""
    drawn = {setting.name: setting.sample(rng) for setting in rules.open_settings(len(history) + 1)}
    return Proposal({**rules.first, **drawn}, None, "explore", {"law": "all settings drawn"}, "random search")


def tpe_policy(history: Sequence[Record], rules: Rules, rng: np.random.Generator) -> Proposal:
    """Tree-structured Parzen estimator (Bergstra et al. 2011) by optuna, fed with the records of the block.

    A third of the block, at least two iterations, is drawn at random before the estimator decides (optuna's own
    default, ten, is more than a short block has). Needs optuna.

    Raises OntogenyError if optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise OntogenyError("the policy 'tpe' needs optuna: install it with `pip install optuna`") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = rules.open_settings(len(history) + 1)
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    for setting in space:
        if setting.values:
            distributions[setting.name] = optuna.distributions.CategoricalDistribution(
                [v if isinstance(v, bool | int | float | str) else str(v) for v in setting.values]
            )
        else:
            distributions[setting.name] = optuna.distributions.FloatDistribution(*setting.span, log=True)
            if setting.zero:
                distributions[f"{setting.name} off"] = optuna.distributions.CategoricalDistribution([False, True])
    sampler = optuna.samplers.TPESampler(
        seed=int(rng.integers(2**31)), n_startup_trials=max(2, rules.n_iter_block // 3), multivariate=False
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for record in history:
        params = {}
        for setting in space:
            value = record.settings[setting.name]
            if setting.values:
                params[setting.name] = value if isinstance(value, bool | int | float | str) else str(value)
            else:
                if setting.zero:
                    params[f"{setting.name} off"] = value == 0
                if value != 0:
                    params[setting.name] = value
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions={name: distributions[name] for name in params}, value=record.score
            )
        )
    trial = study.ask(distributions)
    settings = dict(rules.first)
    for setting in space:
        value = trial.params[setting.name]
        if setting.values:
            value = next(v for v in setting.values if v == value or str(v) == value)
        elif trial.params.get(f"{setting.name} off"):
            value = 0
        else:
            low, high = setting.span
            value = min(max(two_digits(value), low), high)
        settings[setting.name] = value
    return Proposal(settings, None, "exploit", {"law": "all settings drawn"}, "tree-structured Parzen estimator")


POLICIES: dict[str, Policy] = {"ucb": ucb_policy, "random": random_policy, "tpe": tpe_policy}
"""The policies known by name."""


def resolve_policy(policy: str | Policy) -> Policy:
    """The function behind a policy's name, or the function itself. Raises OntogenyError for an unknown name."""
    if callable(policy):
        return policy
    if policy not in POLICIES:
        raise unknown("policy", policy, POLICIES)
    return POLICIES[policy]
