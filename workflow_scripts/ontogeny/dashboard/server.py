"""Starting the dashboard: Streamlit on this machine only, without telemetry, without opening a browser."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

from ontogeny.errors import OntogenyError

FIRST_PORT = 8501
_APP = Path(__file__).with_name("app.py")


def free_port(first: int = FIRST_PORT, most: int = 100) -> int:
    """The first port from `first` on that nobody listens on. Raises OntogenyError if `most` in a row are taken."""
    for port in range(first, first + most):
        if _is_free(port):
            return port
    raise OntogenyError(f"ports {first} to {first + most - 1} are all taken: name a free one with --port")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def command(results: str | os.PathLike, port: int) -> list[str]:
    """The arguments of Streamlit that show the folder `results` at http://localhost:`port`."""
    options = {
        "server.headless": "true",
        "server.address": "localhost",
        "server.port": str(port),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "theme.base": "light",
        "theme.primaryColor": "#0072B2",
    }
    return [
        "run", str(_APP), *(f"--{name}={value}" for name, value in options.items()), "--",
        str(Path(results).absolute()),
    ]  # fmt: skip


def serve(results: str | os.PathLike = "results", port: int | None = None) -> None:
    """Show a folder of results in a browser until interrupted. Port: the first free one from 8501 on, if not given.

    Raises OntogenyError if Streamlit is not installed, or the port is taken or is none.
    """
    if importlib.util.find_spec("streamlit") is None or importlib.util.find_spec("plotly") is None:
        raise OntogenyError("the dashboard needs Streamlit and plotly: pip install 'ontogeny[dashboard]'")
    if port is not None and not 1 <= port <= 65535:
        raise OntogenyError(f"--port is {port}; it should be from 1 to 65535")
    if port is not None and not _is_free(port):
        raise OntogenyError(f"port {port} cannot be used, something listens there: name another with --port")
    from streamlit.web.cli import main

    main(command(results, port or free_port()), prog_name="streamlit", standalone_mode=False)
