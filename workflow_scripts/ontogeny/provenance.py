"""Which code and which libraries produced a result."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

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
