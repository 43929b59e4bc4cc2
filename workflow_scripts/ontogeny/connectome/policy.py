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

A tree of single changes is made for the neighbourhood of good settings. On smooth landscapes entered at a random place
(12 iterations, 30 seeds) the best score was 0.70 at c = 1.414 and 0.74 at c = 0.05, against 0.80 of random search and
0.83 of a tree-structured Parzen estimator; `compare_policies` tells which serves the data at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from ontogeny.errors import OntogenyError, unknown

R2_WEIGHT, CLUSTER_WEIGHT = 0.6, 0.4
UCB_C = 1.414
"""The study's exploration constant; its instructions allow 0.5 to 3."""

SUCCESS = 0.9
"""Both metrics at or above this count as a success."""

STRATEGIES = ("exploit", "failure-probe", "explore", "robustness-test")
OUTCOMES = ("CONVERGED", "partial-W", "partial-E", "partial", "failed")


@dataclass(frozen=True)
class Setting:
    """One training setting that a search may change.

    Args:
        name: the setting's name in `settings`.
        label: its short name in logs.
        low, high: range of a number, stepped by factors; None for a choice.
        values: what a choice may be; numbers in rising order.
        steps: factors by which a number is multiplied or divided.
        zero: whether the number may also be 0 (switched off).
        option: changed only from the fifth iteration of a block on.
        objective: what it acts on most, "W", "embedding" or "".
    """

    name: str
    label: str
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()
    steps: tuple[float, ...] = (2.0, 5.0)
    zero: bool = False
    option: bool = False
    objective: str = ""

    def __post_init__(self) -> None:
        if not self.values and not (self.low is not None and self.high is not None and 0 < self.low < self.high):
            raise OntogenyError(
                f"setting {self.name}: give `values`, or a range with 0 < low < high (got low={self.low}, "
                f"high={self.high})"
            )

    @property
    def numeric(self) -> bool:
        """Whether values are numbers, so that up and down mean something."""
        return not self.values or all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)

    def check(self, value: Any, where: str = "settings") -> None:
        """Raise OntogenyError unless `value` is allowed."""
        if self.values:
            if not any(type(value) is type(v) and value == v for v in self.values) and not (
                self.numeric and isinstance(value, int | float) and value in self.values
            ):
                raise OntogenyError(f"{where}: {self.name} is {value!r}; one of {list(self.values)} is wanted")
            return
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if number and ((self.zero and value == 0) or self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)):
            return
        off = "0 or " if self.zero else ""
        raise OntogenyError(
            f"{where}: {self.name} is {value!r}; {off}a number in [{self.low:g}, {self.high:g}] is wanted"
        )

    def direction(self, old: Any, new: Any) -> Any:
        """+1 or -1 for numbers that rise or fall; the new value itself for other choices."""
        return (1 if new > old else -1) if self.numeric else new

    def moves(self, value: Any) -> list[tuple[Any, str]]:
        """The values one step away from `value`, each with the law that leads there."""
        if self.values:
            if not self.numeric:
                return [(v, "choice") for v in self.values if v != value]
            at = min(range(len(self.values)), key=lambda i: abs(self.values[i] - value))
            near = [i for i in (at - 2, at - 1, at + 1, at + 2) if 0 <= i < len(self.values)]
            return [(self.values[i], f"step {i - at:+d}") for i in near]
        if value == 0:
            middle = two_digits(math.sqrt(self.low * self.high))
            return [(self.low, "on, at the lower end"), (middle, "on, at the middle")]
        found: dict[float, str] = {}
        for factor in self.steps:
            for new, law in ((value * factor, f"x {factor:g}"), (value / factor, f"/ {factor:g}")):
                new = min(max(two_digits(new), self.low), self.high)
                if abs(math.log(new / value)) > 0.05:
                    found.setdefault(new, law)
        if self.zero:
            found.setdefault(0, "off")
        return list(found.items())

    def extreme(self, value: Any) -> Any:
        """The end of the range that is farther from `value`, in the logarithm."""
        low, high = (self.values[0], self.values[-1]) if self.values else (self.low, self.high)
        if value == 0 or low == 0:
            return high if abs(high - value) >= abs(value - low) else low
        return high if high / value >= value / low else low

    def sample(self, rng: np.random.Generator) -> Any:
        """A value drawn from the whole range: log-uniform for a number (0 one time in five where allowed)."""
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.zero and rng.random() < 0.2:
            return 0
        new = two_digits(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return min(max(new, self.low), self.high)


def two_digits(value: float) -> float:
    """`value` rounded to two significant decimal digits."""
    return float(f"{value:.1e}")


@dataclass(frozen=True)
class Record:
    """One iteration of a search, as it is stored.

    `node` is the iteration's number over all blocks, and `parent` a node of the same block (None: root). `mutation`
    holds `setting, old, new, law`, or only `law` where no single setting changed. `evaluation` names what was
    computed (see `ontogeny.connectome.search.evaluation_key`).
    """

    block: int
    iteration: int
    node: int
    parent: int | None
    filling_factor: float
    settings: Mapping[str, Any]
    mutation: Mapping[str, Any]
    strategy: str
    rule: str
    metrics: Mapping[str, Any]
    seed: int
    evaluation: str = ""

    @property
    def score(self) -> float:
        """The reward 0.6 R2 + 0.4 cluster of this record."""
        return reward(self.metrics)

    @property
    def outcome(self) -> str:
        """The study's classification of this record."""
        return classify(self.metrics)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON types."""
        return asdict(self)


_KINDS: dict[str, tuple[type, ...]] = {
    "block": (int,),
    "iteration": (int,),
    "node": (int,),
    "parent": (int, type(None)),
    "filling_factor": (int, float),
    "settings": (dict,),
    "mutation": (dict,),
    "strategy": (str,),
    "rule": (str,),
    "metrics": (dict,),
    "seed": (int,),
    "evaluation": (str,),
}


def record_from_json(value: Any, where: str = "record") -> Record:
    """The record in parsed JSON. Raises OntogenyError that names a key that is missing, unknown or of a wrong type."""
    if not isinstance(value, dict):
        raise OntogenyError(f"{where} holds {type(value).__name__}; an object with the keys of one iteration is wanted")
    names = [f.name for f in fields(Record)]
    for key in value:
        if key not in names:
            raise unknown("key", key, names, where)
    for key in names:
        if key not in value:
            raise OntogenyError(f"{where} lacks the key '{key}'")
        if not isinstance(value[key], _KINDS[key]) or (isinstance(value[key], bool) and bool not in _KINDS[key]):
            kinds = " or ".join("null" if k is type(None) else k.__name__ for k in _KINDS[key])
            raise OntogenyError(f"{where}: '{key}' is {value[key]!r}; {kinds} is wanted")
    return Record(**value)


def _metric(metrics: Mapping[str, Any], name: str) -> float:
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(float(value), 0.0), 1.0)


def reward(metrics: Mapping[str, Any]) -> float:
    """0.6 connectivity_R2 + 0.4 cluster_accuracy, each held within [0, 1]; a missing or undefined metric counts 0."""
    return R2_WEIGHT * _metric(metrics, "connectivity_R2") + CLUSTER_WEIGHT * _metric(metrics, "cluster_accuracy")


def success(metrics: Mapping[str, Any]) -> bool:
    """Whether both metrics are at least 0.9."""
    return min(_metric(metrics, "connectivity_R2"), _metric(metrics, "cluster_accuracy")) >= SUCCESS


def classify(metrics: Mapping[str, Any]) -> str:
    """CONVERGED, partial-W, partial-E, partial or failed, by the study's table (thresholds 0.9 and 0.1)."""
    r2, cluster = _metric(metrics, "connectivity_R2"), _metric(metrics, "cluster_accuracy")
    if r2 > 0.9:
        return "CONVERGED" if cluster > 0.9 else "partial-W"
    if cluster > 0.9:
        return "partial-E"
    return "failed" if r2 < 0.1 and cluster < 0.1 else "partial"


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
    node = record.get("node", record.get("iteration"))
    if node is None:
        raise OntogenyError(f"a record needs 'node' or 'iteration'; this one has {sorted(map(str, record))}")
    parent = record.get("parent")
    return record.get("block", 1), node, None if parent == "root" else parent, record.get("metrics", record)


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
    if not (isinstance(c, int | float) and math.isfinite(c) and c >= 0):
        raise OntogenyError(f"ucb_c is {c!r}; a number of at least 0 is wanted (the study allows 0.5 to 3)")
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
            _metric(metrics, "connectivity_R2"),
            _metric(metrics, "cluster_accuracy"),
        )
        for _, node, parent, metrics in nodes
    ]
    scores.sort(key=lambda s: (-s.ucb, -(R2_WEIGHT * s.R2 + CLUSTER_WEIGHT * s.cluster), s.node))
    return {score.node: score for score in scores}


