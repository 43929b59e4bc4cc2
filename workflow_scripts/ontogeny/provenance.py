"""Which code and which libraries produced a result."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

logger = logging.getLogger("ontogeny")

_LIBRARIES = ("torch", "numpy", "scikit-learn", "scipy")


@cache
def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that affect numbers, and the machine type."""
    from ontogeny import __version__

    found = {"ontogeny": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "absent"
    return {**found, "machine": platform.machine()}


def bits(identity: str, code: str, data: Any, threads: int = 1) -> dict[str, Any]:
    """What decides the bits of a training: what an attempt may be continued with. JSON types.

    identity: digest of its settings. code: digest of the code. data: anything that names the data.
    """
    made = {name: version for name, version in versions().items() if name != "ontogeny"}
    return {"settings": identity, "code": code, "data": data, "threads": threads, **made}


def set_aside(state: Path, kept: Any, now: dict[str, Any]) -> None:
    """Move what an attempt left in `state` to a sibling, and say why: `kept`, its `bits`, are no longer those `now`."""
    kept = kept if isinstance(kept, dict) else {}
    differ = [name for name in now if kept.get(name) != now[name]]
    told = [name if len(f"{now[name]}") > 20 else f"{name} ({kept.get(name)}, now {now[name]})" for name in differ]
    aside = state.with_name(f"{state.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    os.replace(state, aside)
    logger.warning(
        "an attempt that was interrupted had other %s: it is set aside in %s until this training is done, which starts "
        "anew", ", ".join(told) or "files", aside,
    )  # fmt: skip


def discard(state: Path) -> None:
    """Remove the state of a training that is done, and what was set aside for it."""
    shutil.rmtree(state)
    shutil.rmtree(state.with_name(f"{state.name}.old"), ignore_errors=True)


@cache
def revision() -> str | None:
    """The revision of the source (`git describe --always --dirty`), or None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
