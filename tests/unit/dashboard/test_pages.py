"""The pages, driven as a person would, without a browser."""

import json
import shutil
import time

import pytest

pytest.importorskip("streamlit", reason="the extra `dashboard` is not installed")
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from ontogeny.dashboard import data, player
from ontogeny.dashboard import pages as dashboard_pages
from ontogeny.dashboard.elements import markdown, runs_in_folder
from ontogeny.dashboard.judge_page import PICTURES as ONE_EPOCH

ATTACK = "<script>alert(1)</script>"
PAGES = list(dashboard_pages.PAGES)
PICTURES = [*ONE_EPOCH, "Metrics", "Evolution"]


@pytest.fixture
def open_page(monkeypatch):
    # Each opening would read about every package that is installed, to look for components.
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", list)

    def opened(results, page, **query):
        monkeypatch.setattr("sys.argv", ["app.py", str(results)])
        app = AppTest.from_file(str(dashboard_pages.__file__.replace("pages.py", "app.py")), default_timeout=60)
        app.query_params["page"] = page
        for key, value in query.items():
            app.query_params[key] = value
        runs_in_folder.clear()
        return app.run()

    return opened


def whole(app):
    """Nothing raised, nothing complained about."""
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    assert not app.warning, [warning.value for warning in app.warning]
    return app


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def said(app):
    return "".join(element.proto.body for element in app.get("html"))


def frames(app):
    """What the player of a page shows, by epoch; the files may still be in the making."""
    found = json.loads(app.get("component_instance")[0].proto.json_args)
    return {frame["epoch"]: _file(frame["file"]) | {"base": found["base"]} for frame in found["frames"]}


def _file(name):
    path = player.folder() / name
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return json.loads(path.read_text())


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(open_page, made, page):
    app = whole(open_page(made, page))
    assert app.header
    assert app.radio(key="page").value == page
    if page != "Overview":
        assert charts(app) or frames(app)


def test_the_sidebar_leads_to_every_page(open_page, made):
    app = open_page(made, "Overview")
    assert len(app.dataframe[0].value) == 4
    for page in PAGES[1:]:
        whole(app.radio(key="page").set_value(page).run())


@pytest.mark.parametrize("what", PICTURES)
def test_every_picture_has_a_frame_for_every_epoch(open_page, made, what):
    app = open_page(made, "Judge", run="judge")
    app.button_group(key="picture").set_value(what).run()
    found = frames(whole(app))
    assert list(found) == [0, 1, 3]
    assert len({json.dumps(frame) for frame in found.values()}) == 3
    for epoch, frame in found.items():
        if what in ("Metrics", "Evolution"):
            assert frame["figure"] is None
            assert _file(frame["base"])["figure"]["data"]
            assert any(shape["x0"] == shape["x1"] == epoch for shape in frame["layout"]["shapes"])
        else:
            assert frame["figure"]["data"]
            assert "Negative control" in frame["text"]


def test_two_epochs_and_two_runs_stand_side_by_side(open_page, made):
    app = open_page(made, "Judge", run="judge")
    app.button_group(key="mode").set_value("two epochs").run()
    for what in PICTURES:
        app.button_group(key="picture").set_value(what).run()
        assert len(charts(whole(app))) == (1 if what in ("Metrics", "Evolution") else 2)
    assert [slider.value for slider in app.select_slider] == [0, 3]
    app.button_group(key="mode").set_value("two runs").run()
    for what in PICTURES:
        app.button_group(key="picture").set_value(what).run()
        assert len(charts(whole(app))) == 2
    assert {app.selectbox(key="judge").value, app.selectbox(key="judge right").value} == {"judge", ATTACK}


def test_names_and_prompts_are_text_and_never_markup(open_page, made):
    for page in PAGES:
        app = whole(open_page(made, page, run=ATTACK))
        assert "<script" not in said(app)
        for chart in charts(app):
            assert "<script" not in json.dumps(chart)
        for element in [*app.markdown, *app.caption, *app.info]:
            assert "<script" not in element.value.replace("\\<", "")
            assert not getattr(element, "allow_html", False)
    app = open_page(made, "Judge", run=ATTACK)
    last = frames(app)[3]
    assert "&lt;" in last["text"]
    assert "<script" not in json.dumps(last)
    assert app.selectbox(key="judge").value == ATTACK


def test_markdown_shows_text_as_it_is():
    assert markdown("![x](http://y) <b> *a* `c` $d$ :red[e]\n# f") == (
        r"\!\[x\]\(http\://y\) \<b\> \*a\* \`c\` \$d\$ \:red\[e\] \# f"
    )


def test_records_made_while_a_judge_trains_are_shown(open_page, results):
    run = results / "runs" / "judge"
    (run / "mechanism").rename(run / "live")
    (run / "live" / "epoch_3.json").rename(run / "kept")
    assert list(frames(whole(open_page(results, "Judge", run="judge")))) == [0, 1]
    (run / "kept").rename(run / "live" / "epoch_3.json")
    assert list(frames(whole(open_page(results, "Judge", run="judge")))) == [0, 1, 3]


