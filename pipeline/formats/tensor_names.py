"""Which matrix of the network a constant of a .tflite is, by what the converter kept of the module's path in
tensor names.

litert-torch names a tensor after the PyTorch modules that it came from, as in
`….Gemma3ForCausalLM_model/….Gemma3DecoderLayer_5/….Gemma3Attention_self_attn/….Linear_q_proj`, several of
them joined by `;;` when operations were fused. So one tensor's name can contain several matrices, and each
signature has other names.
"""

import re
from collections.abc import Hashable, Mapping, Sequence, Set
from typing import TypeVar

from pipeline.families.names import EMBEDDING

Key = TypeVar("Key", bound=Hashable)

_MODULE = re.compile(r"[^/;]*\.[A-Za-z0-9]+_(\w+)$")
_PROJECTION = re.compile(r"_(proj|projection|head|tokens|gate|embed\w*)$|^(per_layer\w*|altup\w*|laurel\w*)$")


def module_paths(name: str) -> set[str]:
    """Hugging Face names of the matrices that a tensor's name contains, such as
    `model.layers.5.self_attn.q_proj.weight`."""
    found = set()
    for path in name.split(";"):
        parts = [match[1] for part in path.split("/") if (match := _MODULE.match(part))]
        if not parts or not _PROJECTION.search(parts[-1]):
            continue
        # Beneath the causal LM's own `model` lies the decoder's; Hugging Face's names count it once.
        while parts[:2] == ["model", "model"]:
            del parts[0]
        dotted = [f"layers.{part}" if part.isdigit() else part for part in parts]
        found.add(".".join([*dotted, "weight"]))
    return found


def name_matrices(candidates: Mapping[Key, Sequence[str]], looked_up: Set[Key]) -> dict[Key, str]:
    """A name for each constant.

    Args:
        candidates: for each constant, the names of its tensors, and of what is computed with it.
        looked_up: the constants that are read row by row by token id: embeddings.

    Returns:
        The Hugging Face name of each constant whose name follows from the candidates.
    """
    possible: dict[Key, set[str]] = {}
    for constant, names in candidates.items():
        agreed = [found for name in names if (found := module_paths(name))]
        # What all signatures agree on.
        possible[constant] = set.intersection(*agreed) if agreed else set()
    known: dict[Key, str] = {}
    settled = True
    while settled:
        settled = False
        for constant, paths in possible.items():
            left = paths - set(known.values())
            if constant not in known and len(left) == 1:
                known[constant] = left.pop()
                settled = True
    # One unnamed table that is looked up by token id is the tied embedding; among several the names do not
    # say which.
    tables = [constant for constant in looked_up if constant not in known]
    if len(tables) == 1 and EMBEDDING not in known.values():
        known[tables[0]] = EMBEDDING
    return known


def short_name(name: str) -> str:
    """What the names of one kind of matrix have in common: `model.layers.5.mlp.up_proj.weight` is `up_proj`,
    `constant7` is `constant*`."""
    last = re.split(r"[/;]", name.rstrip(";/"))[-1]
    if last.endswith(".weight"):
        return last.removesuffix(".weight").rpartition(".")[2]
    return re.sub(r"\d+", "*", last.rpartition(".")[2] or last)


def natural(name: str) -> list[tuple[int, str]]:
    """A sort key by which layer 10 comes after layer 9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
