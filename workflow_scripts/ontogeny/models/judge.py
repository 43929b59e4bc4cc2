"""The judge: a transformer that reads a prompt and says safe or unsafe, and the tokenizer in front of it.

Token rows are int64, padded on the right with -1, so that a row says itself where its prompt ends. The judge
classifies at the last real token: in a decoder the only one that has read the whole prompt, in an encoder usually
its closing token. Attention is computed step by step (eager), so that its weights can be read.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ontogeny.errors import OntogenyError
from ontogeny.files import disk_errors
from ontogeny.models.optimizers import eager
from ontogeny.models.settings import JudgeModelSettings
from ontogeny.tasks.settings import JudgeTaskSettings
from ontogeny.words import counted

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

DEFAULTS = JudgeModelSettings()
MAX_LENGTH = JudgeTaskSettings().max_length
LABELS = ("safe", "unsafe")
Reads = Literal["first", "last"]
PAD = -1
HEAD_SHARE = 4

_FINAL_NORMS = ("norm", "ln_f", "norm_f", "final_layer_norm", "final_layernorm", "final_norm", "ln_out")
_MLPS = ("mlp", "ffn", "feed_forward")


class ResidualStream(nn.Module):
    """The residual stream (batch, width) after a layer, at the token that the judge classifies at."""

    def forward(self, hidden: Tensor, last: Tensor) -> Tensor:
        return _at(hidden, last)


class MLPOutput(nn.Module):
    """What a layer's MLP adds to the residual stream (batch, width), at the token that the judge classifies at."""

    def forward(self, hidden: Tensor, last: Tensor) -> Tensor:
        return _at(hidden, last)


def _at(hidden: Tensor, last: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), last.to(hidden.device)]


def new_head(width: int, seed: int) -> nn.Linear:
    """An untrained head, Linear(width, 2), the same for the same seed."""
    head = nn.Linear(width, len(LABELS))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator) * 0.02)
        head.bias.zero_()
    return head


