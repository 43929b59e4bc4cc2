"""What distinguishes two runs."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def identity_hash(identity: dict[str, Any]) -> str:
    """Hexadecimal digest of a run's identity: equal settings give equal digests, whatever the order of keys."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
