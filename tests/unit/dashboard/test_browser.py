"""The slider of a judge's pages, moved in a headless Chromium, if this machine has one."""

import subprocess
import sys
import time

import pytest

pytest.importorskip("streamlit", reason="the extra `dashboard` is not installed")
from browser import needs_browser, open_browser

from ontogeny.dashboard.server import command, free_port
from ontogeny.files import read_json, write_json

EPOCHS = 50

pytestmark = [pytest.mark.slow, needs_browser]

MOVE = """(async () => {
  const inner = document.querySelector("iframe").contentWindow, page = inner.document;
  const slider = page.getElementById("epoch"), figure = page.getElementById("figure");
  inner.performance.clearResourceTimings();
  const plot = figure.firstElementChild, taken = [], seen = [];
  for (let move = 0; move < 40; move++) {
    slider.value = (7 * move) % EPOCHS;
    const start = performance.now();
    await new Promise(done => {
      figure.once("plotly_afterplot", () => inner.requestAnimationFrame(() => done()));
      slider.dispatchEvent(new inner.Event("input"));
    });
    taken.push(performance.now() - start);
    seen.push(page.getElementById("now").textContent);
  }
  taken.sort((a, b) => a - b);
  return {median: taken[20], worst: taken[39], seen,
          asked: inner.performance.getEntriesByType("resource").length,
          same: plot === figure.firstElementChild};
})()""".replace("EPOCHS", str(EPOCHS))

READY = """(() => {
  const frame = document.querySelector("iframe");
  if (!frame || !frame.contentDocument) return 0;
  const page = frame.contentDocument;
  return page.querySelector("#figure .main-svg") ? Number(page.body.dataset.loaded) : 0;
})()"""


@pytest.fixture(scope="module")
def server(made, tmp_path_factory):
    """The address of a dashboard of one judge with records of 50 epochs."""
    results = tmp_path_factory.mktemp("browser") / "results"
    run = results / "runs" / "judge"
    records = [read_json(path) for path in sorted((made / "runs" / "judge" / "mechanism").glob("epoch_*.json"))]
    for epoch in range(EPOCHS):
        write_json(run / "mechanism" / f"epoch_{epoch}.json", records[epoch % 3] | {"epoch": epoch}, indent=None)
    port = free_port(8601)
    with subprocess.Popen(
        [sys.executable, "-m", "streamlit", *command(results, port)], stdout=subprocess.DEVNULL
    ) as it:
        yield f"http://localhost:{port}"
        it.terminate()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


def test_the_slider_updates_one_figure_and_asks_for_nothing(server, page, record_property):
    page.say("Page.navigate", url=f"{server}/?page=Judge&run=judge")
    page.wait(f"{READY} >= {EPOCHS}")
    time.sleep(1.0)
    found = page.run(MOVE)
    record_property("slider_ms", found)
    print(f"50 epochs: the slider answers after {found['median']:.0f} ms (median), {found['worst']:.0f} ms (worst)")
    assert found["same"]
    assert found["asked"] == 0
    assert found["seen"] == [str((7 * move) % EPOCHS) for move in range(40)]
