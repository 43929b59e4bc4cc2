"""Starting the dashboard, and looking at it in a browser."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from ontogeny.cli import main
from ontogeny.dashboard import server
from ontogeny.errors import OntogenyError

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


def test_without_streamlit_it_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    assert main(["dashboard"]) == 1
    assert capsys.readouterr().err == (
        "ontogeny: the dashboard needs Streamlit and plotly: pip install 'ontogeny[dashboard]'\n"
    )


def test_a_port_that_cannot_be_used_is_one_sentence(tmp_path):
    pytest.importorskip("streamlit", reason="the extra `dashboard` is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OntogenyError, match=f"port {port} cannot be used"):
            server.serve(tmp_path, port)
        assert server.free_port(port) != port
    with pytest.raises(OntogenyError, match="from 1 to 65535"):
        server.serve(tmp_path, 0)


def test_it_stays_on_this_machine_and_tells_nobody(tmp_path):
    words = server.command(tmp_path, 8501)
    assert "--server.address=localhost" in words
    assert "--browser.gatherUsageStats=false" in words
    assert "--server.headless=true" in words
    assert words[-1] == str(tmp_path)


@pytest.fixture(scope="module")
def served(made):
    pytest.importorskip("streamlit", reason="the extra `dashboard` is not installed")
    port = server.free_port(8700)
    command = [sys.executable, "-m", "ontogeny.cli", "dashboard", str(made), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).read()
                break
            except OSError:
                assert process.poll() is None, process.stdout.read().decode()
                time.sleep(0.1)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


class Browser:
    """A headless Chromium, driven by its own protocol."""

    def __init__(self, profile):
        from websockets.sync.client import connect

        self.process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1400",
             f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = self.until(lambda: (profile / "DevToolsActivePort").read_text().split()[0])
        pages = self.until(lambda: json.load(urllib.request.urlopen(f"http://localhost:{port}/json/list", timeout=2)))
        url = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self.socket = connect(url, max_size=None)
        self.count = 0

    def until(self, look, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if found := look():
                    return found
            except (OSError, IndexError):
                assert self.process.poll() is None
            time.sleep(0.1)
        raise AssertionError("nothing came in time")

    def ask(self, method, **parameters):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv(timeout=60))).get("id") != self.count:
            pass
        return answer["result"]

    def value(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(10)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is installed")
def test_a_browser_draws_every_page(served, tmp_path):
    browser = Browser(tmp_path)
    try:
        for page in ("Overview", "Judge", "Dynamics", "Circuits", "Connectome", "Live"):
            browser.ask("Page.navigate", url=f"{served}/?page={page}")
            drawn = ".main-svg .trace, .main-svg .hm" if page != "Overview" else "[data-testid=stDataFrame] canvas"
            count = "[...document.querySelectorAll('iframe')].map(each => each.contentDocument).concat(document)"
            count += f".reduce((sum, page) => sum + (page ? page.querySelectorAll({drawn!r}).length : 0), 0)"
            browser.until(lambda count=count: browser.value(count))
            assert not browser.value("document.querySelectorAll('[data-testid=stException]').length")
            assert not browser.value("document.querySelectorAll('[data-testid=stAlert]').length")
            assert "alert(1)" not in browser.value("[...document.scripts].map(script => script.text).join()")
            picture = base64.b64decode(browser.ask("Page.captureScreenshot")["data"])
            assert len(picture) > 20_000
    finally:
        browser.close()
