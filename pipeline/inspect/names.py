"""Which matrix of the network a constant of a .tflite is, by what the converter left of the module's path in tensor names.

litert-torch names a tensor after the PyTorch modules that it came from, as in
`….LiteRTExportableModule…/….Gemma3ForCausalLM_model/….Gemma3DecoderLayer_5/….Gemma3Attention_self_attn/….Linear_q_proj`, several of
them joined by `;;` when operations were fused. One tensor's name may so tell of several matrices, and each signature names anew.
"""

import re
from collections.abc import Hashable, Mapping, Sequence, Set
from typing import TypeVar

from pipeline.families.names import EMBEDDING

Key = TypeVar("Key", bound=Hashable)

_MODULE = re.compile(r"[^/;]*\.[A-Za-z0-9]+_(\w+)$")
_PROJECTION = re.compile(r"_(proj|projection|head|tokens|gate|embed\w*)$|^(per_layer\w*|altup\w*|laurel\w*)$")


def module_paths(name: str) -> set[str]:
    """Hugging Face names of the matrices that a tensor's name tells of, such as `model.layers.5.self_attn.q_proj.weight`."""
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
        candidates: the names of its tensors, and of what is computed with it.
        looked_up: those that are read row by row by token id: embeddings.

    Returns:
        Hugging Face's name where it follows; other constants are left out.
    """
    told: dict[Key, set[str]] = {}
    for constant, names in candidates.items():
        agreed = [found for name in names if (found := module_paths(name))]
        # What all signatures agree on.
        told[constant] = set.intersection(*agreed) if agreed else set()
    known: dict[Key, str] = {}
    settled = True
    while settled:
        settled = False
        for constant, paths in told.items():
            left = paths - set(known.values())
            if constant not in known and len(left) == 1:
                known[constant] = left.pop()
                settled = True
    # One unnamed table that is looked up by token id is the tied embedding; of several nobody knows which.
    tables = [constant for constant in looked_up if constant not in known]
    if len(tables) == 1 and EMBEDDING not in known.values():
        known[tables[0]] = EMBEDDING
    return known


def short_name(name: str) -> str:
    """The last word of a name, its numbers made alike: what is told together. `model.layers.5.mlp.up_proj.weight` is `up_proj`."""
    last = re.split(r"[/;]", name.rstrip(";/"))[-1]
    if last.endswith(".weight"):
        return last.removesuffix(".weight").rpartition(".")[2]
    return re.sub(r"\d+", "*", last.rpartition(".")[2] or last)
