"""A headless Chromium, if this machine has one, driven by the DevTools protocol."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

COMMANDS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell", "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)  # fmt: skip


def _browser():
    """The first browser that speaks the protocol: the one named in CHROME_PATH, installed, or brought by Playwright."""
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    brought = sorted(map(str, cache.glob("chromium*/chrome-linux*/*chrome*")), reverse=True)
    candidates = filter(None, [os.environ.get("CHROME_PATH"), *COMMANDS, *brought])
    return next(filter(None, map(shutil.which, candidates)), None)


BROWSER = _browser()

needs_browser = pytest.mark.skipif(
    BROWSER is None,
    reason="no Chromium or Chrome here: apt-get install chromium, or set CHROME_PATH",
)


class Page:
    """A page of a browser. heard: the events that it sent."""

    def __init__(self, address):
        self.socket, self.number, self.heard = connect(address, max_size=None), 0, []

    def say(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv(timeout=120))
            if "method" in answer:
                self.heard.append(answer)
            elif answer["id"] == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, code):
        found = self.say("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, code, seconds=120):
        """What `code` gives as soon as that is true."""
        until = time.monotonic() + seconds
        while not (found := self.run(code)):
            assert time.monotonic() < until, code
            time.sleep(0.1)
        return found


@contextmanager
def open_browser(profile):
    """A page of a browser whose files lie in the folder `profile`."""
    assert BROWSER, "no Chromium or Chrome: apt-get install chromium, or set CHROME_PATH"
    arguments = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1400,1300",
        f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    with subprocess.Popen([BROWSER, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as it:
        try:
            port = next(match[1] for line in it.stderr if (match := re.search(r"ws://[^:]+:(\d+)/", line)))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                address = next(one for one in json.load(answer) if one["type"] == "page")["webSocketDebuggerUrl"]
            yield Page(address)
        finally:
            it.terminate()