def test_jumps_of_a_run_and_its_members(open_page, made):
    app = whole(open_page(made, "Dynamics", run="digits/s0"))
    assert len(charts(app)) == 3
    record = data.read_run_record(made / "runs" / "digits" / "s0")
    layer = record.layers_of()[0]
    app.multiselect[0].set_value([layer]).run()
    assert len({trace["name"] for trace in charts(whole(app))[0]["data"] if trace.get("name")}) == 1
    answer = data.read_answer(made / "runs" / "digits" / "s0", "digits/s0")
    assert any(said.value.replace("\\", "") == answer for said in app.markdown)
    app = whole(open_page(made, "Dynamics", run="xor"))
    assert app.selectbox(key="member xor").value == "xor/s0"
    app.selectbox(key="member xor").set_value("xor/s3").run()
    whole(app)


def test_the_exploration_constant_moves_the_choice(open_page, made):
    app = whole(open_page(made, "Connectome"))
    records = [r for r in data.read_search(data.search_folders(made)["wiring"]) if r.block == 1]
    app.slider(key="c").set_value(0.0).run()
    best = max(records, key=lambda record: (record.score, -record.node)).node
    bold = [note["text"] for note in charts(whole(app))[0]["layout"]["annotations"] if note["text"].startswith("<b>")]
    assert bold[0].startswith(f"<b>{best} ")
    app.button_group(key="part").set_value("Recovery").run()
    assert charts(whole(app))


def test_a_fit_begins_with_its_verdict(open_page, results):
    folder = results / "runs" / "wiring" / "s0" / "connectome"
    folder.mkdir(parents=True)
    (folder.parent / "config.json").write_text("{}")
    (folder / "history.csv").write_text("step,loss\n10,1\n20,0.5\n")
    said = {"connectivity_R2": 0.98, "verdict": "trusted", "verdict_reason": f"two halves agree {ATTACK}"}
    (folder / "metrics.json").write_text(json.dumps(said))
    app = whole(open_page(results, "Connectome"))
    app.button_group(key="part").set_value("Fits").run()
    assert any(text.value.startswith("**The wiring is trusted:** two halves agree") for text in whole(app).markdown)


def test_live_shows_what_is_appended(open_page, results):
    run = results / "runs" / "digits" / "s0"
    (run / "config.json").unlink()
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:20]) + lines[20][:30])
    app = whole(open_page(results, "Live"))
    first = json.loads(lines[19])["step"]
    assert app.metric[0].value == f"{first:,}"
    assert "1 training now" in app.selectbox(key="live run").label
    (run / "metrics.jsonl").write_text("".join(lines))
    app.run()
    assert app.metric[0].value == f"{json.loads(lines[-1])['step']:,}"


@pytest.mark.parametrize("page", PAGES)
def test_a_folder_without_results_is_explained(open_page, tmp_path, page):
    for folder, why in ((tmp_path / "none", "does not exist"), (tmp_path, "holds no runs yet")):
        app = open_page(folder, page)
        assert not app.exception
        assert why in app.warning[0].value


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_files_cut_off_are_explained(open_page, results, page, share):
    for path in results.rglob("*"):
        if path.suffix in (".json", ".csv", ".jsonl"):
            text = path.read_bytes()
            path.write_bytes(text[: int(share * len(text))])
    app = open_page(results, page)
    assert not app.exception
    notes = [*app.error, *app.warning, *app.info]
    assert all(len(note.value) < 900 and "Traceback" not in note.value for note in notes)
    if page in ("Judge", "Dynamics") or (page == "Connectome" and not share):
        assert notes


def test_one_broken_epoch_does_not_hide_the_others(open_page, results, edited):
    files = data.mechanism_files(results / "runs" / "judge")
    files[1].write_text(files[1].read_text()[:300])
    edited(files[3], lambda record: record.update(samples=[{"name": "old", "label": 0, "prompt": "?"}]))
    app = open_page(results, "Judge", run="judge")
    assert not app.exception
    assert "get a complete copy" in app.warning[0].value
    found = frames(app)
    assert list(found) == [0, 3]
    assert "another version" in found[3]["text"]
    assert found[3]["figure"] is None
    assert found[0]["figure"]["data"]


def test_a_run_without_the_advanced_set_says_so(open_page, results, edited):
    for path in data.mechanism_files(results / "runs" / "judge").values():
        edited(path, lambda record: record.update(patching=None, neurons=None, circuit=None))
    app = open_page(results, "Judge", run="judge")
    for what in PICTURES:
        app.button_group(key="picture").set_value(what).run()
        found = frames(whole(app))[3]
        assert ("run_advanced" in found["text"]) == (what in ("Circuit comparison", "Neuron map", "Circuits"))


def test_studies_without_runs(open_page, results):
    shutil.rmtree(results / "runs")
    for page in PAGES:
        app = open_page(results, page)
        assert not app.exception
        assert not app.error
