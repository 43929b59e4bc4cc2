"""Judges from pretrained checkpoints: their weights, their heads and their tokenizers, each checked when it is loaded.

A checkpoint is a folder, or a name on the Hugging Face hub. It may be a bare encoder or decoder, which gets a new head;
a classifier, whose head is kept; a generative judge, whose answer is read at two tokens; or an adapter (LoRA) of one.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, distributed, nn

from ontogeny.arguments import usable_device
from ontogeny.errors import OntogenyError, first_line
from ontogeny.models.judge import DEFAULTS, PAD, Judge, PromptTokenizer, Reads, quietly
from ontogeny.models.settings import JudgeModelSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger("ontogeny")

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_TOKENIZER_FILES = ("tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
_UNSAFE = re.compile(r"unsafe|toxic|harm|hate|jailbreak|injection|malicious|offens|attack|violat|abus|danger|insult")
_SAFE = re.compile(r"^(non|not|no)(?![a-z])|^non|(?<!un)safe|benign|neutral|normal|harmless|clean|acceptable")
_TRIAL = ((5, 6, 7, 8, 6), (5, 7, PAD, PAD, PAD), (8, 6, 7, PAD, PAD))
_CLOSE = 1e-3
_SENTINEL = "ontogeny prompt goes here"


def load_judge(
    name: str | os.PathLike[str], settings: JudgeModelSettings | None = None, *, seed: int = 0
) -> tuple[Judge, PromptTokenizer]:
    """A judge on a pretrained checkpoint, from a local folder or the Hugging Face hub, and its tokenizer.

    Of the settings, all but those of the embedded judge are used. Weights are read from safetensors only, and no code
    that a checkpoint brings is run. A new head is drawn by `seed`; heads are float32.

    Every weight of the backbone has to come from the checkpoint: what the library reports as missing or misplaced is
    refused, and the checkpoint is loaded twice and compared, unless `device_map` places it, since reports have been
    wrong. A kept head has to give the logits of the model that it was taken from, and the last layer's residual stream
    those of the judge.

    Raises OntogenyError if there is no such checkpoint, the hub cannot be reached, it has no safetensors or no
    tokenizer, is quantised, lacks weights, or its kind is unknown or cannot judge (an encoder with a decoder, layers
    of another shape).
    """
    settings = settings or DEFAULTS
    folder = Path(name)
    if (folder / "adapter_config.json").is_file():
        base, adapter = _base_of(folder), folder
    else:
        base, adapter = os.fspath(name), None
    if Path(base).is_dir():
        _check_folder(Path(base))
    kind = _kind_of_head(base, settings)
    model = _load(base, kind, settings, adapter)
    first = not distributed.is_initialized() or distributed.get_rank() == 0
    if settings.device_map is None and first:
        _check_loaded_twice(model, base, kind, settings, adapter)
    backbone = model if kind == "new" else cast("PreTrainedModel", model.base_model)
    tokenizer_name = adapter if adapter is not None and _has_tokenizer(adapter) else base
    table = backbone.get_input_embeddings()
    known = table.num_embeddings if isinstance(table, nn.Embedding) else None
    frame, verdicts = None, None
    if kind == "verdict":
        frame, verdicts = verdict_frame(tokenizer_name, settings)
    tokenizer = load_tokenizer(tokenizer_name, frame=frame, known=known)
    head: nn.Module | None = None
    reads: Reads = "last"
    if kind == "kept":
        head, reads = _kept_head(model, backbone, name, settings)
    elif verdicts is not None:
        head = _verdict_head(model, verdicts, name)
    if getattr(backbone, "pooler", None) is not None:
        setattr(backbone, "pooler", None)  # noqa: B010
    if settings.gradient_checkpointing:
        _recompute_activations(backbone)
    judge = Judge(backbone, settings.frozen_layers, seed, head=head, reads=reads)
    if settings.device_map is not None:
        judge.head.to(next(reversed(list(backbone.parameters()))).device)
    judge.eval()
    _try_out(judge, name)
    return judge, tokenizer


# ------------------------------------------------------------------------------------------------------- weights


_PLANS = ("auto", "balanced", "balanced_low_0", "sequential")
"""What `device_map` may say besides a device."""


def _load(base: str, kind: str, settings: JudgeModelSettings, adapter: Path | None) -> PreTrainedModel:
    """The model with all its weights from the checkpoint, in eval mode, an adapter merged into it."""
    import transformers

    loaders = {
        "new": transformers.AutoModel,
        "kept": transformers.AutoModelForSequenceClassification,
        "verdict": transformers.AutoModelForCausalLM,
    }
    local = Path(base).is_dir()
    options: dict[str, Any] = {"local_files_only": True} if local else {}
    if settings.device_map is not None:
        if settings.device_map not in _PLANS:
            usable_device(settings.device_map, "model.device_map")
        options["device_map"] = settings.device_map
    with _told(base, local), quietly():
        model, report = loaders[kind].from_pretrained(
            base,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="eager",
            dtype=DTYPES[settings.dtype],
            output_loading_info=True,
            **options,
        )
    missing = sorted(key for key in report["missing_keys"] if kind == "kept" or "pooler" not in key)
    if adapter is not None:
        missing = [key for key in missing if not re.search(r"classifier|score", key)]
    _refuse_keys(base, missing, "lacks weights", "its config.json says another architecture, another number of layers")
    _refuse_keys(
        base,
        sorted(map(str, report["mismatched_keys"])),
        "has weights of another shape",
        "its config.json states other sizes",
    )
    surplus = sorted(key for key in report["unexpected_keys"] if re.search(r"\.\d+\.", key))
    _refuse_keys(
        base, surplus, "holds weights that are not used", "its config.json says fewer layers, or another architecture"
    )
    if adapter is not None:
        model = _with_adapter(model, adapter)
    return model.eval()


def _refuse_keys(base: str, keys: Sequence[str], what: str, why: str) -> None:
    if keys:
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        raise OntogenyError(
            f"{base} {what}: {keys[0]}{more} ({why}, or names have a foreign prefix); the judge would be "
            "partly random, so get a whole copy of the checkpoint"
        )


def _check_loaded_twice(
    model: PreTrainedModel, base: str, kind: str, settings: JudgeModelSettings, adapter: Path | None
) -> None:
    """Raises OntogenyError if a second load, under another random state, gives other weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch.initial_seed() % 2**31 + 1)
        again = dict(_load(base, kind, settings, adapter).named_parameters())
    for name, parameter in model.named_parameters():
        if (kind == "kept" or "pooler" not in name) and not torch.equal(parameter, again[name]):
            raise OntogenyError(
                f"{base}: {name} differs between two loads, so it is random and not from the checkpoint, though the "
                "library reports that all weights were found; get a whole copy, or another version of transformers"
            )