@dataclass(frozen=True)
class Guideline:
    """What is known of the L1 coefficient at one filling factor: a range that served, and a note."""

    filling_factor: float
    low: float
    high: float
    note: str = ""

    @property
    def middle(self) -> float:
        """The geometric middle of the range, or its upper end where the range starts at 0."""
        return two_digits(math.sqrt(self.low * self.high)) if self.low > 0 else self.high


@dataclass(frozen=True)
class Rules:
    """What holds throughout one block. Everything that a policy may use besides the records of the block.

    Args:
        block: number of the block, from 1.
        filling_factor: fraction of nonzero connections, in (0, 1].
        n_iter_block: iterations in the block.
        first: settings of the first iteration; what is not in `space` stays as it is.
        space: the settings that may change.
        ucb_c: exploration constant.
        explore: whether the exploration rule holds: after two steps down one chain, leave it.
        focus: "W" or "embedding" where a focus rule holds: mutate what acts on it three times as often.
        guidelines: L1 ranges per filling factor.
    """

    block: int
    filling_factor: float
    n_iter_block: int
    first: Mapping[str, Any]
    space: tuple[Setting, ...]
    ucb_c: float = UCB_C
    explore: bool = False
    focus: str = ""
    guidelines: tuple[Guideline, ...] = ()

    def __post_init__(self) -> None:
        check_filling_factor(self.filling_factor)
        for setting in self.space:
            if setting.name not in self.first:
                raise OntogenyError(f"the first settings lack {setting.name}, which the search may change")
            setting.check(self.first[setting.name], "first settings")

    def node(self, iteration: int) -> int:
        """The number over all blocks of one iteration of this block."""
        return (self.block - 1) * self.n_iter_block + iteration

    def open_settings(self, iteration: int) -> list[Setting]:
        """What may change at `iteration`: options only from the fifth on."""
        return [s for s in self.space if iteration > 4 or not s.option]


