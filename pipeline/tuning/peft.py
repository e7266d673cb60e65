"""LoRA adapters of Hugging Face's PEFT (0.21), read without it: adapter_config.json and adapter_model.safetensors.

What PEFT merges is W0 + scale * B A with scale = alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA (Kalajdzievski 2023,
arXiv:2312.03732), A (r, in) and B (out, r). Everything else that a configuration may ask for is refused by name.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.config import read_json
from pipeline.families.names import is_matrix
from pipeline.formats.safetensors import FLOATS, SafetensorsTensor, read_safetensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

WITHOUT_EFFECT = frozenset(
    (
        "alpha_pattern", "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config",
        "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern", "layers_to_transform",
        "loftq_config", "lora_alpha", "lora_dropout", "lora_ga_config", "megatron_config", "megatron_core", "peft_type",
        "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config", "target_modules", "task_type",
        "use_rslora",
    )
)  # fmt: skip
"""Keys of a configuration that are read here, or that change nothing in how stored A and B are merged into linear layers."""

NEUTRAL: tuple[Any, ...] = (None, False, "none", [], {}, "")
"""Values that ask for nothing."""

CHANGED_BASES = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin (init_lora_weights) that take something out of the base: A and B then belong to that residual, not to the base."""

TENSOR = re.compile(
    r"base_model\.model\.(?P<module>model\.layers\.\d+\.\w+\.\w+)\.lora_(?P<part>[AB])\.weight"
)

Matrix = tuple[tuple[int, int], Callable[[], Callable[[int, int], NDArray[np.float32]]]]


def read_peft(folder: Path) -> dict[str, Matrix]:
    """The additions of a PEFT adapter by Hugging Face name: shape (out, in), and a function that gives rows of them.

    Raises:
        InputError: no LoRA adapter of plain A and B for the matrices of a Gemma; names what is not, in one line.
    """
    return {
        name: ((b.shape[0], a.shape[1]), _rows(b, a, scale)) for name, (a, b, scale) in pairs(folder).items()
    }


def pairs(folder: Path) -> dict[str, tuple[SafetensorsTensor, SafetensorsTensor, float]]:
    """A (r, in), B (out, r) and scale of each adapted matrix by Hugging Face name.

    Raises:
        InputError: as `read_peft`.
    """
    config = read_json(folder / CONFIG)
    _check(folder / CONFIG, config)
    tensors = _tensors(folder / WEIGHTS)
    found = {}
    for name in sorted({name for name, _ in tensors}):
        try:
            a, b = tensors[name, "A"], tensors[name, "B"]
        except KeyError as missing:
            raise InputError(
                f"{folder / WEIGHTS}: {name} lacks its {missing.args[0][1]}; save it again"
            ) from None
        rank, module = a.shape[0], name.removesuffix(".weight")
        wanted = _pattern(config, "rank_pattern", "r", module)
        if b.shape[1] != rank or rank != wanted:
            raise InputError(
                f"{folder / WEIGHTS}: {name} has A {a.shape} and B {b.shape}, {CONFIG} says rank {wanted}; save it again"
            )
        alpha = _pattern(config, "alpha_pattern", "lora_alpha", module)
        found[name] = (a, b, alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank)
    if not found:
        raise InputError(f"{folder / WEIGHTS}: holds no A and B; save it again")
    return found


def _check(path: Path, config: dict[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise InputError(f"{path}: peft_type is {config.get('peft_type')!r}, expected 'LORA'")
    asked = [key for key, value in config.items() if key not in WITHOUT_EFFECT and value not in NEUTRAL]
    if asked:
        key = asked[0]
        raise InputError(
            f"{path}: {key} is {config[key]!r:.60}: only plain LoRA (A and B of linear layers) is carried; merge it with PEFT "
            "(merge_and_unload) and convert the result"
        )
    start = str(config.get("init_lora_weights", "")).lower()
    if start.startswith(CHANGED_BASES):
        raise InputError(
            f"{path}: init_lora_weights is {start!r}: it was trained on a changed base; save it with PEFT's "
            "path_initial_model_for_weight_conversion, or merge it with PEFT"
        )


def _tensors(path: Path) -> dict[tuple[str, str], SafetensorsTensor]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; a PEFT adapter is {CONFIG} and {WEIGHTS}")
    found = {}
    for key, tensor in read_safetensors(path).tensors.items():
        if "embed_tokens" in key:
            raise InputError(
                f"{path}: holds {key}: PEFT trains the embedding's lookup apart from the projection that shares its matrix, a merge "
                "would change both; train without embed_tokens"
            )
        match = TENSOR.fullmatch(key)
        name = f"{match['module']}.weight" if match else ""
        if match is None or not is_matrix(name):
            raise InputError(
                f"{path}: holds {key}, which is no A or B of a Gemma's matrices; only those are carried"
            )
        if tensor.dtype not in FLOATS or len(tensor.shape) != 2:
            raise InputError(
                f"{path}: {key} is stored as {tensor.dtype}; expected a matrix in F32, F16 or BF16"
            )
        found[name, match["part"]] = tensor
    return found


def _pattern(config: dict[str, Any], patterns: str, default: str, module: str) -> Any:
    """The value of a module: that of the first pattern that fits the end of its name, as PEFT looks them up."""
    for pattern, value in (config.get(patterns) or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return config.get(default)


def _rows(
    b: SafetensorsTensor, a: SafetensorsTensor, scale: float
) -> Callable[[], Callable[[int, int], NDArray[np.float32]]]:
    def make() -> Callable[[int, int], NDArray[np.float32]]:
        # Summed in float64 and rounded once, as ours: the last bit then depends on no BLAS.
        left, right = (tensor.read(0, tensor.shape[0]).astype(np.float64) for tensor in (b, a))
        return lambda start, stop: (left[start:stop] @ right * scale).astype(np.float32)

    return make
