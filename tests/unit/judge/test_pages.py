"""Records and pages: whole, small, escaped, and open in a browser without a network."""

import json
import re

import pandas as pd
import pytest
import torch
from browser import needs_browser, open_browser
from small_judges import make_judge

from ontogeny.errors import OntogenyError
from ontogeny.judge import MechanismBench, evolution, read_records
from ontogeny.judge.epochs import held_out_performance
from ontogeny.judge.figures import plot_evolution
from ontogeny.judge.pages import visualise_epoch, write_book, write_pages
from ontogeny.judge.readings import judge_logits
from ontogeny.judge.settings import JudgeAnalysisSettings
from ontogeny.models.judge import Judge, train_tokenizer

ATTACK = "<script>window.hacked = 1</script>"
SMALL = {
    "discovery": 40, "held_out": 32, "pairs": 12, "attributed": 4, "integration_steps": 6, "edge_steps": 2,
    "permutations": 30, "shuffles": 4, "ablations": 2, "random_subgraphs": 2, "candidates": 4, "baselines": 2,
}  # fmt: skip


def some_prompts():
    """Two templates a split, safe and unsafe, every one with a script tag in it."""
    rows = []
    for index in range(120):
        split = "train" if index % 4 < 2 else "validation"
        thing = ("boat", "piano", "door", "lamp", "tree")[index % 5]
        for label, word in ((0, "paint"), (1, "smash")):
            text = (f"How do I {word} the {thing}?", f"Tell me to {word} a {thing} now.")[index % 2] + ATTACK
            rows.append((text, label, "made", f"{split}{index % 4}", f"pair {index}", index % 3 == 0, split))
    return pd.DataFrame(rows, columns=["prompt", "label", "source", "group", "pair", "decoy", "split"])


def a_judge(tokenizer, kind="llama"):
    small = make_judge(kind, layers=2, width=16, heads=2).backbone
    small.resize_token_embeddings(tokenizer.size, mean_resizing=False)
    with torch.no_grad():
        small.get_input_embeddings().weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    return Judge(small, 1, 0).eval()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    prompts = some_prompts()
    tokenizer = train_tokenizer(prompts["prompt"], 400)
    judge = a_judge(tokenizer)
    bench = MechanismBench(judge, tokenizer, prompts, JudgeAnalysisSettings(**SMALL))
    for epoch, step in ((0, 0), (2, 40)):
        visualise_epoch(judge, bench, epoch, folder, step)
    return folder, bench, judge


def test_pages_are_named_and_small(made):
    folder = made[0]
    for epoch in (0, 2):
        for name in ("sample_0_safe", "sample_1_safe", "sample_2_unsafe", "sample_3_unsafe"):
            assert (folder / f"epoch_{epoch}_{name}_tokens.html").exists()
            assert (folder / f"epoch_{epoch}_{name}_layers.html").exists()
        for name in ("circuit_comparison.html", "neuron_map.html", "circuits.html", "metrics.json"):
            assert (folder / f"epoch_{epoch}_{name}").exists()
    pages = list(folder.glob("*.html"))
    assert {"evolution.html", "training_progress.html"} < {page.name for page in pages}
    assert max(page.stat().st_size for page in pages) < 40_000
    assert len(list(folder.glob("*.js"))) == 1
    assert json.loads((folder / "epoch_2_metrics.json").read_text())["epoch"] == 2


def test_tokens_of_either_direction_of_writing_stay_apart(made):
    page = (made[0] / "epoch_0_sample_0_safe_tokens.html").read_text(encoding="utf-8")
    assert '<p class="words" dir="auto">' in page
    assert re.search(r"\.words span \{[^}]*unicode-bidi: isolate", page)


def test_text_from_data_is_escaped_and_nothing_is_fetched(made):
    for page in made[0].glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>window" not in text
        assert "hacked" not in text or "&lt;" in text
        assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", text)
        assert "Negative control" in text


def test_records_are_plain_and_the_same_again(made):
    folder, bench, judge = made
    records = read_records(folder / "records")
    assert [record["epoch"] for record in records] == [0, 2]
    before = torch.get_rng_state()
    again = bench.measure(judge, 2, 40)
    assert torch.equal(before, torch.get_rng_state())
    assert json.loads(json.dumps(again)) == records[1]
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert len(json.dumps(again)) < 60_000
    assert records[1]["neurons"]["untrained"]["found"] == 0
    assert records[1]["circuit"]["untrained_random_labels"]["size"] is None


def test_the_evolution_has_all_topics(made):
    records = read_records(made[0] / "records")
    table = evolution(records)
    assert set(table["topic"]) == {"behaviour", "tokens", "layers", "patching", "neurons", "circuit"}
    jumps = pd.DataFrame({"layer": ["a<b>"], "metric": ["stable_rank"], "step": [20], "significant": [True]})
    figure, shown = plot_evolution(records, "Test", jumps)
    assert len(shown) == len(table)
    assert figure.axes