def check_filling_factor(value: Any) -> None:
    """Raise OntogenyError unless `value` is a number in (0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise OntogenyError(f"connectivity_filling_factor is {value!r}; a number in (0, 1] is wanted")


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


def propose(history: Sequence[Record], rules: Rules, seed: int, policy: str | Policy = "ucb") -> Proposal:
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
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OntogenyError(f"seed is {seed!r}; a whole number of at least 0 is wanted")
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


def valid_prefix(records: Sequence[Record], rules: Rules, seed: int, policy: str | Policy = "ucb") -> int:
    """How many of a block's records, from the first on, are what `policy` would propose under `rules`.

    After a change of `ucb_c`, of a policy or of rules, iterations up to this number stay valid.
    """
    for count, record in enumerate(records):
        if count >= rules.n_iter_block or not follows(record, propose(records[:count], rules, seed, policy)):
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


# The study's tree policy


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
    of the block in successes in a row, at least two, makes it explore; so does the exploration rule after two steps
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
    if row >= max(2, math.ceil(rules.n_iter_block / 4)) and last != "explore":
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
    parent: Record, candidates: list[tuple[Setting, Any, str]], history: Sequence[Record], rules: Rules, rng: Any
) -> dict[str, Any] | None:
    """One mutation of `parent`, drawn by how its kind did so far, among those that make settings not yet tried.

    Every setting has the same weight at first. A direction that was taken has exp(2 g / s), g being its mean change
    of reward and s the largest change of the block (at least 0.02); where only the opposite direction was taken,
    exp(-g / s). A setting whose changes did next to nothing (|g| < s / 10) has its weight divided by one more than
    the times that it was changed. Settings that a focus rule names have three times theirs, options a quarter until
    they have been tried.
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
        weights.append(weight / siblings)
        fresh.append({"setting": setting.name, "old": old, "new": new, "law": law})
    if not fresh:
        return None
    weights = np.asarray(weights)
    return fresh[int(rng.choice(len(fresh), p=weights / weights.sum()))]


