"""Training one run in several processes, which share its weights and batches (see `ontogeny.trajectory.sharded`)."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from ontogeny.errors import OntogenyError
from ontogeny.training.loop import train
from ontogeny.trajectory.prompts import PRETRAINED, pretrain


def train_in_processes(
    identity: dict[str, Any],
    folder: str | os.PathLike,
    run: str,
    cache_dir: str | os.PathLike = "cache",
    threads: int = 1,
) -> None:
    """As `train` a judge, in `identity["training"]["processes"]` processes on this machine; the first keeps all files.

    On "cpu" they talk by gloo, on "cuda", one card each, by NCCL. threads: of each process. Raises OntogenyError as
    `train` does.
    """
    count = identity["training"].get("processes", 1)
    if count == 1:
        train(identity, folder, run, cache_dir, threads)
        return
    training = identity["training"]
    size = training["batch_size"] * training["accumulation"]
    if size % count:
        raise OntogenyError(
            f"training.batch_size times training.accumulation is {size}, which {count} processes cannot share evenly: "
            "make it a multiple of training.processes"
        )
    cuda = training["device"] == "cuda"
    if cuda and torch.cuda.device_count() < count:
        raise OntogenyError(
            f"training.processes is {count}, but {torch.cuda.device_count()} cards are here: one is needed for each"
        )
    place = Path(folder) / PRETRAINED
    if not (place / "prompts.csv").is_file():
        pretrain(identity, place)
    with tempfile.TemporaryDirectory(prefix="ontogeny-processes-") as scratch:
        arguments = (count, cuda, scratch, identity, os.path.abspath(folder), run, os.path.abspath(cache_dir), threads)
        try:
            spawn(_train_in_one, arguments, nprocs=count)
        except (ProcessRaisedException, ProcessExitedException):
            said = sorted(Path(scratch).glob("error_*"))
            if not said:
                raise
            raise OntogenyError(said[0].read_text(encoding="utf-8")) from None


def _train_in_one(
    rank: int,
    count: int,
    cuda: bool,
    scratch: str,
    identity: dict[str, Any],
    folder: str,
    run: str,
    cache_dir: str,
    threads: int,
) -> None:
    if cuda:
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "nccl" if cuda else "gloo", init_method=f"file://{scratch}/meeting", rank=rank, world_size=count
    )
    try:
        place = Path(folder)
        if rank:
            logging.disable(logging.CRITICAL)
            place = Path(scratch) / f"process_{rank}"
            _start_as(Path(folder), place)
        dist.barrier()
        train(identity, place, run, cache_dir, threads)
    except OntogenyError as error:
        Path(scratch, f"error_{rank}").write_text(str(error), encoding="utf-8")
        raise
    finally:
        dist.destroy_process_group()


def _start_as(folder: Path, place: Path) -> None:
    """Let a process that keeps nothing go on from where the first one does."""
    place.mkdir()
    for name in (PRETRAINED, ".resume", "metrics.jsonl"):
        source = folder / name
        if source.is_dir():
            shutil.copytree(source, place / name)
        elif source.is_file():
            shutil.copyfile(source, place / name)