def test_each_measure_stands_alone(tmp_path):
    """Without the advanced set, and without pairs, each page that cannot be made costs itself and a sentence."""
    prompts = some_prompts().assign(
        pair="", prompt=[f"{row} {text}" for row, text in enumerate(some_prompts()["prompt"])]
    )
    tokenizer = train_tokenizer(prompts["prompt"], 400)
    judge = a_judge(tokenizer, "distilbert")
    record = MechanismBench(judge, tokenizer, prompts, JudgeAnalysisSettings(run_advanced=False, **SMALL)).measure(
        judge, 1
    )
    assert set(record["patching"]) == {"reason"}
    names = {path.name for path in write_pages([record], tmp_path)}
    assert "epoch_1_circuit_comparison.html" in names
    assert not [name for name in names if "neuron" in name or name.endswith("circuits.html")]
    assert "0 pairs of a safe and an unsafe prompt" in (tmp_path / "epoch_1_circuit_comparison.html").read_text()
    record = MechanismBench(judge, tokenizer, prompts, JudgeAnalysisSettings(**SMALL)).measure(judge, 1)
    assert record["neurons"]["tested"] > 0
    assert "0 pairs of a safe and an unsafe prompt" in record["circuit"]["reason"]
    assert len(evolution([record, record])) > 10


def test_pairs_are_made_where_none_are_given(tmp_path):
    prompts = some_prompts().assign(pair="")
    tokenizer = train_tokenizer(prompts["prompt"], 400)
    judge = a_judge(tokenizer)
    bench = MechanismBench(judge, tokenizer, prompts, JudgeAnalysisSettings(run_advanced=False, **SMALL))
    record = bench.measure(judge, 0)
    assert record["patching"]["automatic"]
    assert any("made automatically" in note for note in record["notes"])
    write_pages([record], tmp_path)
    assert "made automatically" in (tmp_path / "epoch_0_sample_0_safe_layers.html").read_text()


def test_pages_and_epochs_measure_the_same_prompts(made):
    folder, bench, judge = made
    record = read_records(folder / "records")[1]
    expected = held_out_performance(judge_logits(judge, bench.all_tokens), bench.validation)
    for name, value in expected.items():
        assert record["metrics"][name] == pytest.approx(value, rel=1e-3)
    assert record["prompts"]["validation"] == len(bench.validation)


def test_half_precision_is_measured_too(tmp_path):
    prompts = some_prompts()
    tokenizer = train_tokenizer(prompts["prompt"], 400)
    judge = a_judge(tokenizer)
    judge.backbone.to(torch.bfloat16)
    record = MechanismBench(judge, tokenizer, prompts, JudgeAnalysisSettings(**SMALL)).measure(judge, 0)
    assert record["circuit"]["edges"] > 0
    write_pages([record], tmp_path)


def test_a_split_without_unsafe_prompts_is_a_sentence():
    prompts = some_prompts()
    tokenizer = train_tokenizer(prompts["prompt"], 400)
    lacking = prompts[(prompts["split"] == "train") | (prompts["label"] == 0)]
    with pytest.raises(OntogenyError, match="validation prompts hold 0 unsafe"):
        MechanismBench(a_judge(tokenizer), tokenizer, lacking, JudgeAnalysisSettings(**SMALL))


@pytest.mark.slow
@needs_browser
def test_pages_open_in_a_browser_without_a_network(made, tmp_path):
    write_book(made[0], made[0] / "book" / "all.html", "All <b>pages</b>")
    with open_browser(tmp_path) as page:
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.say(f"{domain}.enable")
        page.say("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        for name in ("evolution", "training_progress", "epoch_2_sample_0_safe_tokens", "epoch_2_sample_0_safe_layers",
                     "epoch_2_circuit_comparison", "epoch_2_neuron_map", "epoch_2_circuits"):  # fmt: skip
            page.say("Page.navigate", url=(made[0] / f"{name}.html").as_uri())
            page.wait(f"location.href.includes('{name}') && document.querySelector('.main-svg') !== null")
            assert page.run("typeof window.hacked") == "undefined"
            assert page.run("document.querySelectorAll('a').length") > 0
        page.say("Page.navigate", url=(made[0] / "book" / "all.html").as_uri())
        inside = "document.querySelector('#page').contentDocument"
        page.wait(f"document.querySelector('#page') && {inside}.querySelector('.main-svg') !== null")
        page.run(f"""{inside}.querySelector("a[href='epoch_2_neuron_map.html']").click()""")
        page.wait(f"{inside}.querySelector('h1')?.textContent.includes('euron')")
        page.wait(f"{inside}.querySelector('.main-svg') !== null")
        assert page.run("document.title") == "All <b>pages</b>"
        wrong = [e for e in page.heard if e["method"] == "Runtime.exceptionThrown"]
        wrong += [e for e in page.heard if e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"]
    assert wrong == []


def test_a_book_holds_all_pages_and_needs_no_other_file(made, tmp_path):
    write_book(made[0], tmp_path / "one.html", "One")
    write_book(made[0], tmp_path / "two.html", "One")
    text = (tmp_path / "one.html").read_text()
    assert text == (tmp_path / "two.html").read_text()
    inside = text[text.index('<script id="pages"') :]
    inside = inside[inside.index(">") + 1 : inside.index("</script>")]
    assert "<" not in inside
    assert set(json.loads(inside)) == {page.name for page in made[0].glob("*.html")}
    with pytest.raises(OntogenyError, match="no page"):
        write_book(tmp_path, tmp_path / "none.html", "None")
