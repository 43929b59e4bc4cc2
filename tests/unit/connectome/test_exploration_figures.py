from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from ontogeny.connectome.search.comparison import compare_policies
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import propose, ucb_scores
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.space import FIRST_SETTINGS
from ontogeny.connectome.search_figures import (
    draw_comparison,
    plot_comparison,
    plot_landscape,
    plot_policies,
    plot_progress,
    plot_search_tree,
    search_figures,
)
from ontogeny.connectome.search_page import write_tree_page
from ontogeny.connectome.search_tree import tree_layout
from ontogeny.errors import OntogenyError
from ontogeny.plotting.style import figure

EVIL = '</script><img src=x onerror="alert(1)">&[[c]]'


def searched(seed: int = 0, policy: str = "ucb") -> tuple[Search, list[Record]]:
    search = Search("demo", (1.0, 0.1), 6, policy, seed=seed)
    rng = np.random.default_rng(seed)
    records: list[Record] = []
    for block in (1, 2):
        rules = search.rules(block, records)
        for i in range(1, 7):
            p = propose([r for r in records if r.block == block], rules, seed, policy)
            metrics = {
                "connectivity_R2": float(rng.uniform(0, 1)),
                "cluster_accuracy": float(rng.uniform(0.2, 1)),
                "scatter": EVIL,
                "final_loss": float("nan"),
            }
            head = (block, i, rules.node(i), p.parent, rules.filling_factor, p.settings, p.mutation, p.strategy, p.rule)
            records.append(Record(*head, metrics, p.seed))
    return search, records


def test_the_layout_has_a_row_for_each_node_and_children_under_their_parents():
    _, records = searched()
    group = records[:6]
    places = tree_layout(group)
    assert sorted(row for _, row in places.values()) == list(range(6))
    for record in group:
        if record.parent in places:
            assert places[record.node][0] == places[record.parent][0] + 1
            assert places[record.node][1] > places[record.parent][1]
    below = {r.node: {r.node} for r in group}
    for record in reversed(group):
        if record.parent in below:
            below[record.parent] |= below[record.node]
    for nodes in below.values():
        rows = sorted(places[node][1] for node in nodes)
        assert rows == list(range(rows[0], rows[0] + len(rows))), "a subtree stands together"
    chain = [Record(1, i, i, i - 1 or None, 1.0, {}, {}, "exploit", "", {}, 0) for i in range(1, 400)]
    assert tree_layout(chain)[399] == (398, 398)
    ring = [Record(1, i, i, 3 - i, 1.0, {}, {}, "exploit", "", {}, 0) for i in (1, 2)]
    with pytest.raises(OntogenyError, match="no tree"):
        tree_layout(ring)


def test_figures_are_written_with_their_data_and_again_the_same(tmp_path):
    search, records = searched()
    comparison = compare_policies({p: [searched(s, p)[1] for s in (0, 1)] for p in ("ucb", "random")})
    made = search_figures(records, tmp_path / "a", search, comparison)
    for paths in made.values():
        assert all(path.stat().st_size > 300 for path in paths)
    for path in plot_policies(comparison, tmp_path / "b/policies"):
        assert path.read_bytes() == (tmp_path / "a" / path.name).read_bytes()
    assert len(pd.read_csv(tmp_path / "a/search_tree.csv")) == 12
    assert list(pd.read_csv(tmp_path / "a/policies.csv").columns)[:3] == ["policy", "iteration", "mean"]


def test_one_record_and_no_declaration_are_enough(tmp_path):
    _, records = searched()
    assert plot_search_tree(records[:1], tmp_path / "tree")[0].exists()
    assert plot_progress(records[:7], tmp_path / "progress")[0].exists()
    assert write_tree_page(records[:1], tmp_path / "page.html").exists()
    one = compare_policies({"ucb": [records]})
    assert plot_policies(one, tmp_path / "policies")[0].exists()


