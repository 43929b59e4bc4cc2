"""One configuration from the first rule to the report, and what a change of it plans."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reliability"))

import kill
import matplotlib.image
import pandas as pd
import pytest

DATA = {".json", ".jsonl", ".csv", ".h5", ".safetensors", ".parquet", ".png"}
FIGURES_OF_RUN = ["metrics", "heatmap", "variance", "projections", "clusters", "neurons"]
TRAINING = {"train_run", "train_ensemble"}


def files(folder, suffixes):
    return sorted(path for path in folder.rglob("*") if path.suffix in suffixes and path.is_file())


def test_every_target_is_there(finished):
    run = finished.results / "runs" / "tiny_mlp" / "s0"
    for name in ("config.json", "phase1.json", "jumps.json", "jumps.csv", "capture_plan.json", "activations.h5"):
        assert (run / name).stat().st_size > 0
    assert len(list((run / "checkpoints").glob("*.safetensors"))) == 4
    for name in FIGURES_OF_RUN:
        for suffix in ("png", "pdf", "csv"):
            assert (finished.results / "figures" / "tiny" / "tiny_mlp" / "s0" / f"{name}.{suffix}").is_file()
    assert (finished.results / "figures" / "others" / "heatmaps" / "mlp_shallow_2_mnist.png").is_file()
    assert (finished.results / "figures" / "tiny" / "change_kinds.png").is_file()
    assert not [path for path in finished.results.rglob("*") if ".part" in path.name or path.name == ".resume"]


def test_the_links_of_every_page_lead_somewhere(finished):
    pages = [finished.results / "pages" / name for name in ("index.html", "tiny/tiny_mlp/s0.html")]
    for page in pages:
        links = re.findall(r'(?:href|src)="([^"#]+)"', page.read_text())
        assert links
        for link in links:
            assert (page.parent / link).is_file(), (page, link)


def test_every_picture_is_one(finished):
    pictures = files(finished.results, {".png"})
    assert len(pictures) >= 19
    for path in pictures:
        pixels = matplotlib.image.imread(path)
        height, width = pixels.shape[:2]
        assert 200 <= height <= 6000, (path, height)
        assert 400 <= width <= 4000, (path, width)
        assert pixels[..., :3].std() > 0.01, f"{path} is blank"


def test_tables_hold_what_they_name(finished):
    experiments = pd.read_csv(finished.results / "tables" / "experiments.tsv", sep="\t")
    assert list(experiments["run"]) == ["tiny_mlp/s0"]
    assert experiments.loc[0, "training.steps"] == 110
    assert 0 < experiments.loc[0, "final_probe_accuracy"] <= 1
    cost = pd.read_csv(finished.results / "tables" / "cost.tsv", sep="\t")
    assert {"train_run", "detect_jumps", "examine_run", "plot_run", "import_phase1"} <= set(cost["rule"])
    assert (cost["s"] > 0).all()
    for path in files(finished.results / "runs", {".csv"}) + files(finished.results / "studies", {".csv"}):
        assert path.read_text().strip(), f"{path} has not even a header"
    for name in ("geometry/pca_variance", "geometry/cluster_choice", "neurons/comparison"):
        assert len(pd.read_csv(finished.results / "runs" / "tiny_mlp" / "s0" / f"{name}.csv")) > 0


def test_every_job_has_a_log_and_a_benchmark(finished):
    logs = {path.relative_to(finished.results / "logs").with_suffix("") for path in files(finished.results, {".log"})}
    folder = finished.results / "benchmarks"
    benchmarks = {path.relative_to(folder).with_suffix("") for path in files(folder, {".tsv"})}
    assert len(benchmarks) >= 10
    assert {path.parts[0] for path in benchmarks} | {"merge_benchmarks"} == {path.parts[0] for path in logs}


def test_files_name_no_folder_of_the_machine_and_no_time(finished):
    for path in files(finished.results, DATA - {".png"}):
        if "benchmarks" not in path.parts:
            assert str(finished.folder).encode() not in path.read_bytes(), path
            assert str(finished.project).encode() not in path.read_bytes(), path


def test_again_nothing_is_to_be_done(finished):
    assert finished.plan().nothing_to_do


def open_report(path, study, run, figure):
    """Look at one figure of a report in a browser without a network; what was asked of a network, or went wrong."""
    browsers = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    wrong = []
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if asked.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.get_by_text("What formed inside the networks").first.wait_for()
        for name in (study, run):
            page.get_by_text(name, exact=True).first.click()
        page.locator("tr").filter(has_text=figure).locator("a, button").first.click()
        page.wait_for_function("[...document.images].some(image => image.naturalWidth > 500)")
        browser.close()
    return wrong


def test_report_holds_figures_with_categories_and_captions(copy):
    said = copy("--report", "report.zip")
    assert said.code == 0, said.text
    with zipfile.ZipFile(copy.folder / "report.zip") as archive:
        archive.extractall(copy.folder)
        names = archive.namelist()
        text = "".join(
            archive.read(name).decode("utf-8", "ignore") for name in names if name.endswith((".html", ".js"))
        )
    assert sum(name.endswith(".png") for name in names) >= 19
    for expected in ("1. Tiny test", "others", "Tables", "heat maps", "metrics", "Triangles mark significant jumps"):
        assert expected in text, expected
    for caption in (
        "Probe samples on the first two principal components",
        "Agreement beyond chance",
        "Layers by steps",
    ):
        assert caption in text, caption
    assert "{%" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).split("captions")[-1]
    if shutil.which("chromium"):
        assert open_report(copy.folder / "report" / "report.html", "1. Tiny test", "tiny_mlp/s0", "heatmap") == []


def test_report_as_one_page(copy):
    said = copy("--report", "report.html")
    assert said.code == 0, said.text
    assert (copy.folder / "report.html").stat().st_size > 500_000


def test_another_threshold_detects_again_and_does_not_train(finished):
    jobs = finished.plan("--config", "analyses={jumps: {threshold: 9}}").jobs
    assert jobs["detect_jumps"] == 1
    assert not TRAINING & set(jobs)


def kept(copy, name):
    """The parts of the job `name` of the run that its log says were kept, and those that were made."""
    log = (copy.results / "logs" / name).read_text()
    return (set(re.findall(rf"INFO (\w+): {word}", log)) for word in ("kept", "made"))


def test_other_clusters_measure_and_draw_only_what_shows_them(copy, finished):
    """Nor do they touch jumps or training."""
    asked = ("--config", "analyses={geometry: {clusters: [2]}}")
    jobs = copy.plan(*asked).jobs
    assert jobs["examine_run"] == 1
    assert not (TRAINING | {"detect_jumps", "plan_captures"}) & set(jobs)
    said = copy("geometry", "results/figures/tiny/tiny_mlp/s0/clusters.png", *asked)
    assert said.code == 0, said.text
    left, made = kept(copy, "examine_run/tiny_mlp/s0.log")
    assert made == {"geometry"}
    assert {"activations", "neurons", "importance", "map", "boundary", "features", "changes"} <= left
    left, made = kept(copy, "plot_examination/tiny/tiny_mlp/s0.log")
    assert {"neurons", "worth", "map", "boundary"} <= left
    assert "shapes" in made
    said = copy("results/runs/tiny_mlp/s0/activations.h5", "--forcerun", "examine_run", *asked)
    assert said.code == 0, said.text
    left, made = kept(copy, "examine_run/tiny_mlp/s0.log")
    assert not left
    again = "runs/tiny_mlp/s0/activations.h5"
    assert (copy.results / again).read_bytes() == (finished.results / again).read_bytes()


def test_other_training_trains(finished):
    jobs = finished.plan("--config", "studies={tiny: {runs: {tiny_mlp: {training: {learning_rate: 0.001}}}}}").jobs
    assert jobs["train_run"] == 1
    assert jobs["detect_jumps"] == 1


def test_another_label_draws_again_and_does_nothing_else(finished):
    jobs = finished.plan("--config", "studies={tiny: {runs: {tiny_mlp: {label: Another}}}}").jobs
    assert "plot_examination" in jobs
    others = {"list_pages", "merge_benchmarks", "compare_changes"}
    assert {job for job in jobs if not job.startswith("plot_")} <= others


def test_deleting_a_figure_makes_only_that_figure(copy):
    (copy.results / "figures" / "tiny" / "tiny_mlp" / "s0" / "variance.png").unlink()
    jobs = copy.plan().jobs
    assert jobs.pop("merge_benchmarks", 1) == 1
    assert jobs == {"plot_examination": 1}
    said = copy()
    assert said.code == 0, said.text
    _, made = kept(copy, "plot_examination/tiny/tiny_mlp/s0.log")
    assert made == {"shapes", "features", "interventions"}
    assert (copy.results / "figures" / "tiny" / "tiny_mlp" / "s0" / "variance.png").exists()


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_touching_code_and_editing_words_plans_nothing(edited):
    library = edited.project / "workflow_scripts" / "ontogeny"
    for path in (edited.project / "workflow_scripts").rglob("*.py"):
        path.touch()
    for path in (edited.project / "rules").glob("*.smk"):
        path.touch()
    (edited.project / "Snakefile").touch()
    for path in (library / "training" / "loop.py", library / "jumps" / "report.py", library / "plotting" / "style.py"):
        path.write_text(path.read_text().replace('"""', '"""Reworded. ', 1) + "\n\n# A remark.\n")
    script = edited.project / "workflow_scripts" / "train_run.py"
    script.write_text("# A remark.\n" + script.read_text())
    assert edited.plan().nothing_to_do


def test_editing_an_analysis_plans_it_and_what_follows_but_no_training(edited):
    path = edited.project / "workflow_scripts" / "ontogeny" / "jumps" / "report.py"
    path.write_text(path.read_text() + "\n_ANOTHER = 1\n")
    jobs = edited.plan().jobs
    assert jobs["detect_jumps"] == 1
    assert jobs["import_phase1"] == 1
    assert not TRAINING & set(jobs)


def test_editing_the_network_trains_again(edited):
    path = edited.project / "workflow_scripts" / "ontogeny" / "models" / "build.py"
    path.write_text(path.read_text() + "\n_ANOTHER = 1\n")
    assert edited.plan().jobs["train_run"] == 1


def test_jobs_use_the_package_beside_the_snakefile(edited, copy):
    path = edited.project / "workflow_scripts" / "ontogeny" / "jumps" / "report.py"
    path.write_text(path.read_text() + "\nraise RuntimeError('this copy')\n")
    copy.project = edited.project
    said = copy("results/runs/tiny_mlp/s0/jumps.csv")
    assert "this copy" in said.text, said.text


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_anywhere_and_run_again_elsewhere_the_files_are_the_same(finished, fresh):
    """A second place, killed while training: a folder that is locked, unlocked, and finished to the same bytes."""
    run = fresh.results / "runs" / "tiny_mlp" / "s0"
    process = subprocess.Popen(
        fresh.command(),
        env=fresh.environment,
        cwd=fresh.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while lines(run / "metrics.jsonl") < 50 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (run / ".resume").is_dir(), "it ended before it could be killed"
    assert not (run / "phase1.json").exists()
    assert kill.half_files(fresh.folder, finished.folder, kill.being_made(fresh.folder)) == []

    targets = ["results/figures/tiny/tiny_mlp/s0/metrics.png"]
    assert fresh("--dry-run", *targets).code == 0
    assert fresh(*targets).refuses("(?i)lock")
    assert fresh("--unlock").code == 0
    said = fresh(*targets)
    assert said.code == 0, said.text
    assert re.search(
        r"continuing at step (40|80)", (fresh.results / "logs" / "train_run" / "tiny_mlp" / "s0.log").read_text()
    )

    made = [path.relative_to(fresh.results) for path in files(fresh.results, DATA)]
    made = [path for path in made if path.parts[0] not in ("logs", "benchmarks")]
    assert {path.suffix for path in made} >= {".json", ".jsonl", ".csv", ".safetensors", ".png"}
    different = [path for path in made if (fresh.results / path).read_bytes() != (finished.results / path).read_bytes()]
    assert not different


def test_record_of_the_run_is_json_of_the_contract(finished):
    record = json.loads((finished.results / "runs" / "tiny_mlp" / "s0" / "phase1.json").read_text())
    assert record["metadata"]["run"] == "tiny_mlp/s0"
    assert record["Linear_0"]["step"] == list(range(111))
