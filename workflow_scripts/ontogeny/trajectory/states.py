"""Weights in the files of other programs, read tensor by tensor, without running any code that a file may hold."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ontogeny.errors import OntogenyError, first_line

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WHOLE = ("model.safetensors", "pytorch_model.bin")
PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".tar")
_OPTIMISER = re.compile(r"optimi[sz]er|^optim\.|^state$|param_groups|exp_avg|scheduler|^rng")
_KEYS = ("state_dict", "model_state_dict", "model", "module", "weights", "net")
_WRAPPERS = re.compile(r"(?:_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod)\.")

Held = TypeVar("Held")

_TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
          "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
          "BOOL": torch.bool}  # fmt: skip


def bare_name(name: str) -> str:
    """The name of a tensor without what PyTorch's wrappers (FSDP, `torch.compile`, checkpointing) put into it.

    >>> bare_name("_orig_mod.block._fsdp_wrapped_module.weight")
    'block.weight'
    """
    return _WRAPPERS.sub("", name)


def _bare(held: Mapping[str, Held]) -> dict[str, Held]:
    bare = {bare_name(name): value for name, value in held.items()}
    return bare if len(bare) == len(held) else dict(held)


class State(Mapping[str, Tensor]):
    """The weights in one or several files, by `bare_name`; a tensor is read when it is asked for, and not kept."""

    def __init__(self, where: Mapping[str, tuple[Path, str]], loaded: Mapping[str, Tensor], files: list[Path]) -> None:
        self._where, self._loaded, self.files = _bare(where), _bare(loaded), files
        self._open: dict[Path, tuple[int, dict[str, Any]]] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name in self._loaded:
            return self._loaded[name]
        path, key = self._where[name]
        try:
            if path not in self._open:
                self._open[path] = _header(path)
            start, entries = self._open[path]
            kind = _TYPES.get(entries[key]["dtype"])
            if kind is not None:
                return _read(path, kind, entries[key], start)
            with safe_open(path, framework="pt", device="cpu") as file:
                return file.get_tensor(key)
        except (SafetensorError, OSError) as error:
            raise OntogenyError(f"{path} is damaged: {first_line(error)}") from None

    def __iter__(self) -> Iterator[str]:
        yield from self._where
        yield from self._loaded

    def __len__(self) -> int:
        return len(self._where) + len(self._loaded)


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Where the numbers begin in a file of safetensors, and type, shape and place of every tensor."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return 8 + size, json.loads(file.read(size))


def _read(path: Path, kind: torch.dtype, entry: Mapping[str, Any], start: int) -> Tensor:
    """A tensor in memory of its own: pages of a file that is mapped would count as this process's."""
    tensor = torch.empty(entry["shape"], dtype=kind)
    if not tensor.numel():
        return tensor
    begin, end = entry["data_offsets"]
    with path.open("rb", buffering=0) as file:
        file.seek(start + begin)
        place = tensor.reshape(-1).view(torch.uint8).numpy().data
        while place:
            read = file.readinto(place)
            if not read:
                raise OSError(f"{end - begin} bytes are expected, and the file ends before")
            place = place[read:]
    return tensor


def open_state(path: Path, key: str | None = None) -> State:
    """The weights at `path`: a file, or a folder with one file, or with an index and its shards.

    Raises OntogenyError for a file that is missing, damaged, needs more than weights to be unpickled, or holds none.
    """
    if path.is_dir():
        return _open_folder(path, key)
    if not path.is_file():
        raise OntogenyError(f"{path} does not exist")
    if path.name.endswith(".index.json"):
        return _open_index(path, key)
    if path.suffix == ".safetensors":
        return _open_safetensors(path, key)
    if path.suffix in PICKLED:
        return State({}, _unpickled(path, key), [path])
    raise OntogenyError(
        f"{path} is not a checkpoint: .safetensors, {', '.join(PICKLED)} and folders of them can be read"
    )


def _open_folder(folder: Path, key: str | None) -> State:
    for name in INDEXES:
        if (folder / name).is_file():
            return _open_index(folder / name, key)
    for name in WHOLE:
        if (folder / name).is_file():
            return open_state(folder / name, key)
    found = [path for path in sorted(folder.iterdir()) if path.suffix in (".safetensors", *PICKLED)]
    found = [path for path in found if not _OPTIMISER.search(path.stem) and path.stem not in ("training_args",)]
    if len(found) == 1:
        return open_state(found[0], key)
    if not found and any(_OPTIMISER.search(path.stem) for path in folder.iterdir()):
        raise OntogenyError(f"{folder} holds the state of the optimiser only, and no weights")
    listed = ", ".join(path.name for path in found[:4]) or "none"
    raise OntogenyError(f"{folder} should hold one file of weights, or an index of shards; it holds {listed}")