def test_the_landscape_of_one_setting_has_its_whole_title(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("ontogeny.connectome.search_figures.save_figure", lambda fig, *_: drawn.append(fig))
    _, records = searched()
    for count in range(2, len(records) + 1):
        with contextlib.suppress(OntogenyError):
            plot_landscape(records[:count], tmp_path / "x")
            break
    (fig,) = drawn
    fig.draw_without_rendering()
    assert fig._suptitle.get_window_extent().x1 <= fig.bbox.x1


def test_what_cannot_be_drawn_is_told(tmp_path):
    _, records = searched()
    with pytest.raises(OntogenyError, match="no records yet"):
        plot_search_tree([], tmp_path / "x")
    with pytest.raises(OntogenyError, match="took more than one value"):
        plot_landscape(records[:1], tmp_path / "x")
    with pytest.raises(OntogenyError, match="one shape"):
        plot_comparison(np.zeros((3, 3)), np.zeros((4, 4)), tmp_path, 0, 1)
    with pytest.raises(OntogenyError, match="not finite"):
        plot_comparison(np.zeros((3, 3)), np.full((3, 3), np.nan), tmp_path, 0, 1)


def test_the_comparison_has_the_studys_name(tmp_path):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(40, 40)) * (rng.random((40, 40)) < 0.3)
    path = plot_comparison(W, 0.5 * W, tmp_path, 2, 750, "slope << 1")
    assert path == tmp_path / "comparison_2_750.png"
    assert plot_comparison(np.zeros((5, 5)), np.zeros((5, 5)), tmp_path, 0, 0).exists()


def test_the_reading_of_a_comparison_leaves_the_line_of_equality_free():
    W = np.random.default_rng(0).normal(size=(9, 9))
    fig, axes = figure(width=3.6, height=3.6)
    draw_comparison(axes, W, W, "scaled to slope 1; before:\nslope=0.100, cloud without a line (spread 2.97)")
    fig.canvas.draw()
    (said,) = axes.texts
    right, bottom = axes.transAxes.inverted().transform(said.get_window_extent().get_points()[[1, 0], [0, 1]])
    assert right < bottom


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_page_is_self_contained_and_escapes_text_from_data(tmp_path):
    search, records = searched()
    evil = Search("demo <b>", search.blocks, 6)
    records[3] = Record(**{**records[3].to_json(), "rule": EVIL, "mutation": {"law": EVIL}})
    text = write_tree_page(records, tmp_path / "page.html", evil).read_text()
    tags = Tags()
    tags.feed(text)
    names = [tag for tag, _ in tags.found]
    assert names.count("script") == 2
    assert "img" not in names
    assert "b" not in names
    assert not any("src" in attrs or "href" in attrs or "onerror" in attrs for _, attrs in tags.found)
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", text)
    assert sum(attrs.get("class") == "node" for _, attrs in tags.found) == 12
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(svg)
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    assert data[3]["rule"] == EVIL
    assert "final_loss" not in data[0]["metrics"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_page_computes_the_same_scores_as_python(tmp_path):
    """Run the page's script against a bare document; move the slider; choose a node."""
    search, records = searched()
    text = write_tree_page(records, tmp_path / "page.html", search).read_text()
    script = re.findall(r"<script>(.*?)</script>", text, re.S)[0]
    data = re.search(r'id="data">(.*?)</script>', text, re.S)[1]
    document = """
    const make = () => { const kids = []; const marks = new Set();
      return {textContent: "", value: "", dataset: {}, kids, append: k => kids.push(k), on: {},
        replaceChildren: () => { kids.length = 0; }, addEventListener(e, f) { this.on[e] = f; },
        classList: {add: m => marks.add(m), remove: m => marks.delete(m), has: m => marks.has(m)},
        querySelector() { return this.ucb ??= make(); }}; };
    const elements = new Map();
    const get = id => { if (!elements.has(id)) elements.set(id, make()); return elements.get(id); };
    get("data").textContent = DATA; get("c").value = "1.414";
    const groups = NODES.map(n => { const g = make(); g.dataset.node = String(n); return g; });
    const document = {getElementById: get, createElement: make, querySelectorAll: () => groups};
    """
    document = document.replace("DATA", json.dumps(data)).replace("NODES", json.dumps([r.node for r in records]))
    probe = """
    const read = () => groups.map(g => [Number(g.dataset.node), g.ucb.textContent, g.classList.has("next")]);
    const first = read(); slider.value = "0.3"; slider.on.input(); const second = read();
    groups[4].on.click();
    console.log(JSON.stringify([first, second, get("head").textContent, get("facts").kids.length]));
    """
    (tmp_path / "page.js").write_text(f"{document}{script.replace(chr(34) + 'use strict' + chr(34) + ';', '')}{probe}")
    run = subprocess.run(["node", str(tmp_path / "page.js")], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    first, second, head, facts = json.loads(run.stdout)
    for c, found in ((1.414, first), (0.3, second)):
        expected = {**ucb_scores(records[:6], c), **ucb_scores(records[6:], c)}
        for node, words, chosen in found:
            assert words == f"UCB {expected[node].ucb:.3f}  visits {expected[node].visits}"
            assert chosen == (node in (next(iter(ucb_scores(records[:6], c))), next(iter(ucb_scores(records[6:], c)))))
    assert head == f"Node 5: {records[4].outcome}"
    assert facts > len(FIRST_SETTINGS)
