"""An adapter as one pair A (in, rank), B (rank, out) for each attention matrix, as runtimes that know plain LoRA take it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.formats.peft import read_peft_folder
from pipeline.tuning.adapter import Adapter

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A (in, rank) and B (rank, out), float32, so that an output row gets x A B."""

MODULES = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output"}
"""Hugging Face's module of each matrix that LiteRT-LM's run-time adapters know -> its short name."""

ATTENTION = tuple(MODULES.values())

MERGE_INSTEAD = "merge it into the model instead: `pocketgemma graft`, or convert.adapters: merged"


def attention_factors(adapter: Adapter) -> dict[tuple[str, int], Factors]:
    """The A and B of each adapted matrix by (target, layer), the scale folded into B.

    Keras gives the heads of a query, key or value kernel (heads, hidden, head_dim) an A each, (heads, hidden, r), and one B together,
    (r, head_dim). As one pair that is A = [A1 | … | Ah] and B = blockdiag(B, …, B) of rank heads * r, exactly. The output kernel
    (heads, head_dim, hidden) has A (heads, head_dim, r), which is (heads * head_dim, r) in one, and B (r, hidden).

    Raises:
        InputError: the adapter touches more than attention, or has scales of its own, which live in the rounded base.
    """
    _refuse_others(target for target in adapter.targets if target not in ATTENTION)
    if adapter.scales:
        raise InputError(
            "the adapter was trained with scales for the rounded matrices, and those are the base's at run time; "
            + MERGE_INSTEAD
        )
    found = {}
    for name, (a, b) in adapter.tensors.items():
        block, _, target = name.rpartition(".")
        layer = int(block.rpartition("_")[2])
        found[target, layer] = _pair(target, a, b * np.float32(adapter.scale))
    return found


def peft_factors(folder: Path) -> dict[tuple[str, int], Factors]:
    """The same of a PEFT adapter's folder: A and B turned round, the scale folded into B.

    Raises:
        InputError: no plain LoRA adapter, or one that touches more than attention.
    """
    found, others = {}, []
    for name, (a, b, scale) in read_peft_folder(folder).pairs().items():
        place = re.fullmatch(r"model\.layers\.(\d+)\.self_attn\.(\w+)\.weight", name)
        if place is None or place[2] not in MODULES:
            others.append(name.removesuffix(".weight").rpartition(".")[2])
            continue
        left, right = (tensor.read(0, tensor.shape[0]).astype(np.float32).T for tensor in (a, b))
        found[MODULES[place[2]], int(place[1])] = (
            np.ascontiguousarray(left),
            np.ascontiguousarray(right * np.float32(scale)),
        )
    _refuse_others(others)
    return found


def _refuse_others(others: Iterable[str]) -> None:
    names = list(dict.fromkeys(others))
    if names:
        raise InputError(
            f"the adapter touches {', '.join(names)}, the runtime's adapters know only {', '.join(ATTENTION)}; {MERGE_INSTEAD}"
        )


def _pair(target: str, a: NDArray[np.float32], b: NDArray[np.float32]) -> Factors:
    heads, _, rank = a.shape
    if target == "output":
        return np.ascontiguousarray(a.reshape(-1, rank)), b
    blocks = np.zeros((heads * rank, heads * b.shape[1]), np.float32)
    for head in range(heads):
        blocks[head * rank : (head + 1) * rank, head * b.shape[1] : (head + 1) * b.shape[1]] = b
    return np.ascontiguousarray(np.concatenate(a, axis=1)), blocks


def rank_of(factors: Mapping[tuple[str, int], Factors]) -> int:
    """The largest rank among them; 0 when there are none."""
    return max((a.shape[1] for a, _ in factors.values()), default=0)