def _base_of(adapter: Path) -> str:
    try:
        base = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, UnicodeDecodeError):
        raise OntogenyError(f"{adapter / 'adapter_config.json'} does not name the base model of the adapter") from None
    beside = adapter / str(base)
    return os.fspath(beside) if not Path(base).is_dir() and beside.is_dir() else str(base)


def _with_adapter(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    try:
        from peft import PeftModel
    except ImportError:
        raise OntogenyError(
            f"{adapter} is an adapter, which the package peft reads: pip install 'ontogeny[adapters]'"
        ) from None
    if not (adapter / "adapter_model.safetensors").is_file():
        raise OntogenyError(f"{adapter} holds no adapter_model.safetensors: pickled adapters are never read")
    with _told(adapter, True), quietly():
        return PeftModel.from_pretrained(model, os.fspath(adapter)).merge_and_unload()


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise OntogenyError(f"{folder} holds no config.json: name the folder that `save_pretrained` wrote")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise OntogenyError(f"{folder / 'config.json'} is not JSON: get a whole copy of the checkpoint") from None
    if "auto_map" in config:
        raise OntogenyError(
            f"{folder} asks to run code of its own (auto_map in config.json), which is never done here: use an "
            "architecture that transformers knows"
        )
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "quantised")
        raise OntogenyError(
            f"{folder} is quantised ({method}): gradients and patching need whole weights, so give the checkpoint that "
            "it was made from, with dtype: bfloat16 if memory is short"
        )
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        found = f"only {pickled[0]}, which is pickled and never read here" if pickled else "no weights"
        raise OntogenyError(f"{folder} holds {found}: save the weights as model.safetensors")


# --------------------------------------------------------------------------------------------------------- heads


