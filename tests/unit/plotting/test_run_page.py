"""The page of a run, the page of pages, and the figures of changes: relative links, escaped text, what they say."""

from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from ontogeny.changes import Change, against_controls, changes_of_study
from ontogeny.changes.figures import draw_run_changes, plot_change_kinds
from ontogeny.changes.page import write_pages_index, write_run_page
from ontogeny.files import write_json
from ontogeny.jumps.plan import CapturePlan, Moment
from ontogeny.phase1 import read_phase1
from ontogeny.plotting.style import save_figure

HOSTILE = "<script>alert('x')</script> & \"$\\frac{1}{2}$\" {{ 7 * 7 }}"
JUMP = Moment("jump", 40, 30, 50, "early", f"stable_rank of {HOSTILE} goes up", layer=HOSTILE, score=9.0)
QUIET = tuple(Moment("control", step, step - 10, step + 10, "late", "quiet", control_for=40) for step in (80, 120))
ENDS = (Moment("start", 0, 0, 10, "early", "the first step"), Moment("end", 200, 190, 200, "late", "the last step"))


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.text = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        self.links += [attributes[key] for key in ("href", "src") if key in attributes]
        self.ids.add(attributes.get("id"))

    def handle_data(self, data):
        self.text.append(data)


def changes(moments, size=1.0):
    rng = np.random.default_rng(0)
    found = {}
    for moment in moments:
        scale = size if moment.kind == "jump" else 0.1
        found[moment] = [
            Change("weights", HOSTILE, "relative change", scale),
            Change.of_samples("activations", HOSTILE, "displacement", scale * rng.random(40)),
            Change.of_samples("predictions", "", "flipped", (rng.random(40) < scale / 2).astype(float)),
            Change.of_samples("predictions", "", "loss", scale * rng.random(40)).at([0.5, 0.6, 0.7]),
            Change.of_samples("predictions", "", "accuracy", np.zeros(40)).at([0.5, 0.6, 0.7]),
        ]
    return against_controls(found, n_resamples=100)


@pytest.fixture
def written(tmp_path):
    def write(moments, title=HOSTILE):
        values = {"step": list(range(0, 200, 5)), "stable_rank": list(np.linspace(1, 4, 40)), "loss": [0.5] * 40}
        write_json(tmp_path / "phase1.json", {HOSTILE: values})
        record = read_phase1(tmp_path / "phase1.json")
        flipped = pd.DataFrame(
            {"moment": "jump at 40", "kind": "jump", "step": 40, "sample": [3, 4], "label": [1, 2],
             "predicted_before": [0, 2], "predicted_after": [1, 0], "flip": ["to right", "to wrong"],
             "margin_before": [-1.0, 2.0], "margin_after": [1.0, -0.5], "loss_before": 1.0, "loss_after": 0.5}
        )  # fmt: skip
        config = {
            "run": "a/s0", "parameters": 1234, "layers": {HOSTILE: "0"}, "versions": {"torch": "2"},
            "settings": {"model": {"name": "mlp", "hidden": [4]}, "task": {"name": HOSTILE}, "training": {"steps": 200},
                         "seed": 0},
        }  # fmt: skip
        return write_run_page(
            tmp_path / "results/pages/study/a/s0.html",
            title,
            HOSTILE,
            config,
            record,
            CapturePlan("a/s0", tuple(moments), 10, (HOSTILE,)),
            {"changes": changes(moments), "flipped": flipped},
            {"metrics": tmp_path / "results/figures/study/a/s0/metrics.png"},
            {"flipped.csv": tmp_path / "results/runs/a/s0/changes/flipped.csv"},
            tmp_path / "results/pages/index.html",
        )

    return write


def test_the_page_escapes_what_it_is_told_and_links_beside_itself(written):
    path = written((*ENDS, JUMP, *QUIET))
    text = path.read_text()
    page = Page(text)
    assert "script" not in page.tags
    assert "49" not in "".join(page.text).split("Curves")[0]
    assert HOSTILE in "".join(page.text)
    assert {"curves", "jump-40", "controls", "figures"} <= page.ids
    for link in page.links:
        assert link.startswith(("#", "./", "../")), link
        assert not link.startswith("#") or link[1:] in page.ids
    assert "../../../figures/study/a/s0/metrics.png" in page.links
    assert "../../index.html" in page.links
    assert len(text) < 60_000
    assert written((*ENDS, JUMP, *QUIET)).read_text() == text


def test_axes_of_curves_have_round_numbers(written):
    said = [part.strip() for part in Page(written((*ENDS, JUMP, *QUIET)).read_text()).text]
    said = [part for part in said if part and "step" not in part.lower()]
    first = said.index("Loss (logarithmic)") + 1
    assert said[first : first + 8] == ["0.5", "1", "2", "5", "0", "50", "100", "150"]


def test_the_page_tells_what_changed_against_the_quiet_moments(written):
    said = "".join(Page(written((*ENDS, JUMP, *QUIET)).read_text()).text)
    assert "compared with the matched controls at step 80, 120" in said
    assert "2 of 40 held-out samples flipped, 1 to right and 1 to wrong" in said
    assert "moved most, by 1 of their length (matched control: 0.1)" in said
    assert "Matched controls against each other: 0 of" in said
    assert "Of 4 quantities tested" in said


def test_a_run_without_a_jump_has_its_start_and_end(written):
    page = Page(written(ENDS).read_text())
    assert {"start-0", "end-200"} <= page.ids
    assert "There are fewer than two matched controls" in "".join(page.text)


def test_the_page_of_pages_escapes_and_links_beside_itself(tmp_path):
    path = write_pages_index(
        tmp_path / "pages/index.html", {HOSTILE: [(HOSTILE, tmp_path / "pages/a b/s0.html")], "none": []}
    )
    page = Page(path.read_text())
    assert page.links == ["./a%20b/s0.html"]
    assert "script" not in page.tags
    assert page.tags.count("h2") == 1


def test_figures_of_changes_are_drawn_for_runs_with_jumps_alone(tmp_path):
    tables = {"a": changes((*ENDS, JUMP, *QUIET)), "b": changes(ENDS)}
    draw_run_changes(tables, {"a": HOSTILE, "b": "b"}, tmp_path / "runs")
    assert len(list((tmp_path / "runs").glob("*.png"))) == len(list((tmp_path / "runs").glob("*.csv"))) == 1
    for name, chosen in (("some", tables), ("none", {"b": tables["b"]})):
        kinds, _ = changes_of_study(chosen, dict.fromkeys(chosen, "mlp"))
        save_figure(plot_change_kinds(kinds, "A study"), tmp_path / f"{name}.png", kinds, formats=["png"])
        assert matplotlib.image.imread(tmp_path / f"{name}.png")[..., :3].std() > 0.01
