"""What a network says of samples: its class scores, losses and accuracy, on a copy that may be worked on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError, first_line
from ontogeny.models import without_fast_path
from ontogeny.models.trace import scores_in
from ontogeny.words import counted, with_article


def working_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` to work on: in eval mode, nothing in place, no gradients of parameters.

    Raises OntogenyError if the model cannot be copied.
    """
    if not isinstance(model, nn.Module):
        raise OntogenyError(f"the model is {with_article(type(model).__name__)}: a torch.nn.Module is expected")
    try:
        twin = copy.deepcopy(model)
    except Exception as error:
        raise OntogenyError(
            f"this {type(model).__name__} cannot be copied ({first_line(error)}): detach what it keeps of "
            "former forward passes"
        ) from error
    for module in twin.modules():
        if getattr(module, "inplace", False) is True:
            setattr(module, "inplace", False)  # noqa: B010
    return twin.eval().requires_grad_(False)


def logits_of(output: Any) -> Tensor:
    """The class scores (samples, classes) in a model's output (`scores_in`). Raises OntogenyError for any other."""
    scores = scores_in(output)
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        what = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
        raise OntogenyError(f"the model's output is {what}: class scores of shape (samples, classes) are expected")
    return scores


def _tensor(values: Any, name: str, words: str) -> Tensor:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        kind = getattr(values, "dtype", type(values).__name__)
        raise OntogenyError(f"the {name} are of {kind}: give {words}, as an array or a tensor") from None


def run_on(model: nn.Module, inputs: Tensor) -> Any:
    """What `model` gives for inputs. Raises OntogenyError where it does not run on them."""
    with told_if_not_run(inputs):
        return model(inputs)


@contextmanager
def told_if_not_run(inputs: Tensor) -> Iterator[None]:
    """A block in which a network runs. Raises OntogenyError in place of what PyTorch says of inputs that do not fit."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        kind = str(inputs.dtype).removeprefix("torch.")
        raise OntogenyError(
            f"the model does not run on inputs of shape {tuple(inputs.shape)} and {kind}: {first_line(error)}"
        ) from error


def checked_data(inputs: Any, labels: Any = None, sequences: bool = False) -> tuple[Tensor, Tensor | None]:
    """`inputs` and `labels` as tensors that fit each other (labels int64, one per sample).

    With `sequences`, labels may be the tokens of sequences, (samples, positions), of which each next one is predicted.

    Raises OntogenyError if they do not fit, if inputs hold NaN or infinity, or there are none.
    """
    inputs = _tensor(inputs, "inputs", "real numbers")
    if inputs.ndim and len(inputs) == 0:
        raise OntogenyError(f"there are no samples: the inputs have shape {tuple(inputs.shape)}")
    if inputs.ndim < 2:
        raise OntogenyError(f"inputs of shape {tuple(inputs.shape)}: two or more axes expected, samples first")
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        raise OntogenyError("the inputs hold NaN or infinite values: clean them first")
    if labels is None:
        return inputs, None
    labels = _tensor(labels, "labels", "class numbers, whole from 0")
    of_tokens = sequences and labels.ndim == 2 and labels.shape == inputs.shape
    if (labels.ndim != 1 and not of_tokens) or len(labels) != len(inputs):
        raise OntogenyError(
            f"{counted(len(inputs), 'input')}, labels of shape {tuple(labels.shape)}: one label per sample expected"
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise OntogenyError(f"labels are {labels.dtype}: class numbers (integers from 0) are expected")
    labels = labels.long()
    if int(labels.min()) < 0:
        raise OntogenyError(f"labels hold {int(labels.min())}: class numbers from 0 are expected")
    return inputs, labels


def sample_losses(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of every sample in nats, float64; scores (..., samples, classes), labels (samples,)."""
    by_class = scores.movedim(-1, 0).to(torch.float64, memory_format=torch.contiguous_format)
    picked = by_class.gather(0, labels.expand(1, *by_class.shape[1:]))[0]
    top = by_class.detach().amax(0)
    return (by_class - top).exp_().sum(0).log() + top - picked


@torch.no_grad()
def scores_of(model: nn.Module, inputs: Tensor, chunk: int = 512) -> Tensor:
    """Class scores of all inputs, (samples, classes), `chunk` samples at a time."""
    with without_fast_path():
        return torch.cat([logits_of(run_on(model, part)) for part in inputs.split(chunk)])


def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor, chunk: int = 512) -> tuple[Tensor, Tensor]:
    """Loss (nats) and correctness (0 or 1) of every sample, both float64 (samples,).

    Where labels are the tokens of sequences, (samples, positions), both are means over the next tokens of a sample.
    """
    if labels.ndim == 2:
        return _evaluate_next(model, inputs, labels, chunk)
    scores = scores_of(model, inputs, chunk)
    check_classes(scores, labels)
    return sample_losses(scores, labels), (scores.argmax(-1) == labels).double()


@torch.no_grad()
def _evaluate_next(model: nn.Module, inputs: Tensor, tokens: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    losses, right = [], []
    with without_fast_path():
        for part, wanted in zip(inputs.split(chunk), tokens[:, 1:].split(chunk)):
            scores = scores_in(model(part))
            if not isinstance(scores, Tensor) or scores.shape[:-1] != part.shape:
                raise OntogenyError("scores of tokens at every position, (samples, positions, words), are expected")
            check_classes(scores, wanted)
            for some, next_ones in zip(scores[:, :-1].split(8), wanted.split(8)):
                losses.append(sample_losses(some, next_ones).mean(1))
                right.append((some.argmax(-1) == next_ones).double().mean(1))
    return torch.cat(losses), torch.cat(right)


def check_classes(scores: Tensor, labels: Tensor) -> None:
    """Raises OntogenyError if a label is beyond the model's classes."""
    if int(labels.max()) >= scores.shape[-1]:
        raise OntogenyError(
            f"labels go up to {int(labels.max())}, but the model has {counted(scores.shape[-1], 'class')}"
        )
