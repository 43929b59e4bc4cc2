from __future__ import annotations

import importlib.util
import itertools
import json
import math
import re
import shutil
import time
import warnings
from multiprocessing import get_all_start_methods, get_context

import numpy as np
import pandas as pd
import pytest

from ontogeny.connectome.search.comparison import best_so_far, compare_policies
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.logbook import analysis_text, ucb_text, without_times, write_logbook
from ontogeny.connectome.search.memory import memory_text, read_memory
from ontogeny.connectome.search.policy import propose, valid_prefix
from ontogeny.connectome.search.records import Record, read_records, record_path, training_minutes
from ontogeny.connectome.search.run import explore, run_iteration
from ontogeny.connectome.search.space import SPACE
from ontogeny.connectome.search.steering import steering
from ontogeny.connectome.search.tables import block_table, iteration_table, principles
from ontogeny.errors import OntogenyError

LEVELS = (1.0, 0.5, 0.1)


class Objective:
    """Metrics with one best point per filling factor, a little seed noise, and a count of the calls."""

    def __init__(self, noise: float = 0.005) -> None:
        self.noise = noise
        self.calls: list[tuple[dict, float, int]] = []

    def __call__(self, settings: dict, filling_factor: float, seed: int) -> dict:
        self.calls.append((dict(settings), filling_factor, seed))
        words = [seed, int(filling_factor * 1000), int(1e6 * settings["learning_rate_W_start"])]
        rng = np.random.default_rng(words)
        best = -3.0 if filling_factor >= 0.25 else 0.3
        l1 = math.log10(settings["coeff_W_L1"] + 1e-3)
        r2 = math.exp(-((math.log10(settings["learning_rate_W_start"]) + 2.3) ** 2) * 0.6 - ((l1 - best) / 3) ** 2)
        clusters = math.exp(-((math.log10(settings["learning_rate_embedding_start"]) + 2.5) ** 2) * 0.3)
        r2 += self.noise * rng.normal() - 0.3 * (settings.get("optimizer") == "sgd")
        return {
            "connectivity_R2": float(np.clip(r2, 0, 1)),
            "cluster_accuracy": float(np.clip(clusters, 0.25, 1)),
            "test_R2": 0.9,
            "test_pearson": 0.95,
            "final_loss": 1e-3 * (1.1 - r2),
            "training_time_min": 0.1,
            "scatter": "Scatter: tight diagonal",
        }


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished search: its declaration, records and folder."""
    folder = tmp_path_factory.mktemp("study")
    records = explore(Objective(), folder, blocks=LEVELS, n_iter_block=6, config="demo", seed=1)
    return Search("demo", LEVELS, 6, seed=1), records, folder


class Killed(Exception):
    pass


def killed_after(objective: Objective, calls: int):
    def evaluate(settings, filling_factor, seed):
        if len(objective.calls) >= calls:
            raise Killed
        return objective(settings, filling_factor, seed)

    return evaluate


def as_json(records):
    return [record.to_json() for record in records]


def test_a_search_that_is_killed_goes_on_to_the_same_end(study, tmp_path):
    _, records, folder = study
    objective = Objective()
    for calls in (1, 4, 9, 13):
        with pytest.raises(Killed):
            explore(killed_after(objective, calls), tmp_path, blocks=LEVELS, n_iter_block=6, config="demo", seed=1)
    resumed = explore(objective, tmp_path, blocks=LEVELS, n_iter_block=6, config="demo", seed=1)
    assert as_json(resumed) == as_json(records)
    assert len(objective.calls) == len({json.dumps([s, f, e], sort_keys=True) for s, f, e in objective.calls})
    for name in ("demo_analysis.md", "demo_memory.md", "ucb_scores.txt", "principles.csv", "blocks.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert not list(tmp_path.glob("*_1.md"))


def search_slowly(folder, log):
    """A search whose every evaluation takes a while, and leaves a letter in `log`."""

    def evaluate(settings, filling_factor, seed):
        time.sleep(0.15)
        with log.open("a") as file:
            file.write("x")
        r2 = min(1.0, 100 * settings["learning_rate_W_start"])
        return {"connectivity_R2": r2, "cluster_accuracy": filling_factor}

    explore(evaluate, folder, blocks=(1.0, 0.5), n_iter_block=5)


@pytest.mark.slow
@pytest.mark.skipif("fork" not in get_all_start_methods(), reason="needs forks")
def test_a_search_killed_outright_is_continued(tmp_path):
    """SIGKILL in the middle, twice; then to the end: nothing that was finished is evaluated again."""

    def start(name):
        process = get_context("fork").Process(target=search_slowly, args=(tmp_path / name, tmp_path / f"{name}.log"))
        process.start()
        return process

    for count in (2, 5):
        process = start("killed")
        deadline = time.monotonic() + 120
        while len(read_records(tmp_path / "killed")) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.join()
    found = len(read_records(tmp_path / "killed"))
    assert 5 <= found < 10
    for name in ("killed", "whole"):
        process = start(name)
        process.join(240)
        assert process.exitcode == 0
    assert as_json(read_records(tmp_path / "killed")) == as_json(read_records(tmp_path / "whole"))
    assert (tmp_path / "killed.log").stat().st_size <= (tmp_path / "whole.log").stat().st_size + 2
    for name in ("connectome_analysis.md", "connectome_memory.md"):
        assert (tmp_path / "killed" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_running_again_evaluates_nothing(study):
    _, records, folder = study
    objective = Objective()
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    again = explore(objective, folder, blocks=LEVELS, n_iter_block=6, config="demo", seed=1)
    assert objective.calls == []
    assert again == records
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_change_of_the_constant_reruns_only_what_is_no_longer_valid(tmp_path):
    kind = {"blocks": (0.5,), "n_iter_block": 10, "config": "demo", "seed": 3}
    first = explore(Objective(), tmp_path, **kind)
    search = Search("demo", (0.5,), 10, ucb_c=0.05, seed=3)
    keep = valid_prefix(first, search.rules(1), 3)
    assert 1 < keep < 10
    objective = Objective()
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        second = explore(objective, tmp_path, ucb_c=0.05, **kind)
    assert [r.settings for r in second[:keep]] == [r.settings for r in first[:keep]]
    assert len(objective.calls) <= 10 - keep
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        back = explore(objective := Objective(), tmp_path, **kind)
    assert objective.calls == []
    assert as_json(back) == as_json(first)
    assert any("kept as demo_analysis_" in str(w.message) for w in caught)


def test_longer_blocks_take_over_what_was_computed(tmp_path):
    kind = {"blocks": (1.0, 0.5), "config": "demo"}
    explore(Objective(), tmp_path, n_iter_block=4, sequential=False, **kind)
    records = explore(objective := Objective(), tmp_path, n_iter_block=6, sequential=False, **kind)
    assert [r.node for r in records] == list(range(1, 13))
    assert {r.parent for r in records if r.block == 2} <= {None, *range(7, 13)}
    assert len(objective.calls) <= 10


def test_other_data_are_another_search(tmp_path):
    kind = {"blocks": (1.0,), "n_iter_block": 3}
    explore(Objective(), tmp_path, identity={"n_neurons": 100}, **kind)
    objective = Objective()
    explore(objective, tmp_path, identity={"n_neurons": 300}, **kind)
    assert len(objective.calls) == 3


def test_iterations_as_jobs_give_what_the_loop_gives(study, tmp_path):
    search, records, _ = study
    jobs = [run_iteration(Objective(), tmp_path, search, b, i) for b in (1, 2, 3) for i in range(1, 7)]
    assert as_json(jobs) == as_json(records)
    with pytest.raises(OntogenyError, match="no iteration 7"):
        run_iteration(Objective(), tmp_path, search, 1, 7)
    with pytest.raises(OntogenyError, match="no block 4"):
        run_iteration(Objective(), tmp_path, search, 4, 1)


def test_blocks_side_by_side_come_out_the_same_in_any_order(tmp_path):
    search = Search("demo", LEVELS, 4, sequential=False)
    for name, order in (("a", (1, 2, 3)), ("b", (3, 1, 2))):
        for block in order:
            for i in range(1, 5):
                run_iteration(Objective(), tmp_path / name, search, block, i)
        write_logbook(tmp_path / name, search)
    one, two = (read_records(tmp_path / name, search) for name in "ab")
    assert as_json(one) == as_json(two)
    assert (tmp_path / "a/demo_analysis.md").read_bytes() == (tmp_path / "b/demo_analysis.md").read_bytes()
    assert one[8].settings["coeff_W_L1"] > 0, "the guideline of 10% holds from its first iteration on"


def test_a_sequential_block_waits_for_the_one_before(tmp_path):
    search = Search("demo", LEVELS, 4, sequential=True)
    with pytest.raises(OntogenyError, match="block 2 starts from what block 1 found, of which 0 of 4"):
        run_iteration(Objective(), tmp_path, search, 2, 1)
    with pytest.raises(OntogenyError, match="needs the records of iterations 1 to 2"):
        run_iteration(Objective(), tmp_path, search, 1, 3)


def test_a_sequential_block_starts_from_the_best_before_and_its_own_guideline(study):
    _, records, _ = study
    best = max((r for r in records if r.block == 2), key=lambda r: (r.score, -r.node))
    first = next(r for r in records if r.block == 3 and r.iteration == 1)
    assert first.parent is None
    assert first.settings["coeff_W_L1"] == pytest.approx(1.7)
    same = [name for name in best.settings if first.settings[name] == best.settings[name]]
    assert set(best.settings) - set(same) <= {"coeff_W_L1"}


def test_undefined_metrics_are_a_failure_and_missing_ones_a_mistake(tmp_path):
    nan = {"connectivity_R2": float("nan"), "cluster_accuracy": float("nan")}
    records = explore(lambda *_: nan, tmp_path / "nan", blocks=(1.0,), n_iter_block=3)
    assert [r.outcome for r in records] == ["failed"] * 3
    with pytest.raises(OntogenyError, match="'cluster_accuracy'; it is 'missing'"):
        explore(lambda *_: {"connectivity_R2": 0.5}, tmp_path / "missing", blocks=(1.0,), n_iter_block=3)


def test_a_damaged_record_is_named(study, tmp_path):
    search, _, _ = study
    run_iteration(Objective(), tmp_path, search, 1, 1)
    path = record_path(tmp_path, 1, 1)
    path.write_text(path.read_text()[:50])
    with pytest.raises(OntogenyError, match=r"iter_001\.json ends in the middle"):
        explore(Objective(), tmp_path, blocks=LEVELS, n_iter_block=6)


# The logbook


def test_the_log_is_append_only_and_has_the_studys_form(study):
    search, records, folder = study
    texts = [analysis_text(records[:k], search) for k in range(len(records) + 1)]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    written = (folder / "demo_analysis.md").read_text()
    assert written == analysis_text(records, search, training_minutes(folder, records))
    assert written.count(", training_time_min=0.10\n") == 18
    assert texts[-1] == without_times(written)
    lines = texts[-1].splitlines()
    assert lines[0] == "# Experiment Log: demo"
    entries = [i for i, line in enumerate(lines) if re.match(r"##+ Iter (\d+):", line)]
    assert len(entries) == 18
    keys = ["Node", "Mode/Strategy", "Sparsity", "Config", "Metrics", "Scatter", "Mutation", "Parent rule"]
    for i, record in zip(entries, records):
        assert re.fullmatch(r"## Iter \d+: (converged|partial-W|partial-E|partial|failed)", lines[i])
        assert [line.split(":")[0] for line in lines[i + 1 : i + 11]] == [*keys, "Observation", "Next"]
        node = re.match(r"Node: id=(\d+), parent=(\d+|None|root)", lines[i + 1])
        assert int(node[1]) == record.node
        assert node[2] == ("root" if record.parent is None else str(record.parent))
        assert float(re.search(r"connectivity_R2=([\d.]+|nan)", lines[i + 5])[1]) == pytest.approx(
            record.metrics["connectivity_R2"], abs=5e-4
        )
        assert re.match(r"Next: parent=(\d+|root)", lines[i + 10])
    config = re.fullmatch(
        r"Config: lr_W=\S+, lr=\S+, lr_emb=\S+, coeff_W_L1=\S+, batch_size=\d+, data_aug=\d+", lines[entries[0] + 4]
    )
    assert config
    assert lines[entries[0] + 3] == "Sparsity: 100% (connectivity_filling_factor=1.0)"
    assert sum(line.startswith("INSTRUCTIONS EDITED:") for line in lines) >= 3


def test_what_training_took_is_told_and_decides_nothing(study, tmp_path):
    search, records, folder = study
    shutil.copytree(folder, tmp_path / "slow")
    for path in (tmp_path / "slow/cost").iterdir():
        path.write_text(json.dumps({"training_time_min": 60.5}))
    next((tmp_path / "slow/cost").iterdir()).unlink()
    again = explore(objective := Objective(), tmp_path / "slow", blocks=LEVELS, n_iter_block=6, config="demo", seed=1)
    assert not objective.calls
    assert as_json(again) == as_json(records)
    write_logbook(tmp_path / "slow", search)
    log = (tmp_path / "slow/demo_analysis.md").read_text()
    assert log.count("training_time_min=60.50") >= 16
    assert "training_time_min=N/A" in log
    assert not list((tmp_path / "slow").glob("*_analysis_1.md"))
    for name in ("demo_memory.md", "ucb_scores.txt", "rules.json", "iterations.csv"):
        assert (tmp_path / "slow" / name).read_bytes() == (folder / name).read_bytes()


def test_next_names_the_parent_that_follows(study):
    search, records, _ = study
    following = re.findall(r"Next: parent=(\S+)", analysis_text(records, search))
    for said, record in zip(following, records[1:]):
        assert said == ("root" if record.parent is None else str(record.parent))
    assert following[-1] == "root"


def test_ucb_scores_are_those_of_the_current_block(study):
    search, records, _ = study
    text = ucb_text(records[:8], search)
    pattern = r"Node (\d+): UCB=\d\.\d{3}, parent=(?:\d+|root), visits=\d+, R2=\d\.\d{3}, cluster=\d\.\d\d"
    nodes = [re.fullmatch(pattern, line) for line in text.splitlines()]
    assert {int(node[1]) for node in nodes} == {7, 8}
    assert ucb_text([], search) == ""
    assert ucb_text(records[:6], search) == "", "at a block's end the file is emptied"


def test_a_block_without_a_success_has_no_success_to_exploit(study):
    search, records, _ = study
    modes = re.findall(r"Mode/Strategy: (\S+)", analysis_text(records, search))
    for k, (mode, record) in enumerate(zip(modes, records)):
        before = [r for r in records[:k] if r.block == record.block]
        good = any(min(r.metrics["connectivity_R2"], r.metrics["cluster_accuracy"]) >= 0.9 for r in before)
        expected = f"success-exploit/{record.strategy}" if good else record.strategy
        assert mode == ("failure-probe/boundary" if record.strategy == "failure-probe" else expected)


def test_the_memory_has_its_sections_and_stays_bounded(study, tmp_path):
    search, records, folder = study
    memory = read_memory(folder / "demo_memory.md")
    assert list(memory.table["filling_factor"]) == [1.0, 0.5, 0.1]
    assert list(memory.table["Block"]) == [1, 2, 3]
    assert "Emerging Observations" in list(memory.sections)[-1]
    for k in range(len(records) + 1):
        (tmp_path / "m.md").write_text(memory_text(records[:k], search))
        read_memory(tmp_path / "m.md")
    text = memory_text(records[:9], search)
    assert "## Current Block (Block 2)" in text
    assert "## Previous Block Summary (Block 1)" in text
    long = Search("long", (0.5,) * 40, 30)
    many = [
        type(r)(**{**r.to_json(), "block": b, "iteration": i, "node": (b - 1) * 30 + i, "parent": None})
        for b in range(1, 41)
        for i, r in zip(range(1, 31), (records * 2)[:30])
    ]
    for lines in (120, 300, 500):
        text = memory_text(many, long, notes=["n"] * 200, lines=lines)
        assert len(text.splitlines()) <= lines
        (tmp_path / "m.md").write_text(text)
        read_memory(tmp_path / "m.md")
    with pytest.raises(OntogenyError, match="at least 120"):
        memory_text(records, search, lines=20)


def test_a_memory_edited_into_nonsense_is_kept_and_written_anew(study, tmp_path):
    search, records, _ = study
    write_logbook(tmp_path, search, records[:7])
    path = tmp_path / "demo_memory.md"
    good = path.read_text()
    path.write_text(good.replace("### Open Questions", "- Note: look at 25% again\n\n### What is open"))
    with pytest.raises(OntogenyError, match="section '### Open Questions' is missing"):
        read_memory(path)
    edited = path.read_text()
    with pytest.warns(UserWarning, match="'### Open Questions' is missing: kept as demo_memory_1.md"):
        write_logbook(tmp_path, search, records[:8])
    assert (tmp_path / "demo_memory_1.md").read_text() == edited
    assert "- Note: look at 25% again" in path.read_text()
    path.write_bytes(b"\xff\xfe rubbish")
    with pytest.warns(UserWarning, match="not UTF-8 text: byte 0 is 0xff: kept as demo_memory_2.md"):
        write_logbook(tmp_path, search, records)
    assert (tmp_path / "demo_memory_2.md").read_bytes() == b"\xff\xfe rubbish"
    assert path.read_text() == memory_text(records, search)


def test_notes_by_hand_stay_in_the_memory(study, tmp_path):
    search, records, _ = study
    write_logbook(tmp_path, search, records[:7])
    path = tmp_path / "demo_memory.md"
    path.write_text(path.read_text() + "- Note: the last block was run at night\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in (8, 12, 18):
            write_logbook(tmp_path, search, records[:k])
    assert path.read_text().count("- Note: the last block was run at night") == 1
    assert not list(tmp_path.glob("*_1.md"))


def test_a_principle_added_by_hand_persists_and_steers(tmp_path):
    kind = {"blocks": (0.5,), "config": "demo", "seed": 2, "n_iter_block": 10}
    with pytest.raises(Killed):
        explore(killed_after(objective := Objective(), 4), tmp_path, **kind)
    path = tmp_path / "demo_memory.md"
    line = "- batch_size up helps at 50%"
    path.write_text(path.read_text().replace("### Open Questions", f"{line}\n- the lab is cold\n\n### Open Questions"))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "demo_memory")
        warnings.filterwarnings("ignore", "demo_analysis")
        records = explore(objective, tmp_path, **kind)
    assert len(objective.calls) <= 10, "what was tried before the principle stays"
    text = path.read_text()
    assert text.count(line) == text.count("- the lab is cold") == 1
    assert [bool(r.principles) for r in records] == [False] * 4 + [True] * 6
    led = [r for r in records if "by the principle: batch_size up helps" in r.rule]
    assert led
    assert all(r.mutation["setting"] == "batch_size" and r.mutation["new"] > r.mutation["old"] for r in led)
    assert "by the principle" in (tmp_path / "demo_analysis.md").read_text()


@pytest.mark.parametrize(
    ("line", "old", "new", "factor"),
    [
        ("lr_W up helps", 1e-3, 2e-3, 4),
        ("Lower learning_rate_W_start hurts.", 2e-3, 1e-3, 1 / 4),
        ("lr_W up helps", 2e-3, 1e-3, 1),
        ("lr_W up helps at 10%", 1e-3, 2e-3, 1),
        ("lr_W to 5E-3 is best", 1e-3, 2e-3, 4),
        ("lr_W matters", 1e-3, 2e-3, 1),
    ],
)
def test_what_a_principle_says_is_read(line, old, new, factor):
    setting = next(s for s in SPACE if s.name == "learning_rate_W_start")
    assert steering([line], SPACE, setting, old, new, 0.5)[0] == factor


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| 1 | 100% | 1.0 |", "| one | 100% | 1.0 |", "line 9: expected a block number"),
        ("| 1 | 100% | 1.0 |", "| 100% | 1.0 |", "line 9: 7 cells"),
        ("| Block | Sparsity |", "| Blocks | Sparsity |", "line 7: the comparison table has columns"),
        ("## Current Block", "## The Block", "'## Current Block' is missing"),
    ],
)
def test_a_damaged_memory_is_told_by_line(study, tmp_path, old, new, message):
    _, _, folder = study
    path = tmp_path / "m.md"
    path.write_text((folder / "demo_memory.md").read_text().replace(old, new))
    with pytest.raises(OntogenyError, match=re.escape(message)):
        read_memory(path)
    path.write_text((folder / "demo_memory.md").read_text() + "\n## More\n")
    with pytest.raises(OntogenyError, match="which come last"):
        read_memory(path)


def test_everything_is_regenerated_from_the_records(study, tmp_path):
    search, _, folder = study
    names = ["demo_analysis.md", "demo_memory.md", "ucb_scores.txt", "rules.json", "iterations.csv", "blocks.csv"]
    before = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        (folder / name).unlink()
    write_logbook(folder, search)
    assert before == {name: (folder / name).read_bytes() for name in names}


def test_tables_hold_what_the_records_hold(study):
    search, records, folder = study
    table = iteration_table(records, search)
    assert len(table) == 18
    assert table["score"].to_numpy() == pytest.approx([r.score for r in records])
    blocks = block_table(records, search)
    assert list(blocks["filling_factor"]) == list(LEVELS)
    assert list(blocks["best_score"]) == pytest.approx(
        [max(r.score for r in records if r.block == b) for b in (1, 2, 3)]
    )
    assert len(pd.read_csv(folder / "iterations.csv")) == 18
    rules = json.loads((folder / "rules.json").read_text())
    assert [b["filling_factor"] for b in rules["blocks"]] == list(LEVELS)


def test_principles_find_the_effect_that_is_there_and_no_other():
    """Pairs with a constructed effect of one setting: established; of the others: not."""
    from ontogeny.connectome.search.space import FIRST_SETTINGS

    search = Search("demo", (0.5,), 60)
    rng = np.random.default_rng(0)
    metrics = lambda r2: {"connectivity_R2": r2, "cluster_accuracy": 0.5}  # noqa: E731
    settings = dict(FIRST_SETTINGS)
    records = [Record(1, 1, 1, None, 0.5, settings, {"law": "baseline"}, "exploit", "", metrics(0.4), 0)]
    for i in range(2, 61):
        name = ("learning_rate_W_start", "learning_rate_start", "coeff_W_L1")[i % 3]
        gain = (0.2 if name == "learning_rate_W_start" else 0.0) + 0.05 * rng.normal()
        change = {"setting": name, "old": 1e-3, "new": 2e-3, "law": "x 2"}
        records.append(Record(1, i, i, 1, 0.5, settings, change, "exploit", "", metrics(0.4 + gain), 0))
    found = principles(records, search).set_index("setting")
    assert found.loc["learning_rate_W_start", "status"] == "established"
    assert found.loc["learning_rate_W_start", "gain_R2"] == pytest.approx(0.2, abs=0.04)
    assert found.loc["learning_rate_W_start", "low"] < 0.12 < found.loc["learning_rate_W_start", "high"] + 0.03
    assert set(found["status"].drop("learning_rate_W_start")) <= {"open", "contradicted"}
    assert (found["p_holm"] >= found["p"]).all()


# Policies compared


def in_memory(policy, seed):
    """The records of a search of two blocks, without its files."""
    search = Search("demo", (0.5, 0.1), 6, policy, seed=seed)
    records = []
    for block in (1, 2):
        rules = search.rules(block, records)
        for i in range(1, 7):
            p = propose([r for r in records if r.block == block], rules, seed, policy)
            metrics = Objective()(p.settings, rules.filling_factor, p.seed)
            head = (block, i, rules.node(i), p.parent, rules.filling_factor, p.settings, p.mutation, p.strategy, p.rule)
            records.append(Record(*head, metrics, p.seed))
    return records


def test_policies_are_compared_with_intervals_and_without_overclaiming():
    policies = ["ucb", "random"] + (["tpe"] if importlib.util.find_spec("optuna") else [])
    histories = {policy: [in_memory(policy, seed) for seed in range(4)] for policy in policies}
    found = compare_policies(histories)
    assert set(found.table["policy"]) == set(policies)
    assert (found.curves["low"] <= found.curves["mean"]).all()
    assert (found.curves.groupby("policy")["mean"].diff().dropna() >= -1e-12).all()
    assert (found.differences["p"] >= 1 / 8).all(), "four seeds cannot show less"
    assert "cannot be distinguished from random" in found.verdict
    narrow = compare_policies(histories, confidence=0.5).table
    assert (narrow["sooner_high"] - narrow["sooner_low"] < found.table["sooner_high"] - found.table["sooner_low"]).all()
    same = compare_policies({"a": histories["ucb"], "b": histories["ucb"]})
    assert (same.differences["difference"] == 0).all()
    assert (same.differences["p_holm"] == 1).all()
    with pytest.raises(OntogenyError, match="reference"):
        compare_policies(histories, "grid")
    with pytest.raises(OntogenyError, match="at least one"):
        compare_policies({"ucb": []})
    assert best_so_far(histories["ucb"][0]).shape == (2, 6)


def test_a_clear_difference_is_claimed(study):
    """Ten pairs of curves, one better by construction."""
    _, records, _ = study

    def scaled(factor):
        return [
            type(r)(
                **{
                    **r.to_json(),
                    "metrics": {k: factor * r.metrics[k] for k in ("connectivity_R2", "cluster_accuracy")},
                }
            )
            for r in records
        ]

    rng = np.random.default_rng(0)
    low = [scaled(0.5 + 0.02 * rng.random()) for _ in range(10)]
    high = [scaled(0.7 + 0.02 * rng.random()) for _ in range(10)]
    found = compare_policies({"random": low, "better": high})
    assert "better found good settings sooner than random" in found.verdict
    assert (found.differences["p_holm"] < 0.05).all()
