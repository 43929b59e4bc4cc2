"""Checkpoints: all that decides a network's next training step, in safetensors files that prove their own integrity.

A file holds named tensors (`model.*`, `optimizer.*`, `rng.*`) and one metadata string: JSON with the step, the data
position, the identity of the run, and a digest over everything. A flipped byte anywhere is found on reading.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.files import write_bytes

FORMAT = "ontogeny-checkpoint/1"
_NAME = re.compile(r"step_(\d{8,})\.safetensors")


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (first 32 hexadecimal digits) over names, types, shapes and bytes of `tensors`, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()[:32]


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of a network, without the parameters that are frozen."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: whole(tensor) for name, tensor in model.state_dict().items() if name not in frozen}


def whole(tensor: Tensor) -> Tensor:
    """A tensor whose parts several processes hold, put together in each of them; any other as it is."""
    put_together = getattr(tensor, "full_tensor", None)
    return tensor if put_together is None else put_together()


def weights_digest(model: nn.Module) -> str:
    """Digest of a network's trained parameters and its buffers: equal exactly when they are equal bit for bit."""
    return tensors_digest(trained_state(model))


@checks_arguments
def checkpoint_path(folder: str | os.PathLike, step: int) -> Path:
    """Where the checkpoint of `step` lies in `folder`."""
    return Path(folder) / f"step_{step:08d}.safetensors"


@checks_arguments
def checkpoint_steps(folder: str | os.PathLike) -> list[int]:
    """The steps of all checkpoints in `folder`, ascending; empty if there is no such folder."""
    folder = Path(folder)
    names = (_NAME.fullmatch(path.name) for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(int(match[1]) for match in names if match)


@checks_arguments
def save_checkpoint(path: str | os.PathLike, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write `tensors` and `meta` (JSON types) to `path`, whole or not at all; equal content gives equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    meta = {**meta, "format": FORMAT}
    stored = {"meta": meta, "digest": _checksum(tensors, meta)}
    write_bytes(path, save_safetensors(tensors, metadata={"ontogeny": json.dumps(stored, sort_keys=True)}))


@checks_arguments
def load_checkpoint(path: str | os.PathLike, identity: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read `(tensors, meta)` from a checkpoint.

    Raises OntogenyError if the file is missing, is damaged, or belongs to a run of another `identity`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OntogenyError(f"{path} cannot be read: {error.strerror}") from None
    damaged = OntogenyError(
        f"{path} is damaged: its content does not match its digest; delete it and train the run again"
    )
    try:
        length = int.from_bytes(data[:8], "little")
        stored = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["ontogeny"])
        tensors = load_safetensors(data)
        meta, digest = stored["meta"], stored["digest"]
        intact = digest == _checksum(tensors, meta)
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError, MemoryError, OverflowError):
        raise damaged from None
    if not intact:
        raise damaged
    if meta.get("format") != FORMAT:
        raise OntogenyError(f"{path} has format {meta.get('format')!r}; this version reads {FORMAT!r}")
    if identity is not None and meta.get("identity") != identity:
        raise OntogenyError(f"{path} belongs to a run with other settings; delete it, or ask for that run")
    return tensors, meta


def _checksum(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    text = json.dumps(meta, sort_keys=True) + tensors_digest(tensors)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
