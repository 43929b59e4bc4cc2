"""Starting the dashboard, and looking at it in a browser."""

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


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is installed")
@pytest.mark.parametrize("page", ["Overview", "Judge", "Dynamics", "Circuits", "Connectome", "Live"])
def test_a_browser_draws_the_page(served, tmp_path, page):
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1400",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom",
        f"{served}/?page={page}",
    ]  # fmt: skip
    found = subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode()
    assert "<h2" in found
    assert "stAlert" not in found
    assert "stException" not in found
    if page != "Overview":
        assert "main-svg" in found
    assert "<script>alert" not in found