def _open_index(index: Path, key: str | None) -> State:
    try:
        shards: dict[str, str] = json.loads(index.read_text())["weight_map"]
    except (OSError, ValueError, KeyError) as error:
        raise OntogenyError(f"{index} is not an index of shards: {error}") from None
    names = list(dict.fromkeys(shards.values()))
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise OntogenyError(f"{index.parent} lacks the shard {missing[0]}, which its index names")
    files = [index.parent / name for name in names]
    if all(path.suffix == ".safetensors" for path in files):
        parts = {path: set(_open_safetensors(path)) for path in files}
        lacking = [name for name, shard in shards.items() if name not in parts[index.parent / shard]]
        if lacking:
            raise OntogenyError(
                f"{index.parent / shards[lacking[0]]} lacks {lacking[0]}, which its index says it holds"
            )
        where = {name: (index.parent / shard, name) for name, shard in shards.items()}
        return State(_under(where, index, key), {}, files)
    loaded: dict[str, Tensor] = {}
    for path in files:
        loaded |= _unpickled(path, key)
    return State({}, loaded, files)


def _open_safetensors(path: Path, key: str | None = None) -> State:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names, ours = list(file.keys()), "ontogeny" in (file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise OntogenyError(f"{path} is damaged: {first_line(error)}") from None
    if ours:
        return State({name[6:]: (path, name) for name in names if name.startswith("model.")}, {}, [path])
    if names and all(_OPTIMISER.search(name) for name in names):
        raise OntogenyError(f"{path} holds the state of the optimiser only, and no weights")
    return State(_under({name: (path, name) for name in names}, path, key), {}, [path])


def _under(held: Mapping[str, Held], path: Path, key: str | None) -> dict[str, Held]:
    """What stands under a key, as the beginning of its names, without that beginning."""
    if key is None:
        return dict(held)
    found = {name[len(key) + 1 :]: value for name, value in held.items() if str(name).startswith(f"{key}.")}
    if not found:
        raise OntogenyError(f"{path} has nothing under the key '{key}'")
    return found


def _unpickled(path: Path, key: str | None) -> dict[str, Tensor]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError:
        raise OntogenyError(
            f"{path} needs more than weights to be unpickled, which could run any code: save it again as safetensors, "
            "with safetensors.torch.save_file(model.state_dict(), ...)"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        if not path.stat().st_size:
            raise OntogenyError(f"{path} is empty") from None
        try:
            held = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            why = f": {first_line(error)}" if is_zipfile(path) else ""
            raise OntogenyError(f"{path} is damaged or not a checkpoint{why}") from None
    return _weights(held, path, key)


def _weights(held: Any, path: Path, key: str | None) -> dict[str, Tensor]:
    if key is not None:
        parts = key.split(".")
        while parts and isinstance(held, Mapping) and parts[0] in held:
            held = held[parts.pop(0)]
        if parts:
            held = _under(held if isinstance(held, Mapping) else {}, path, ".".join(parts))
    elif isinstance(held, Mapping):
        inside = [name for name, value in held.items() if _holds_tensors(value) and not _OPTIMISER.search(str(name))]
        known = [name for name in _KEYS if name in inside]
        if known:
            held = held[known[0]]
        elif inside:
            raise OntogenyError(f"{path} holds tensors under {' and '.join(map(str, inside))}: name those of the "
                                "network as source.key")  # fmt: skip
    found = (
        {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
        if isinstance(held, Mapping)
        else {}
    )
    if not found or all(_OPTIMISER.search(name) for name in found):
        what = "the state of the optimiser only, and no weights" if _mentions_optimiser(held) else "no named weights"
        raise OntogenyError(f"{path} holds {what}; name the key of the weights, if they are there, as source.key")
    return found


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(each, Tensor) for each in value.values())


def _mentions_optimiser(held: Any) -> bool:
    return isinstance(held, Mapping) and any(_OPTIMISER.search(str(name)) for name in held)