class Verdicts(nn.Module):
    """A classifier of any labels as one of two: logits (..., 2), safe and unsafe.

    Several labels of one side count together: the logit of a side is the log of the sum of their exponentials, so that
    the softmax of both gives the sum of their probabilities. Where labels do not exclude each other (multi-label, or
    one label alone), the logit of unsafe is the greatest of its labels' and that of safe 0, as their sigmoid says.
    """

    def __init__(self, classifier: nn.Module, unsafe: Sequence[int], labels: int, exclusive: bool) -> None:
        super().__init__()
        self.classifier, self.exclusive = classifier, exclusive
        self.unsafe = list(unsafe)
        self.safe = [index for index in range(labels) if index not in self.unsafe]

    def forward(self, hidden: Tensor) -> Tensor:
        logits = self.classifier(hidden).float()
        if self.exclusive:
            return torch.stack([logits[..., side].logsumexp(-1) for side in (self.safe, self.unsafe)], -1)
        unsafe = logits[..., self.unsafe].amax(-1)
        return torch.stack([torch.zeros_like(unsafe), unsafe], -1)


class Chain(nn.Module):
    """Modules one after another, as a classifier applies them to the state of one token."""

    def __init__(self, *steps: nn.Module | Callable[[Tensor], Tensor], whole: bool = False) -> None:
        super().__init__()
        self.steps, self.whole = steps, whole
        self.parts = nn.ModuleList(step for step in steps if isinstance(step, nn.Module))

    def forward(self, hidden: Tensor) -> Tensor:
        if self.whole:
            hidden = hidden.unsqueeze(-2)
            lead = hidden.shape[:-2]
            hidden = hidden.reshape(-1, *hidden.shape[-2:])
        for step in self.steps:
            hidden = step(hidden)
        return hidden.reshape(*lead, -1) if self.whole else hidden


def _kind_of_head(base: str, settings: JudgeModelSettings) -> str:
    if settings.head != "auto":
        return settings.head
    folder = Path(base)
    if not (folder / "config.json").is_file():
        return "new"
    named = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    return "kept" if any("ForSequenceClassification" in str(one) for one in named) else "new"


def _kept_head(
    model: PreTrainedModel, backbone: PreTrainedModel, name: str | os.PathLike[str], settings: JudgeModelSettings
) -> tuple[nn.Module, Reads]:
    """The classifier of a model for one token's state, and which token: the first that gives the model's own logits."""
    tokens = torch.tensor(_TRIAL)
    mask = tokens != PAD
    with torch.no_grad():
        inputs = {"inputs_embeds": backbone.get_input_embeddings()(tokens.clamp_min(0)), "attention_mask": mask.long()}
        hidden = backbone(**inputs).last_hidden_state
        for reads in ("first", "last"):
            place = mask.sum(1) - 1 if reads == "last" else torch.zeros(len(tokens), dtype=torch.int64)
            each = torch.arange(len(tokens))
            expected = _own_logits(model, tokens, mask)
            for chain in _chains(model, backbone):
                try:
                    found = chain(hidden[each, place]).float()
                except (RuntimeError, TypeError, IndexError, ValueError):
                    continue
                if found.shape == expected.shape and torch.allclose(found, expected, atol=_CLOSE, rtol=_CLOSE):
                    return _two_sides(chain.float(), model, name, settings), reads
    raise OntogenyError(
        f"{name}: the head of {type(model).__name__} is not one that reads the first or the last token alone; set "
        "model.head to new to train another"
    )


def _own_logits(model: PreTrainedModel, tokens: Tensor, mask: Tensor) -> Tensor:
    """The logits of a classifier, row by row without padding, since decoders look for their padding token."""
    rows = [model(input_ids=row[real][None]).logits[0] for row, real in zip(tokens, mask)]
    return torch.stack(rows).float()


def _chains(model: PreTrainedModel, backbone: PreTrainedModel) -> Iterator[nn.Module]:
    """What a classifier may do with one token's state, by the modules that it has."""
    last = getattr(model, "classifier", None) or getattr(model, "score", None)
    if not isinstance(last, nn.Module):
        return
    for owner in (backbone, model):
        pooler = getattr(owner, "pooler", None)
        if isinstance(pooler, nn.Module):
            yield Chain(pooler, last, whole=True)
    first = getattr(model, "pre_classifier", None)
    if isinstance(first, nn.Module):
        yield Chain(first, torch.relu, last)
        yield Chain(first, torch.tanh, last)
    head = getattr(model, "head", None)
    if isinstance(head, nn.Module):
        yield Chain(head, last)
    yield Chain(last)
    yield Chain(last, whole=True)