class Judge(nn.Module):
    """A transformers backbone with a head of two outputs, safe and unsafe.

    backbone: LlamaModel, GPT2Model, DistilBertModel or any other that takes `inputs_embeds` and an attention mask.
    frozen_layers: number of first layers that, with all before them, are not trained; 0 trains all. head: a module from
    states (..., width) to logits (..., 2); a linear one, drawn by `seed`, if not given. reads: the token that is
    classified, the last real one or the first.

    Attributes: `embedding` (module of the token embedding), `blocks` (ModuleList of the layers), `final_norm` (the
    norm after the last layer, or None), `head` (float32), `reads`, `n_frozen`. The modules in `residual` and `mlp` (one
    per layer) hold no weights: their outputs are the residual stream and the MLP's output at the token that is
    classified, for code that watches layers.

    Raises OntogenyError if the backbone's layers cannot be found, or there are fewer than `frozen_layers`.
    """

    def __init__(
        self,
        backbone: PreTrainedModel,
        frozen_layers: int = DEFAULTS.frozen_layers,
        seed: int = 0,
        *,
        head: nn.Module | None = None,
        reads: Reads = "last",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.reads = reads
        self.head = new_head(backbone.config.hidden_size, seed) if head is None else head
        mlps = [_mlp_of(block) for block in self.blocks]
        self.residual = nn.ModuleList(ResidualStream() for _ in self.blocks)
        self.mlp = nn.ModuleList(MLPOutput() for mlp in mlps if mlp is not None)
        self.n_frozen = 0
        self._freeze(frozen_layers)

    @property
    def embedding(self) -> nn.Module:
        return self.backbone.get_input_embeddings()

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer's layers in order. Raises OntogenyError if the network has no list of them."""
        count = self.backbone.config.num_hidden_layers
        for module in self.backbone.modules():
            if isinstance(module, nn.ModuleList) and len(module) == count:
                return module
        raise OntogenyError(
            f"the layers of {type(self.backbone).__name__} are not found: it holds no list of {count} modules"
        )

    @property
    def final_norm(self) -> nn.Module | None:
        blocks = self.blocks
        owner = next(
            module for module in self.backbone.modules() if any(child is blocks for child in module.children())
        )
        found = (getattr(owner, name, None) for name in _FINAL_NORMS)
        return next((module for module in found if isinstance(module, nn.Module)), None)

    @property
    def positions(self) -> int | None:
        """The most tokens that the backbone takes, None where there is no bound.

        A table of positions that starts after the padding token's number (RoBERTa: 514 rows, 512 tokens) has fewer
        than its configuration says.
        """
        for name, module in self.backbone.named_modules():
            if isinstance(module, nn.Embedding) and name.split(".")[-1] == "position_embeddings":
                return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        said = getattr(self.backbone.config, "max_position_embeddings", None) or 0
        return said if said > 0 else None

    def place(self, mask: Tensor) -> Tensor:
        """The position of the token that is classified, (batch,), for a mask (batch, length) of real tokens."""
        last = mask.sum(1) - 1
        return last if self.reads == "last" else torch.zeros_like(last)

    def _freeze(self, layers: int) -> None:
        if not 0 <= layers <= len(self.blocks):
            raise OntogenyError(
                f"frozen_layers is {layers}, but {type(self.backbone).__name__} has "
                f"{counted(len(self.blocks), 'layer')}: "
                f"ask for 0 to {len(self.blocks)}"
            )
        self.n_frozen = layers
        trained = [*self.blocks[layers:], *([self.final_norm] if self.final_norm is not None else [])]
        kept = {id(parameter) for module in trained for parameter in module.parameters()}
        for parameter in self.backbone.parameters():
            parameter.requires_grad_(layers == 0 or id(parameter) in kept)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, 2), float32, columns safe and unsafe, for `tokens` (batch, length) padded with -1.

        Raises OntogenyError for a row without a token, or with more tokens than the backbone has positions.
        """
        mask = tokens >= 0
        return self.forward_embedded(self.embedding(tokens.clamp(min=0)), mask)

    def forward_embedded(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """The same from token embeddings (batch, length, width) and their mask (batch, length), true at real tokens.

        Raises OntogenyError for a row without a token.
        """
        empty = ~mask.any(1)
        if bool(empty.any()):
            row = int(empty.nonzero()[0, 0])
            raise OntogenyError(f"row {row} of the tokens is empty: every prompt needs at least one token")
        place = self.place(mask)
        places = self.positions
        if places is not None and places < embeddings.shape[1]:
            raise OntogenyError(
                f"a prompt has {counted(embeddings.shape[1], 'token')}, but {type(self.backbone).__name__} has "
                f"{places} "
                f"positions: set task.max_length to {places} or less"
            )
        hooks = [
            module.register_forward_hook(_reader(reader, place))
            for module, reader in self._watched()
            if reader._forward_hooks
        ]
        try:
            output = self.backbone(inputs_embeds=embeddings, attention_mask=mask.long(), **self._quiet())
        finally:
            for hook in hooks:
                hook.remove()
        return self.head(_at(output.last_hidden_state, place).to(torch.float32))

    def _quiet(self) -> dict[str, Any]:
        return {"use_cache": False} if getattr(self.backbone.config, "use_cache", None) is not None else {}

    def _watched(self) -> Iterable[tuple[nn.Module, nn.Module]]:
        yield from zip(self.blocks, self.residual)
        mlps = (_mlp_of(block) for block in self.blocks)
        yield from zip((mlp for mlp in mlps if mlp is not None), self.mlp)


def _mlp_of(block: nn.Module) -> nn.Module | None:
    found = (getattr(block, name, None) for name in _MLPS)
    return next((module for module in found if isinstance(module, nn.Module)), None)


def _reader(reader: nn.Module, last: Tensor) -> Any:
    def read(_: nn.Module, __: Any, output: Any) -> None:
        reader(output[0] if isinstance(output, tuple) else output, last)

    return read


class PromptTokenizer:
    """Text to token rows, with the special tokens that the tokenizer itself adds.

    `tokenizer` is a `tokenizers.Tokenizer`; any padding or truncation that it carries is switched off. Special tokens
    that somebody types in a prompt, such as `[SEP]`, are read as text. frame: texts before and after every prompt, such
    as a chat template's, in which special tokens count as such; none of the tokenizer's own are added then. known:
    number of tokens that the judge has an embedding of; more are an error.
    """

    def __init__(self, tokenizer: Tokenizer, *, frame: tuple[str, str] | None = None, known: int | None = None) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = False
        self.before, self.after = (
            list(tokenizer.encode(text, add_special_tokens=False).ids) for text in frame or ("", "")
        )
        self.framed = frame is not None
        self.known = known
        tokenizer.encode_special_tokens = True
        self.tokenizer = tokenizer

    @property
    def size(self) -> int:
        """Number of different tokens."""
        return self.tokenizer.get_vocab_size()

    def encode(self, prompts: Sequence[str], max_length: int = MAX_LENGTH) -> Tensor:
        """Token ids (prompts, length), int64, padded on the right with -1 to the longest.

        A prompt of more than `max_length` tokens keeps its first quarter of them (what it starts as, and the start
        token) and its last three quarters (where its question stands); the middle is dropped.

        Raises OntogenyError for a prompt that gives no token, or a `max_length` below 4.
        """
        if max_length < HEAD_SHARE:
            raise OntogenyError(f"max_length is {max_length}; it should be at least {HEAD_SHARE}")
        rows = self.rows(prompts)
        head = max_length // HEAD_SHARE
        rows = [row if len(row) <= max_length else row[:head] + row[head - max_length :] for row in rows]
        for position, row in enumerate(rows):
            if not row:
                raise OntogenyError(f"prompt {position} ({prompts[position][:40]!r}) gives no token: leave it out")
        tokens = torch.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=torch.int64)
        for position, row in enumerate(rows):
            tokens[position, : len(row)] = torch.tensor(row)
        return tokens

    def rows(self, prompts: Sequence[str]) -> list[list[int]]:
        """The token ids of every prompt, of any length, with those of the frame.

        Raises OntogenyError for tokens that the judge does not know.
        """
        encoded = self.tokenizer.encode_batch(list(prompts), add_special_tokens=not self.framed)
        rows = [[*self.before, *encoding.ids, *self.after] for encoding in encoded]
        for row in rows:
            highest = max(row, default=0)
            if self.known is not None and highest >= self.known:
                raise OntogenyError(
                    f"the tokenizer gives token {highest} ({self.tokenizer.id_to_token(highest)!r}), but the judge has "
                    f"embeddings of {self.known} tokens only: use the tokenizer that the checkpoint was trained with"
                )
        return rows

    def lengths(self, prompts: Sequence[str]) -> np.ndarray:
        """Tokens of every prompt before truncation, int64 (prompts,)."""
        return np.array([len(row) for row in self.rows(prompts)], dtype=np.int64)

    def pieces(self, row: Iterable[int]) -> list[str]:
        """The readable text of every real token of a row; special tokens by their name."""
        return [self._piece(int(token)) for token in row if int(token) >= 0]

    def _piece(self, token: int) -> str:
        text = self.tokenizer.decode([token], skip_special_tokens=False)
        name = self.tokenizer.id_to_token(token)
        return text if text and "\ufffd" not in text else str(name)

    def save(self, folder: str | os.PathLike) -> None:
        """Write `tokenizer.json` to `folder`."""
        self.tokenizer.save(str(Path(folder) / "tokenizer.json"))


def trim(tokens: Tensor) -> Tensor:
    """`tokens` without the columns that hold nothing but padding at their end."""
    return tokens[:, : max(1, int((tokens >= 0).sum(1).max()))]


def train_tokenizer(prompts: Iterable[str], vocabulary: int = DEFAULTS.vocabulary) -> PromptTokenizer:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens, trained on `prompts`.

    Every prompt starts with `<start>` and ends with `<end>`, so a decoder classifies at `<end>`. No text is unknown.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<start>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(list(prompts), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[(name, tokenizer.token_to_id(name)) for name in special]
    )
    return PromptTokenizer(tokenizer)


def build_judge(
    prompts: Sequence[str],
    settings: JudgeModelSettings | None = None,
    *,
    text: Sequence[str] = (),
    max_length: int = MAX_LENGTH,
) -> tuple[Judge, PromptTokenizer]:
    """The embedded judge: a small decoder (Llama architecture) and its tokenizer, both made from `prompts`.

    The tokenizer is trained on `prompts` and `text`; the decoder then learns to continue them (next-token
    cross-entropy with tied embeddings, AdamW, a cosine down to 0). The head is untrained. The same arguments give the
    same weights. The default settings make about one million parameters.
    """
    from transformers import LlamaConfig, LlamaModel

    settings = settings or DEFAULTS
    learned = [*prompts, *text]
    tokenizer = train_tokenizer(learned, settings.vocabulary)
    config = LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=settings.width,
        intermediate_size=settings.feedforward,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=max(512, max_length),
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    config._attn_implementation = "eager"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.pretrain_seed)
        backbone = LlamaModel(config)
    _learn_language(backbone, tokenizer.encode(learned, max_length), settings)
    return Judge(backbone, settings.frozen_layers, settings.pretrain_seed).eval(), tokenizer


def _learn_language(backbone: PreTrainedModel, tokens: Tensor, settings: JudgeModelSettings) -> None:
    steps, learning_rate = settings.pretrain_steps, settings.pretrain_learning_rate
    generator = torch.Generator().manual_seed(settings.pretrain_seed)
    optimizer = eager(torch.optim.AdamW)(backbone.parameters(), lr=learning_rate, weight_decay=0.01)
    embedding = backbone.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    backbone.train()
    warm = max(1, steps // 20)
    for step in range(steps):
        rows = trim(tokens[torch.randint(len(tokens), (settings.pretrain_batch_size,), generator=generator)])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)))
        mask = (rows >= 0).long()
        output = backbone(input_ids=rows.clamp(min=0), attention_mask=mask, use_cache=False)
        logits = functional.linear(output.last_hidden_state[:, :-1], embedding.weight)
        loss = functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), ignore_index=PAD)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        optimizer.step()
    backbone.eval()


def save_judge(judge: Judge, tokenizer: PromptTokenizer, folder: str | os.PathLike) -> None:
    """Write backbone (config.json, model.safetensors) and tokenizer.json to `folder`; the head is not kept.

    `load_judge` and any `from_pretrained` read it. The folder is whole or absent.
    """
    folder = Path(folder)
    part = folder.with_name(f".{folder.name}.part")
    with disk_errors(folder), quietly():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        judge.backbone.save_pretrained(part)
        tokenizer.save(part)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)


@contextmanager
def quietly() -> Iterator[None]:
    """Without the progress bars and remarks of transformers."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
