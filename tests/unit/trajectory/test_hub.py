"""A series of revisions of a repository, fetched by the hub's own client from a server of the test's own."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

CODE = """
import json, torch
from safetensors.torch import save_file
from ontogeny import CheckpointSeries
from ontogeny.errors import OntogenyError

settings = {"hub": "somebody/network"}
network, probe = {"model": {"name": "mlp", "hidden": [4]}}, {"file": "probe.npz"}
series = CheckpointSeries(source={**settings, "cache_limit": 1e-6}, network=network, probe=probe)
told = {"steps": series.steps, "problems": series.check().problems}
told["kept"] = sorted(path.parent.name for path in series.cache_dir.rglob(".whole"))
told["weights"] = [float(model.model.network[0].bias[0]) for _, model in series.walk(series.steps)]
try:
    CheckpointSeries(source={**settings, "steps": [0, 7]}, network=network, probe=probe).at(7)
except OntogenyError as error:
    told["lacking"] = str(error)
print(json.dumps(told))
"""


def serve(folder: Path) -> ThreadingHTTPServer:
    """The files below `folder`, a folder per revision, as the hub's interface gives them."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            parts = unquote(self.path).split("?")[0].strip("/").split("/")
            asked.append("/".join(parts))
            if parts[:2] == ["api", "models"] and parts[4:] == ["refs"]:
                names = [each.name for each in folder.iterdir()]
                refs = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": name} for name in names]
                self.answer(json.dumps({"branches": refs, "converts": [], "tags": []}).encode())
            elif parts[:2] == ["api", "models"] and parts[4:5] == ["tree"] and (folder / parts[5]).is_dir():
                files = [
                    {"type": "file", "path": each.name, "size": each.stat().st_size, "oid": each.name}
                    for each in (folder / parts[5]).iterdir()
                ]
                self.answer(json.dumps(files).encode())
            elif parts[:2] == ["api", "models"] and (folder / parts[-1]).is_dir():
                files = [{"rfilename": each.name} for each in (folder / parts[-1]).iterdir()]
                self.answer(json.dumps({"id": "somebody/network", "sha": parts[-1], "siblings": files}).encode())
            elif parts[2:3] == ["resolve"] and (folder / parts[3] / parts[4]).is_file():
                body = (folder / parts[3] / parts[4]).read_bytes()
                self.answer(body, ETag=f'"{parts[3]}-{parts[4]}"', X_Repo_Commit=parts[3])
            else:
                self.answer(b"{}", 404, X_Error_Code="RevisionNotFound")

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_revisions_are_listed_fetched_measured_and_dropped(tmp_path):
    pytest.importorskip("huggingface_hub")
    import numpy as np
    import torch
    from safetensors.torch import save_file

    from ontogeny.models import build_model

    inputs = np.random.default_rng(0).random((12, 5), np.float32)
    np.savez(tmp_path / "probe.npz", inputs=inputs, labels=np.arange(12) % 3)
    for step in (0, 1, 10):
        place = tmp_path / "repository" / f"step{step}"
        place.mkdir(parents=True)
        state = build_model("mlp", (5,), 3, step, hidden=[4]).state_dict()
        state["network.0.bias"] = torch.full((4,), float(step)) + torch.arange(4) / 10
        save_file(state, place / "model.safetensors")
        (place / "config.json").write_text("{}")
        (place / "README.md").write_text("not wanted")
    (tmp_path / "repository" / "main").mkdir()
    server = serve(tmp_path / "repository")
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        settings = {
            "HF_ENDPOINT": address,
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            "HF_HOME": str(tmp_path / "home"),
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE], cwd=tmp_path, env={**os.environ, **settings}, capture_output=True, text=True
        )
    finally:
        server.shutdown()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["steps"] == [0, 1, 10]
    assert told["problems"] == {}
    assert told["kept"] == ["step_10"], "the disk limit holds one revision"
    assert told["weights"] == pytest.approx([0, 1, 10])
    assert "revision step7 of somebody/network cannot be fetched" in told["lacking"]
    assert not any("README" in path for path in server.asked)
