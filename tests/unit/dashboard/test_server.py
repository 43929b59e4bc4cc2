"""Starting the dashboard, and looking at it in a browser."""

import base64
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from browser import needs_browser, open_browser

from ontogeny.cli import main
from ontogeny.dashboard import server
from ontogeny.errors import OntogenyError


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


@pytest.mark.slow
@needs_browser
def test_a_browser_draws_every_page(served, tmp_path):
    with open_browser(tmp_path) as browser:
        for page in ("Overview", "Judge", "Dynamics", "Circuits", "Connectome", "Live"):
            browser.say("Page.navigate", url=f"{served}/?page={page}")
            drawn = ".main-svg .trace, .main-svg .hm" if page != "Overview" else "[data-testid=stDataFrame] canvas"
            count = "[...document.querySelectorAll('iframe')].map(each => each.contentDocument).concat(document)"
            count += f".reduce((sum, page) => sum + (page ? page.querySelectorAll({drawn!r}).length : 0), 0)"
            browser.wait(count, 60)
            assert not browser.run("document.querySelectorAll('[data-testid=stException]').length")
            assert not browser.run("document.querySelectorAll('[data-testid=stAlert]').length")
            assert "alert(1)" not in browser.run("[...document.scripts].map(script => script.text).join()")
            picture = base64.b64decode(browser.say("Page.captureScreenshot")["data"])
            assert len(picture) > 20_000
