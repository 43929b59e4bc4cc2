"""What one pass of a judge over prompts shows: its logits, and its layers and neurons at the token that it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.judge.network import by_prompt, first, frozen, hooked, lengths, neuron_outputs
from ontogeny.models.judge import PAD, Judge, trim


@dataclass(frozen=True)
class Readings:
    """A judge on prompts, at the token that it reads.

    logits: float64 (prompts, 2). residuals: the residual stream, float64 (layers + 1, rows, width); layer 0 is the
    embedding. neurons: the activations of its MLPs, float32 (rows, layers, neurons), or None.
    """

    logits: np.ndarray
    residuals: np.ndarray
    neurons: np.ndarray | None


@checks_arguments
def read_prompts(
    model: Judge,
    tokens: Tensor,
    rows: Sequence[int] | np.ndarray | None = None,
    *,
    neurons: bool = True,
    chunk: int = 128,
) -> Readings:
    """Pass `tokens` (prompts, length), padded on the right with -1, through the judge, those of like length together.

    rows: the prompts whose layers and neurons are kept, all if not given. Raises OntogenyError where `neurons` is set
    and an MLP is of no known kind.
    """
    chosen = np.arange(len(tokens)) if rows is None else np.asarray(rows, dtype=np.int64)
    place = torch.full((len(tokens),), -1)
    place[torch.from_numpy(chosen)] = torch.arange(len(chosen))
    inputs: list[nn.Module] = [*model.blocks, *(neuron_outputs(model) if neurons else ())]
    blocks = len(model.blocks)
    logits = np.empty((len(tokens), 2))
    kept: list[tuple[Tensor, list[Tensor]]] = []
    with frozen(model), torch.no_grad():
        for some in lengths(tokens).argsort(stable=True).split(chunk):
            part = trim(tokens[some])
            inside = torch.nonzero(place[some.cpu()] >= 0)[:, 0].to(tokens.device)
            keep = _Keeper(len(part), inside, model.place(part != PAD)[inside], len(inputs) + 1)
            hooks = [
                module.register_forward_pre_hook(keep.given(index), with_kwargs=True)
                for index, module in enumerate(inputs)
            ]
            with hooked(*hooks, model.blocks[-1].register_forward_hook(keep.put_out(len(inputs)))):
                logits[some.cpu().numpy()] = model(part).double().cpu().numpy()
            kept.append((place[some.cpu()][inside.cpu()], keep.found))
    order = torch.cat([rows for rows, _ in kept]).argsort()
    whole = [torch.cat([found[index] for _, found in kept])[order] for index in range(len(inputs) + 1)]
    residuals = torch.stack([*whole[:blocks], whole[-1]]).double().numpy()
    return Readings(logits, residuals, torch.stack(whole[blocks:-1], 1).float().numpy() if neurons else None)


class _Keeper:
    """Keeps what modules receive or return, for some rows of a batch and one position of each, (rows, width)."""

    def __init__(self, batch: int, rows: Tensor, position: Tensor, count: int) -> None:
        self.batch, self.rows, self.position = batch, rows, position
        self.found: list[Tensor] = [torch.empty(0)] * count

    def given(self, index: int) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._keep(index, args[0] if args else kwargs["hidden_states"])

        return hook

    def put_out(self, index: int) -> Callable[..., None]:
        return lambda _, __, output: self._keep(index, first(output))

    def _keep(self, index: int, hidden: Tensor) -> None:
        hidden = by_prompt(hidden, self.batch)
        self.found[index] = hidden[self.rows.to(hidden.device), self.position.to(hidden.device)].cpu()


@checks_arguments
def last_residuals(model: Judge, tokens: Tensor) -> np.ndarray:
    """The residual stream at the token that the judge reads, float64 (layers + 1, prompts, width)."""
    return read_prompts(model, tokens, neurons=False).residuals


@checks_arguments
def neuron_activations(model: Judge, tokens: Tensor) -> np.ndarray:
    """Activations of all MLP neurons at the token that the judge reads, float32 (prompts, layers, neurons)."""
    found = read_prompts(model, tokens).neurons
    assert found is not None
    return found


def judge_logits(model: Judge, tokens: Tensor) -> np.ndarray:
    """Logits (prompts, 2), float64, in eval mode."""
    return read_prompts(model, tokens, (), neurons=False).logits