def ucb_policy(history: Sequence[Record], rules: Rules, rng: np.random.Generator) -> Proposal:
    """The study's policy: parent by UCB, strategy by its conditions, one setting changed."""
    scores = ucb_scores(history, rules.ucb_c)
    by_node = {record.node: record for record in history}
    strategy, reason = choose_strategy(history, rules)
    if strategy == "robustness-test":
        best = max(history, key=lambda record: (record.score, -record.node))
        rule = f"{reason}: best node {best.node} again with another seed"
        return Proposal(dict(best.settings), best.node, strategy, {"law": "rerun with another seed"}, rule)

    order = [by_node[node] for node in scores]
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
        mutation = _pick(parent, moves, history, rules, rng)
        if mutation is None:
            continue
        score = scores[parent.node]
        rule = f"{reason}; node {parent.node}: UCB={score.ucb:.3f}, visits={score.visits}"
        return Proposal({**here, mutation["setting"]: mutation["new"]}, parent.node, strategy, mutation, rule)
    drawn = {setting.name: setting.sample(rng) for setting in space}
    rule = f"{reason}; every neighbour was tried, all settings drawn anew"
    return Proposal({**rules.first, **drawn}, None, "explore", {"law": "all settings drawn"}, rule)


# Baselines


def random_policy(history: Sequence[Record], rules: Rules, rng: np.random.Generator) -> Proposal:
    """Random search: every setting drawn from its whole range, from the block's first settings on."""
    drawn = {setting.name: setting.sample(rng) for setting in rules.open_settings(len(history) + 1)}
    return Proposal({**rules.first, **drawn}, None, "explore", {"law": "all settings drawn"}, "random search")


def tpe_policy(history: Sequence[Record], rules: Rules, rng: np.random.Generator) -> Proposal:
    """Tree-structured Parzen estimator (Bergstra et al. 2011) by optuna, fed with the records of the block.

    A third of the block, at least two iterations, is drawn at random before the estimator decides (optuna's own
    default, ten, is more than a short block has). Needs optuna.
    """
    try:
        import optuna
    except ImportError:
        raise OntogenyError("the policy 'tpe' needs optuna: install it with `pip install optuna`") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = rules.open_settings(len(history) + 1)
    distributions = {}
    for setting in space:
        if setting.values:
            distributions[setting.name] = optuna.distributions.CategoricalDistribution(
                [v if isinstance(v, bool | int | float | str) else str(v) for v in setting.values]
            )
        else:
            distributions[setting.name] = optuna.distributions.FloatDistribution(setting.low, setting.high, log=True)
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
            value = min(max(two_digits(value), setting.low), setting.high)
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


# What a block leaves to the next


@dataclass(frozen=True)
class BlockEnd:
    """How a block ended, and what it hands over.

    `branching_rate` is the share of iterations after the first whose parent is not the iteration before. `changes`
    says in the study's words what was changed in the rules; `explore`, `focus` and `guidelines` hold from then on;
    `best` is the settings of the best node.
    """

    block: int
    filling_factor: float
    branches: int
    branching_rate: float
    best_node: int
    best: Mapping[str, Any]
    explore: bool
    focus: str
    guidelines: tuple[Guideline, ...]
    changes: tuple[str, ...]


