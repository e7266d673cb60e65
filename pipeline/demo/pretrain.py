"""Pretrain the demo's base: a Gemma 3 of 1.6 million weights, on one processor core, in a quarter of an hour;
or a larger one.

The model is transformers' own Gemma 3, compiled. Where the processor multiplies bfloat16 (avx512_bf16, AMX)
the products are taken in it, which is five times as fast; weights and optimizer stay float32. Several
documents share a row, each blind to the others. The rate is flat, so a run can be given more steps while it
is under way, and what is exported is a moving average of the weights, usable at any time (as good as letting
the rate fall: Hägele et al. 2024, arXiv:2405.18392, section 4).

Longer is not better: README.md says what 3,750 and 6,000 steps gave.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.demo.text import Document, document
from pipeline.demo.tokenizer import BOS_ID, EOS_ID, PAD_ID, VOCABULARY_SIZE
from pipeline.families.turns import CHAT

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from transformers import Gemma3ForCausalLM

SLIDING_WINDOW = 512
"""As Gemma 3 1B; five of six layers see this far back."""

ROW_LENGTH = 96
ROWS = 64
QUESTION_WEIGHT = 0.1
"""What the loss on a question's tokens counts: which question is asked cannot be foreseen, so it is mostly
noise."""


@dataclass(frozen=True)
class Size:
    """The widths of the model; by default those of the committed base."""

    layers: int = 6
    hidden: int = 128
    heads: int = 4
    head_dim: int = 32
    feed_forward: int = 512


@dataclass(frozen=True)
class Schedule:
    """How long and how fast, and how many rows of tokens a step sees."""

    steps: int = 2_000
    warmup: int = 200
    rate: float = 3e-3
    seed: int = 5
    rows: int = ROWS

    def rate_at(self, step: int) -> float:
        return self.rate * min(1.0, (step + 1) / self.warmup)


@dataclass(frozen=True)
class Rows:
    """One batch: token ids, their document's number within the row (0: padding), and the weight of each token
    as a target; (rows, ROW_LENGTH)."""

    ids: np.ndarray
    segments: np.ndarray
    weights: np.ndarray


def encode(tokenizer: "SentencePieceProcessor", text: Document) -> tuple[list[int], list[float]]:
    """Token ids of a document and the weight of each as a target."""
    if isinstance(text, str):
        ids = [BOS_ID, *tokenizer.encode(text), EOS_ID]
        return ids, [1.0] * len(ids)
    ids, weights = [BOS_ID], [0.0]
    for turn in text:
        question = tokenizer.encode(CHAT.user_prefix + turn.prompt + CHAT.turn_suffix + CHAT.model_prefix)
        answer = tokenizer.encode(turn.response + CHAT.turn_suffix)
        ids += question + answer
        weights += [QUESTION_WEIGHT] * len(question) + [1.0] * len(answer)
    return ids, weights


def batch(tokenizer: "SentencePieceProcessor", seed: int, step: int, rows: int = ROWS) -> Rows:
    """The batch of a step, always the same: documents are put into the first row with room until one finds
    none."""
    rng = random.Random(f"{seed}:{step}")
    ids = np.full((rows, ROW_LENGTH), PAD_ID, np.int64)
    segments = np.zeros((rows, ROW_LENGTH), np.int64)
    weights = np.zeros((rows, ROW_LENGTH), np.float32)
    filled = [0] * rows
    documents = [0] * rows
    misses = 0
    while misses < 24:
        tokens, token_weights = encode(tokenizer, document(rng))
        row = next((i for i, length in enumerate(filled) if length + len(tokens) <= ROW_LENGTH), None)
        if row is None:
            misses += 1
            continue
        start, end = filled[row], filled[row] + len(tokens)
        documents[row] += 1
        ids[row, start:end] = tokens
        segments[row, start:end] = documents[row]
        weights[row, start:end] = token_weights
        filled[row] = end
    return Rows(ids, segments, weights)


def new_model(size: Size = Size()) -> "Gemma3ForCausalLM":
    """The architecture with fresh weights, in float32."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=1,
        head_dim=size.head_dim,
        query_pre_attn_scalar=size.head_dim,
        sliding_window=SLIDING_WINDOW,
        max_position_embeddings=2048,
        pad_token_id=PAD_ID,
        eos_token_id=EOS_ID,
        bos_token_id=BOS_ID,
        attn_implementation="eager",
    )
    model: Gemma3ForCausalLM = Gemma3ForCausalLM(config)
    model.float()
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.02 if "embed" in name else 1 / math.sqrt(weight.shape[1]))
    return model


