"""Learners of the tasks whose transitions are known, with the measures of their progress and the truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ontogeny.models import build_model
from ontogeny.models.known import (
    AttentionOnly,
    DeepLinear,
    Superposition,
    feature_measures,
    induction_measures,
    mode_strengths,
)
from ontogeny.tasks.known import (
    INITIAL,
    LENGTH,
    MODEL_OF,
    SIZES,
    STRENGTHS,
    crossing,
    importances,
    linear_map,
    mode_strength,
    mode_time,
    repeated_sequences,
    sparse_features,
)
from ontogeny.trajectory.learner import Batch, Learner, make_optimizer, rate_schedule
from ontogeny.trajectory.setup import Columns, Setup, get_device

_HELD_OUT = 2**31
"""The step, which training never takes, whose data are held out."""


def set_up_known(
    identity: dict[str, Any], cache_dir: str | os.PathLike = "cache", folder: str | os.PathLike | None = None
) -> Setup:
    """The learner of `deep_linear`, `superposition` or `repeated_sequences`."""
    task, training, seed = identity["task"], identity["training"], identity["seed"]
    name, size = task["name"], task.get("size") or SIZES[task["name"]]
    given = dict(identity["model"])
    needed = MODEL_OF[name]
    overrides = {key: value for key, value in given.items() if key != "name" and value is not None}
    shape = (LENGTH,) if name == "repeated_sequences" else (size,)
    device = get_device(training["device"])
    model = build_model(needed, shape, size, seed, **overrides).to(device)
    makers: dict[str, Callable[..., Setup]] = {
        "deep_linear": _deep_linear,
        "superposition": _superposition,
        "repeated_sequences": _repeated_sequences,
    }
    return makers[name](model, task, training, size, seed, device)


def _learner(model: Any, training: dict[str, Any], seed: int, batch: Any, loss: Any) -> Learner:
    rate = training["learning_rate"]
    optimizer = make_optimizer(model, training["optimizer"], rate, training["weight_decay"], training["momentum"])
    schedule = rate_schedule(rate, training["schedule"], training["steps"], training["warmup_steps"])
    return Learner(model, optimizer, batch, loss, schedule, seed, training["gradient_clip"])


def _record(task: dict[str, Any], size: int, probe: int) -> dict[str, Any]:
    seed = task["split_seed"]
    return {"data": task["name"], "source": "computed", "size": size, "seed": seed, "sizes": {"probe": probe},
            "steps_per_epoch": 1}  # fmt: skip


def _deep_linear(
    model: DeepLinear, task: dict[str, Any], training: dict[str, Any], size: int, seed: int, device: torch.device
) -> Setup:
    known = linear_map(size, task["split_seed"])
    left, right = (torch.tensor(side, dtype=torch.float32, device=device) for side in (known.left, known.right))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model.balance(left, right, INITIAL, noise=1e-5)
    inputs = torch.eye(size, device=device) * size**0.5
    targets = inputs @ torch.tensor(known.matrix.T, dtype=torch.float32, device=device)

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        return 0.5 * (outputs - wanted).square().sum(1).mean()

    rate = training["learning_rate"]
    plain = (training["optimizer"], training["momentum"], training["weight_decay"], training["schedule"])
    exact = plain == ("sgd", 0.0, 0.0, "constant") and len(model.layers) == 2 and not training["warmup_steps"]

    def measure(network: Any) -> dict[str, float]:
        return mode_strengths(network, left, right)

    def truth(columns: Columns) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for i, strength in enumerate(STRENGTHS):
            about: dict[str, Any] = {"name": f"mode {i + 1}", "quantity": f"mode_{i + 1}"}
            if exact:
                times = {key: mode_time(share, strength, rate) for key, share in _SHARES.items()}
                course = [float(value) for value in mode_strength(columns["step"], strength, rate)]
                found.append(about | times | {"from": "closed form", "expected": course})
            else:
                found += _measured(about, columns, 0.0, strength)
        return [each for each in found if each["middle"] <= columns["step"][-1]]

    learner = _learner(model, training, seed, lambda step: (inputs, targets), loss)
    everything = (inputs, targets)
    return Setup(
        learner, everything, everything, _record(task, size, size), training["steps"],
        measure=measure, truth=truth, score=lambda outputs, wanted: {"probe_loss": float(loss(outputs, wanted))},
    )  # fmt: skip


_SHARES = {"start": 0.1, "middle": 0.5, "end": 0.9}


def _measured(about: dict[str, Any], columns: Columns, low: float, high: float) -> list[dict[str, Any]]:
    times = crossing(columns["step"], columns[about["quantity"]], low, high)
    return [] if times is None else [about | times | {"from": "measured"}]


def _superposition(
    model: Superposition, task: dict[str, Any], training: dict[str, Any], size: int, seed: int, device: torch.device
) -> Setup:
    weights = torch.from_numpy(importances(size)).to(device)

    def batch(step: int) -> Batch:
        x = torch.from_numpy(sparse_features(training["batch_size"], size, seed, step)).to(device)
        return x, x

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        return (weights * (outputs - wanted).square()).mean()

    held_out = torch.from_numpy(sparse_features(task["n_probe"], size, task["split_seed"], _HELD_OUT)).to(device)

    def truth(columns: Columns) -> list[dict[str, Any]]:
        found = []
        for i in range(1, size + 1):
            last = columns[f"feature_{i}"][-max(len(columns["step"]) // 10, 1) :]
            final = sorted(last)[len(last) // 2]
            if final > 0.3:
                about = {"name": f"feature {i}", "quantity": f"feature_{i}"}
                found += _measured(about, columns, 0.0, final)
        return found

    probe = (held_out, held_out)
    return Setup(
        _learner(model, training, seed, batch, loss), probe, probe, _record(task, size, len(held_out)),
        training["steps"], measure=feature_measures, truth=truth,
        score=lambda outputs, wanted: {"probe_loss": float(loss(outputs, wanted))},
    )  # fmt: skip


def _repeated_sequences(
    model: AttentionOnly, task: dict[str, Any], training: dict[str, Any], size: int, seed: int, device: torch.device
) -> Setup:
    def batch(step: int) -> Batch:
        tokens = torch.from_numpy(repeated_sequences(training["batch_size"], size, seed, step, varied=True)).to(device)
        return tokens, tokens

    def loss(logits: Tensor, tokens: Tensor) -> Tensor:
        return functional.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:])

    held_out = repeated_sequences(task["n_probe"], size, task["split_seed"], _HELD_OUT)
    tokens = torch.from_numpy(held_out).to(device)

    def truth(columns: Columns) -> list[dict[str, Any]]:
        about = {"name": "induction", "quantity": "second_half_loss"}
        chance, least = float(torch.log(torch.tensor(float(size)))), min(columns["second_half_loss"])
        return _measured(about, columns, chance, least) if least < 0.5 * chance else []

    def score(logits: Tensor, wanted: Tensor) -> dict[str, float]:
        half = wanted.shape[1] // 2
        right = (logits[:, half:-1].argmax(-1) == wanted[:, half + 1 :]).double().mean()
        return {"probe_loss": float(loss(logits, wanted)), "probe_accuracy": float(right)}

    return Setup(
        _learner(model, training, seed, batch, loss), (tokens, tokens), (tokens, tokens),
        _record(task, size, len(tokens)), training["steps"],
        measure=lambda network: induction_measures(network, tokens[:32]), truth=truth, score=score,
    )  # fmt: skip