def _two_sides(
    chain: nn.Module, model: PreTrainedModel, name: str | os.PathLike[str], settings: JudgeModelSettings
) -> Verdicts:
    config = model.config
    named = {int(index): str(label) for index, label in (config.id2label or {}).items()}
    labels = [named[index] for index in range(config.num_labels or 0)]
    exclusive = len(labels) > 1 and config.problem_type != "multi_label_classification"
    if settings.unsafe_labels is not None:
        unknown = sorted(set(settings.unsafe_labels) - set(labels))
        if unknown:
            raise OntogenyError(f"{name}: model.unsafe_labels has {unknown[0]!r}; its labels are {', '.join(labels)}")
        unsafe = [index for index, label in enumerate(labels) if label in settings.unsafe_labels]
    else:
        plain = [label.lower().replace("_", " ") for label in labels]
        unsafe = [i for i, label in enumerate(plain) if _UNSAFE.search(label) and not _SAFE.search(label)]
        if not unsafe and len(labels) == 1:
            unsafe = [0]
        elif not unsafe and plain in (["label 0", "label 1"], ["0", "1"]):
            unsafe = [1]
            logger.warning(f"{name} does not name its labels: {labels[1]} is taken for unsafe")
    if not unsafe or (exclusive and len(unsafe) == len(labels)):
        raise OntogenyError(
            f"{name} has the labels {', '.join(labels)}: say in model.unsafe_labels which of them are unsafe"
        )
    return Verdicts(chain, unsafe, len(labels), exclusive)


def verdict_frame(
    name: str | os.PathLike[str], settings: JudgeModelSettings
) -> tuple[tuple[str, str], tuple[int, int]]:
    """The texts around a prompt, and the tokens of a generative judge's two answers.

    Raises OntogenyError if the tokenizer has no chat template and the settings none either, or answers start alike.
    """
    from transformers import AutoTokenizer

    local = {"local_files_only": True} if Path(name).is_dir() else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(os.fspath(name), trust_remote_code=False, **local)
    except (OSError, ValueError, AttributeError, ImportError, TypeError) as error:
        raise OntogenyError(f"{name} holds no tokenizer that transformers reads: {first_line(error)}") from None
    if settings.template is not None:
        text = settings.template.replace("{prompt}", _SENTINEL)
    elif tokenizer.chat_template:
        turns = [{"role": "user", "content": _SENTINEL}]
        text = str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    else:
        raise OntogenyError(
            f"{name} has no chat template: say in model.template what stands around a prompt, as in "
            "'{prompt}\\nIs this safe or unsafe? '"
        )
    before, found, after = text.partition(_SENTINEL)
    if not found or _SENTINEL in after:
        raise OntogenyError(f"{name}: its chat template does not hold the prompt once; say model.template")
    joined = after[-1:].isspace() or not after
    tokens = []
    for word in settings.verdicts:
        ids = tokenizer.encode(word if joined else f" {word}", add_special_tokens=False)
        bare = tokenizer.encode(word, add_special_tokens=False)
        tokens.append((bare if settings.template is None else ids)[0])
    if tokens[0] == tokens[1]:
        raise OntogenyError(
            f"the answers {settings.verdicts[0]!r} and {settings.verdicts[1]!r} start with the same token of {name}: "
            "say others in model.verdicts"
        )
    return (before, after), (tokens[0], tokens[1])


def _verdict_head(model: PreTrainedModel, tokens: tuple[int, int], name: str | os.PathLike[str]) -> nn.Linear:
    """The two rows of the language model's output matrix, as a head that gives its own logits of the two answers."""
    output = model.get_output_embeddings()
    chosen = torch.tensor(tokens)
    head = nn.Linear(output.weight.shape[1], 2)
    with torch.no_grad():
        head.weight.copy_(output.weight[chosen].float())
        head.bias.copy_(output.bias[chosen].float() if getattr(output, "bias", None) is not None else torch.zeros(2))
        row = torch.tensor(_TRIAL[0])[None].to(model.device)
        expected = model(input_ids=row).logits[0, -1, chosen].float()
        found = head(model.base_model(input_ids=row).last_hidden_state[0, -1].float())
    if not torch.allclose(found, expected, atol=_CLOSE, rtol=_CLOSE):
        raise OntogenyError(
            f"{name}: the logits of {type(model).__name__} are not a linear function of its last state, so that its "
            "answer cannot be read as a head; set model.head to new"
        )
    return head


