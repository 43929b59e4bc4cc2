"""Where the checkpoints of a series lie on the disk. Needs no PyTorch, so that a plan can name them."""

from __future__ import annotations

import re
from pathlib import Path

from ontogeny.errors import OntogenyError

_NAMES = ("step_{step}.safetensors", "checkpoint-{step}", "step_{step}.pt", "step_{step}", "step{step}",
          "epoch=*-step={step}.ckpt", "*step={step}.ckpt", "checkpoint_{step}.pt")  # fmt: skip


def found(path: str) -> dict[int, Path]:
    """Steps and places of the checkpoints of `path`: a folder, or names with `{step}` for the step.

    Raises OntogenyError if there is no such folder, or nothing in it is called like a checkpoint.
    """
    if "{step}" in path:
        return _matching(path)
    folder = Path(path)
    if not folder.is_dir():
        raise OntogenyError(
            f"{path} is not a folder of checkpoints, and does not say with {{step}} where the step stands"
        )
    for name in _NAMES:
        places = _matching(str(folder / name))
        if places:
            return places
    inside = ", ".join(sorted(each.name for each in folder.iterdir())[:4]) or "nothing"
    raise OntogenyError(f"{path} holds {inside}: say with {{step}} where the step stands in the names")


def _matching(path: str) -> dict[int, Path]:
    """Steps and paths of what matches a path with `{step}`, and perhaps `*`."""
    parts = Path(path).parts
    depth = next(place for place, part in enumerate(parts) if "{step}" in part)
    root = Path(*parts[:depth]) if depth else Path()
    pattern = re.compile(re.escape(str(Path(*parts[depth:]))).replace(r"\{step\}", r"0*(\d+)").replace(r"\*", "[^/]*"))
    glob = "/".join(parts[depth:]).replace("{step}", "*")
    places: dict[int, Path] = {}
    for each in sorted(root.glob(re.sub(r"\*+", "*", glob))) if root.is_dir() else ():
        match = pattern.fullmatch(str(each.relative_to(root)))
        if match:
            step = int(match[1])
            if step in places:
                raise OntogenyError(f"{places[step]} and {each} are both of step {step}: name them more exactly")
            places[step] = each
    return places