def end_block(records: Sequence[Record], rules: Rules) -> BlockEnd:
    """Adapt the rules to the records of a finished block.

    - Branching rate under 20%: the exploration rule is added. At 20% or more it stays as it is.
    - R2 above 0.9 was reached and clusters were not (and rose by less than 0.05 over the block's second half):
      a focus-embedding rule is added. The reverse: focus-W. A focus whose objective was reached is removed.
    - The L1 guideline of this filling factor becomes the range of `coeff_W_L1` among the records within 0.02 of the
      best reward; a block whose best reward is under 0.5 leaves no guideline.
    """
    if not records:
        raise OntogenyError(f"block {rules.block} has no records to end with")
    later = list(zip(records[1:], records))
    branches = sum(record.parent != before.node for record, before in later)
    rate = branches / len(later) if later else 1.0
    best = max(records, key=lambda record: (record.score, -record.node))
    changes = []

    explore = rules.explore
    if rate < 0.2 and not explore:
        explore = True
        changes.append(
            "added rule [exploration: after two steps down one chain, take the best node outside it] "
            f"(branching rate {branches}/{len(later)} = {rate:.0%}, under 20%)"
        )

    r2 = [_metric(record.metrics, "connectivity_R2") for record in records]
    cluster = [_metric(record.metrics, "cluster_accuracy") for record in records]
    half = len(records) // 2

    def stuck(values: list[float]) -> bool:
        return max(values) <= 0.9 and (half == 0 or max(values[half:]) - max(values[:half]) < 0.05)

    focus = rules.focus
    if max(r2) > 0.9 and stuck(cluster):
        focus = "embedding"
    elif max(cluster) > 0.9 and stuck(r2):
        focus = "W"
    elif focus and max({"W": r2, "embedding": cluster}[focus]) > 0.9:
        focus = ""
    if focus != rules.focus:
        if focus:
            good, bad = ("R2", cluster) if focus == "embedding" else ("clusters", r2)
            name = "cluster_accuracy" if focus == "embedding" else "connectivity_R2"
            changes.append(
                f"added rule [focus-{focus}: mutate what acts on the {focus} three times as often] "
                f"({good} good, {name} stuck at {max(bad):.2f})"
            )
        else:
            changes.append(f"modified [focus-{rules.focus}: removed, the objective was reached]")

    guidelines = rules.guidelines
    if best.score >= 0.5 and "coeff_W_L1" in best.settings:
        near = sorted(float(r.settings["coeff_W_L1"]) for r in records if r.score >= best.score - 0.02)
        note = f"best score {best.score:.3f} at L1={short(best.settings['coeff_W_L1'])}, {len(near)} of {len(records)}"
        new = Guideline(rules.filling_factor, near[0], near[-1], f"{note} iterations within 0.02 of it")
        old = next((g for g in guidelines if math.isclose(g.filling_factor, rules.filling_factor)), None)
        others = [g for g in guidelines if g is not old]
        guidelines = tuple(sorted([*others, new], key=lambda g: -g.filling_factor))
        if old is None or (old.low, old.high) != (new.low, new.high):
            verb = "added rule" if old is None else "modified"
            was = "" if old is None else f", was {_range(old)}"
            changes.append(f"{verb} [Sparsity-L1 guideline {rules.filling_factor:.4g}: {_range(new)}]{was}")
    return BlockEnd(
        rules.block, rules.filling_factor, branches, rate, best.node, dict(best.settings), explore, focus, guidelines,
        tuple(changes),
    )  # fmt: skip


def _range(guideline: Guideline) -> str:
    low, high = short(guideline.low), short(guideline.high)
    return low if low == high else f"{low} to {high}"


def short(value: Any) -> str:
    """A setting's value as the study writes it: 2.0E-3, 0, 8, cosine."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value == 0:
        return "0"
    if isinstance(value, int) or (0.1 <= abs(value) < 1e4):
        return f"{value:g}"
    mantissa, exponent = f"{value:.1E}".split("E")
    return f"{mantissa}E{int(exponent)}"
