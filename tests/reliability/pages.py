"""Put markup and scripts wherever a person may write text, make every page, and see what a browser does with them.

    python tests/reliability/pages.py FOLDER

Works in FOLDER: the smoke configuration with markup, scripts and TeX in the titles of studies, the labels of runs, the
prompts of the judge, their sources and the name of their file, finished as far as its pages. No page may hold one of
these texts unescaped, and each is opened in Chromium, if playwright is there, where no script of ours may have run.
Exits with 1 if one did.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))

import kill

SCRIPT = '<script>document.title="owned";window.owned=1</script>'
IMAGE = "<img src=x onerror=\"window.owned=1;document.title='owned'\">"
EVIL = f"\"'></title>{SCRIPT}{IMAGE}<svg onload=window.owned=1> {{{{ 7 * 7 }}}} %s $\\frac{{ \\input{{x}} &lt;"
CHROMIUM = "/usr/bin/chromium"
PAGES = [
    f"results/pages/{name}"
    for name in (
        "digits/smoke_vit/s0.html", "xor/smoke_xor_l1.html", "wiring/search.html", "index.html",
        "smoke_judge/s0/training_visualizations",
    )
]  # fmt: skip
"""One page of every kind, and all of the judge."""


def configuration(folder: Path) -> Path:
    """The smoke configuration with hostile texts, and a file of prompts that are."""
    config = yaml.safe_load((kill.ROOT / kill.SMOKE).read_text())
    for study in config["studies"].values():
        study["title"] = f"title {EVIL}"
        study["runs"] = {name: {**(run or {}), "label": f"{name} {EVIL}"} for name, run in study["runs"].items()}
    records = config["phase1_imports"]["published"]
    config["phase1_imports"]["published"] = {"records": [str(kill.ROOT / records)], "title": f"title {EVIL}"}
    prompts = folder / "a<b onclick=x>'&.csv"
    rng, words = random.Random(0), ["please", "tell", "me", "how", "to", "bake", "fix", "write", "read", "rivers"]
    with open(prompts, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["prompt", "label", "source", "pair"])
        for pair in range(200):
            said, source = " ".join(rng.choices(words, k=6)), f"source {pair % 3} {EVIL}"
            table.writerow([f"{said} flour {EVIL}", "safe", source, pair])
            table.writerow([f"{said} poison {EVIL}", "unsafe", source, pair])
    config["studies"]["judge"]["runs"]["smoke_judge"]["task"]["prompts"] = str(prompts)
    path = folder / "hostile.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def unescaped(pages: list[Path]) -> list[str]:
    """Pages in which a hostile text stands as it was given."""
    return [str(page) for page in pages if any(text in page.read_text() for text in (SCRIPT, IMAGE, "<svg onload"))]


def run_in_a_browser(pages: list[Path]) -> tuple[int, list[str]]:
    """How many pages were opened, and in which of them a hostile script ran."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return 0, []
    ran = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page()
        for page in pages:
            view.goto(page.resolve().as_uri(), wait_until="load")
            if view.evaluate("window.owned === 1") or view.title() == "owned":
                ran.append(str(page))
        browser.close()
    return len(pages), ran


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    said = kill.call(folder, str(configuration(folder)), *PAGES)
    if said.returncode:
        print(said.stdout[-3000:])
        return 1
    pages = sorted((folder / "results").rglob("*.html"))
    raw = unescaped(pages)
    opened, ran = run_in_a_browser(pages)
    print(f"{len(pages)} pages, {len(raw)} with unescaped text; {opened} opened in a browser, {len(ran)} ran a script")
    print(*raw, *ran, sep="\n")
    return 1 if raw or ran else 0


if __name__ == "__main__":
    sys.exit(main())