def _loss_function(model: "Gemma3ForCausalLM", bfloat16: bool) -> Callable[..., Any]:
    import torch

    causal = torch.tril(torch.ones(ROW_LENGTH, ROW_LENGTH, dtype=torch.bool))
    positions = torch.arange(ROW_LENGTH)[
        None
    ]  # rotary embeddings know distances only, so a document may begin anywhere
    dtype = torch.bfloat16 if bfloat16 else torch.float32

    def loss(ids: Any, segments: Any, weights: Any) -> Any:
        visible = (segments[:, None, :, None] == segments[:, None, None, :]) & causal
        mask = torch.where(visible, 0.0, -1e9).to(dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            hidden = model.model(
                input_ids=ids,
                attention_mask={
                    "full_attention": mask,
                    "sliding_attention": mask,
                },  # no row is as long as the window
                position_ids=positions,
                use_cache=False,
            ).last_hidden_state
            logits = model.lm_head(hidden[:, :-1])
        same = segments[:, 1:] == segments[:, :-1]
        target_weights = (weights[:, 1:] * same).flatten()
        losses = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        return (losses * target_weights).sum() / target_weights.sum()

    compiled: Callable[..., Any] = torch.compile(loss)
    return compiled


def pretrain(
    tokenizer_path: Path,
    work: Path,
    schedule: Schedule,
    threads: int,
    bfloat16: bool,
    size: Size = Size(),
    keep_every: int = 250,
) -> Path:
    """Train, or go on with what `work` holds, and return the file of the averaged weights.

    Args:
        tokenizer_path: the SentencePiece model.
        work: a folder for `state.pt` (everything needed to go on) and `average.pt` (the averaged weights),
            both written every `keep_every` steps.
        schedule: how long and how fast.
        threads: processor cores to use.
        bfloat16: take products in bfloat16.
        size: of the model.
        keep_every: steps between two writes.
    """
    import torch
    from sentencepiece import SentencePieceProcessor

    torch.set_num_threads(threads)
    torch.manual_seed(schedule.seed)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = SentencePieceProcessor(model_file=str(tokenizer_path))
    model = new_model(size)
    average = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    step = 0
    state_path, average_path = work / "state.pt", work / "average.pt"
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average, step = state["average"], state["step"]
    loss_function = _loss_function(model, bfloat16)
    started, tokens = time.time(), 0
    while step < schedule.steps:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(step)
        rows = batch(tokenizer, schedule.seed, step, schedule.rows)
        loss = loss_function(*(torch.from_numpy(array) for array in (rows.ids, rows.segments, rows.weights)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        tokens += int((rows.segments > 0).sum())
        keep = min(0.995, step / (step + 10))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                average[name].lerp_(weight, 1 - keep)
        if step % 50 == 0:
            seconds = time.time() - started
            print(
                f"step {step}/{schedule.steps} loss {loss.item():.4f} {seconds:.0f} s {tokens / seconds:.0f} "
                "tokens/s",
                flush=True,
            )
        if step % keep_every == 0 or step == schedule.steps:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average,
                "step": step,
            }
            for path, content in ((state_path, state), (average_path, average)):
                torch.save(content, path.with_suffix(".new"))
                path.with_suffix(".new").replace(path)
    return average_path
