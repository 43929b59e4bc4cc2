"""The documentation does what it says: its Python runs, its commands are understood, its links lead somewhere.

A `yaml` block whose first line is a comment with a file name is that file. Where a page's Python reads
`results/runs/...`, the runs of the page's configurations are trained first, as the commands on the page would.
"""

import contextlib
import re
import shlex
from pathlib import Path

import pytest
import yaml

from ontogeny.cli import main
from ontogeny.config import load_config, read_config, runs_of

from .warm import snakemake

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("compiled")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
KNOWN = ("snakemake", "ontogeny", "git", "cd", "python3", ".venv/bin/pip", ".venv/bin/pytest", "source", "export")


def name_of(page):
    return page.relative_to(ROOT / "docs").as_posix()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def files_of(page):
    """The configurations that a page asks its reader to save, by file name."""
    found = {}
    for block in blocks(page, "yaml"):
        name = re.match(r"# (\S+\.yaml)\n", block)
        if name:
            found[name[1]] = block
    return found


def commands(page):
    """Every command of the page's bash blocks, comments left out, lines that go on joined."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def prepare(folder, page):
    """A working folder as the reader of `page` has it."""
    for name in ("resources", "tests", "configs", "config.yaml"):
        (folder / name).symlink_to(ROOT / name)
    for name, text in files_of(page).items() if page else ():
        (folder / name).write_text(text, encoding="utf-8")
        if "lines.txt" in text:
            (folder / "lines.txt").write_text("The first sample.\nThe second sample.\n", encoding="utf-8")
    return folder


def train_runs(folder, page):
    """What `snakemake jumps` leaves of the runs that the page's configurations declare."""
    from ontogeny.jumps.report import find_jumps, write_jumps
    from ontogeny.phase1 import read_phase1
    from ontogeny.training.loop import train

    for name in files_of(page):
        for run in runs_of(read_config(folder / name)).values():
            if run.kind == "dynamics":
                place = folder / "results" / "runs" / run.name
                train(run.identity(), place, run.name)
                report = find_jumps(read_phase1(place / "phase1.json").frame)
                write_jumps(report, place / "jumps.json", place / "jumps.csv")


def train_ensemble_at(path):
    """A small ensemble where a page's command reads one."""
    from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

    path.parent.mkdir(parents=True, exist_ok=True)
    train_ensemble(EnsembleSettings(n_samples_train=100), range(3)).save(path)


@contextlib.contextmanager
def registries_kept():
    """Undo what a page adds to the registries."""
    from ontogeny.jumps import DETECTORS
    from ontogeny.models import MODELS
    from ontogeny.tasks import IMAGE_SETS
    from ontogeny.tracking import METRICS

    before = [(registry, dict(registry)) for registry in (DETECTORS, MODELS, IMAGE_SETS, METRICS)]
    try:
        yield
    finally:
        for registry, entries in before:
            registry.clear()
            registry.update(entries)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(prepare(tmp_path, page))
    source = blocks(page, "python")
    if any("results/runs/" in block for block in source):
        train_runs(tmp_path, page)
    names = {"__name__": "__main__"}
    with registries_kept():
        for number, block in enumerate(source, 1):
            exec(compile(block, f"{name_of(page)}, block {number}", "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "bash")], ids=name_of)
def test_commands_are_known(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(prepare(tmp_path, page))
    if any(words[:2] == ["ontogeny", "show"] for words in commands(page)):
        train_runs(tmp_path, page)
    for words in commands(page):
        for file in [word for word in words if word.endswith("/ensemble.safetensors")]:
            train_ensemble_at(Path(file))
        assert words[0] in KNOWN, f"{name_of(page)} uses {words[0]}"
        if words[0] == "ontogeny":
            code = main(words[1:])
            doubted = words[1] == "verify" and "no record" in (said := capsys.readouterr()).out + said.err
            assert code == doubted, f"{shlex.join(words)}: {capsys.readouterr().err}"


@pytest.mark.slow
def test_snakemake_commands_plan(tmp_path):
    """All arguments are known to Snakemake, and all targets are planned: one plan for each configuration."""
    from snakemake.cli import parse_args

    wanted = {}
    for page in PAGES:
        for words in commands(page):
            if words[0] == "snakemake":
                given = parse_args(words[1:])[1]
                files, changes = tuple(map(str, given.configfile or [])), given.config or []
                key = (page if (files or changes) and files_of(page) else None, files, bool(changes))
                all_changes, targets = wanted.setdefault(key, (set(), set()))
                all_changes.update(changes)
                targets.update(given.targets or ["all"])
    wrong = []
    for number, ((page, files, _), (changes, targets)) in enumerate(wanted.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        prepare(folder, page)
        command = ["-s", str(ROOT / "Snakefile"), "-n", "--quiet", "--cores", "1"]
        command += [*(["--configfile", *files] if files else []), *(["--config", *sorted(changes)] if changes else [])]
        command += ["--", *sorted(targets)]
        status, said, _ = snakemake(*command, folder=folder)
        if status:
            wrong.append(f"{shlex.join(command)}\n{said[-1600:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=name_of)
def test_settings_are_valid(page):
    for block in blocks(page, "yaml"):
        load_config(yaml.safe_load(block))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            found = page if not file else page.parent / file
            assert found.exists(), f"{name_of(page)} links to {target}"
            if anchor:
                assert anchor in anchors(found), f"{name_of(page)} links to {target}"


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
