"""The documentation site builds without a network, holds every page, and documents every public name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [str(Path(sys.executable).with_name("mkdocs")), "build", "--strict", "--site-dir", str(folder)]
    # No proxy answers at this address: whatever asks the network fails.
    offline = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "https_proxy": "http://127.0.0.1:9",
        "NO_MKDOCS_2_WARNING": "1",
    }
    done = subprocess.run(command, cwd=ROOT, env=offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_navigation_and_on_the_index(site):
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    nav = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert sorted(nav) == sorted(pages)
    linked = set(re.findall(r"\]\(([^)#]+\.md)", (ROOT / "docs" / "index.md").read_text()))
    assert pages - linked == {"index.md"}
    for page in pages - {"index.md"}:
        assert (site / page.removesuffix(".md") / "index.html").exists()


def test_every_public_name_is_documented(site):
    from importlib import import_module

    text = (site / "reference" / "api" / "index.html").read_text()
    for package in re.findall(r"^::: (\S+)$", (ROOT / "docs" / "reference" / "api.md").read_text(), flags=re.MULTILINE):
        missing = [name for name in import_module(package).__all__ if f'id="{package}.{name}"' not in text]
        assert missing in ([], ["__version__"]), f"{package}: {missing}"


def test_pages_ask_nothing_of_other_sites(site):
    page = (site / "index.html").read_text()
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?://(?!ontogeny-pipeline)[^"]+"', page)


def test_habits_are_valid():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    from ontogeny import __version__

    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == __version__
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1]["run"] == ".ci/run"
    assert (ROOT / ".ci" / "run").exists()
    tested = set(job["strategy"]["matrix"]["python-version"])
    stated = set(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text()))
    assert tested == stated
    assert yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