# --------------------------------------------------------------------------------------------- trials, tokenizers


@torch.no_grad()
def _try_out(judge: Judge, name: str | os.PathLike[str]) -> None:
    """Judge short rows and look at every layer. Raises OntogenyError if the backbone is not made for that."""
    hooks = [reader.register_forward_hook(lambda _, __, output: output) for reader in judge.residual]
    streams: list[Tensor] = []
    hooks.append(judge.residual[-1].register_forward_hook(lambda _, __, output: streams.append(output)))
    kind = type(judge.backbone).__name__
    try:
        device = next(judge.embedding.parameters()).device
        logits = judge(torch.tensor(_TRIAL).to(device))
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise OntogenyError(
            f"{name} is a {kind}, which cannot judge ({first_line(error)}): use a decoder or an encoder such as "
            "Llama, GPT-2 or BERT"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
    last = streams[-1] if judge.final_norm is None else judge.final_norm(streams[-1])
    again = judge.head(last.float())
    if not torch.allclose(again, logits, atol=_CLOSE, rtol=_CLOSE * 10):
        raise OntogenyError(
            f"{name} is a {kind}, whose last layer does not lead to its logits by its final norm and head "
            f"({float((again - logits).abs().max()):.2g} apart), so that its layers cannot be read: use another "
            "architecture"
        )


def _recompute_activations(backbone: PreTrainedModel) -> None:
    options = {"use_reentrant": False}
    if hasattr(backbone, "activation_checkpointing_enable"):
        backbone.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    else:
        backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / file).is_file() for file in ("tokenizer.json", *_TOKENIZER_FILES))


def load_tokenizer(
    name: str | os.PathLike[str], *, frame: tuple[str, str] | None = None, known: int | None = None
) -> PromptTokenizer:
    """The tokenizer of a checkpoint folder or hub name; `frame` and `known` as `PromptTokenizer` takes them.

    Raises OntogenyError if it has none.
    """
    folder = Path(name)
    if (folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        try:
            return PromptTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), frame=frame, known=known)
        except Exception as error:
            raise OntogenyError(f"{folder / 'tokenizer.json'} is not a tokenizer: {first_line(error)}") from None
    if (folder / "adapter_config.json").is_file():
        return load_tokenizer(_base_of(folder), frame=frame, known=known)
    from transformers import AutoTokenizer

    missing = OntogenyError(
        f"{name} holds no tokenizer: put the tokenizer.json that the checkpoint was trained with beside its weights"
    )
    if folder.is_dir() and not _has_tokenizer(folder):
        raise missing
    try:
        found = AutoTokenizer.from_pretrained(
            os.fspath(name), trust_remote_code=False, **({"local_files_only": True} if folder.is_dir() else {})
        )
        tokenizer = found.backend_tokenizer
    except (OSError, ValueError, AttributeError, ImportError, TypeError):
        raise missing from None
    if not tokenizer.get_vocab_size():
        raise missing
    return PromptTokenizer(tokenizer, frame=frame, known=known)


@contextmanager
def _told(name: str | os.PathLike[str], local: bool) -> Iterator[None]:
    """Turn what `from_pretrained` raises inside the block into one sentence."""
    try:
        yield
    except OntogenyError:
        raise
    except Exception as error:
        text, lower = first_line(error), str(error).lower()
        if local:
            raise OntogenyError(f"{name} is not a checkpoint that transformers can read: {text}") from None
        if "safetensors" in lower:
            raise OntogenyError(
                f"{name} has no safetensors weights on the hub, and pickled ones are never read: name another "
                "checkpoint, or convert it"
            ) from None
        if "connect" in lower or "offline" in lower or "resolve" in lower or "proxy" in lower:
            raise OntogenyError(
                f"{name} is no local folder, and the Hugging Face hub cannot be reached: fetch the checkpoint where "
                "there is a network and give its folder as model.name"
            ) from None
        raise OntogenyError(f"{name} is neither a local folder nor a checkpoint on the hub: {text}") from None
