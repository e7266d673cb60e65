"""The folder of an adapter of Hugging Face's PEFT (0.21): adapter_config.json and adapter_model.safetensors,
read and written without PEFT.

What PEFT merges is W0 + scale * B A with scale = alpha / r, or alpha / sqrt(r) for rank-stabilized LoRA
(Kalajdzievski 2023, arXiv:2312.03732), A (r, in) and B (out, r). Everything else that a configuration may ask
for is refused by name (`peft_config`).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING_MODULE, text_tensor
from pipeline.foreign import read_json_object
from pipeline.formats.peft_config import MLX_ADVICE, beyond_plain_lora, check_config, value_for
from pipeline.formats.safetensors import FLOATS, SafetensorsTensor, read_safetensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The files of a PEFT adapter's folder."""

MLX_WEIGHTS = "adapters.safetensors"
"""The file of an mlx-lm adapter's folder."""

TENSOR = re.compile(r"base_model\.model\.(?P<module>[\w.]+)\.lora_(?P<part>[AB])\.weight")
"""Names of the tensors: the module that A or B belongs to, by Hugging Face's name."""


class LoraPair(NamedTuple):
    """A (r, in) and B (out, r) of one matrix, and the scale of their product B A."""

    a: SafetensorsTensor
    b: SafetensorsTensor
    scale: float


class PeftFactors(NamedTuple):
    """A (r, in) and B (out, r) of one matrix, float32; the scale of B A is alpha / r."""

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    alpha: float


@dataclass(frozen=True)
class PeftContent:
    """What a PEFT adapter's folder is to contain.

    Attributes:
        config: the content of adapter_config.json.
        tensors: of adapter_model.safetensors by name, float32.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class PeftAdapter:
    """A PEFT adapter's folder whose configuration and list of tensors were read.

    Attributes:
        folder: the folder.
        config: the content of adapter_config.json.
        tensors: by name, as they are in adapter_model.safetensors.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, SafetensorsTensor]

    @property
    def beyond_plain_lora(self) -> list[str]:
        """Keys of the configuration that ask for more than A and B of linear layers."""
        return beyond_plain_lora(self.config)

    def pairs(self) -> dict[str, LoraPair]:
        """A, B and scale of each adapted matrix by its name in a text-only Hugging Face folder, such as
        `model.layers.0.mlp.up_proj.weight`; the prefixes of multimodal folders are taken off.

        Raises:
            InputError: not LoRA with nothing but A and B of linear layers; an A without its B, or another
                rank than configured.
        """
        check_config(self.folder / CONFIG, self.config)
        path, tensors = self.folder / WEIGHTS, self._tensors()
        found: dict[str, LoraPair] = {}
        for module in sorted({module for module, _ in tensors}):
            name = text_tensor(f"{module}.weight")
            if name is None:
                raise InputError(
                    f"{path}: changes {module}, which is not in the text decoder, the only part in use; "
                    "train with target_modules of the text decoder"
                )
            if name in found:
                raise InputError(f"{path}: has two A for {name}; save the adapter again")
            for part in "AB":
                if (module, part) not in tensors:
                    raise InputError(f"{path}: {name} lacks its {part}; save the adapter again")
            a, b = tensors[module, "A"], tensors[module, "B"]
            rank, configured = a.shape[0], value_for(self.config, "r", module)
            if b.shape[1] != rank or rank != configured:
                raise InputError(
                    f"{path}: {name} has A {a.shape} and B {b.shape}, {CONFIG} declares rank {configured}; "
                    "save the adapter again"
                )
            alpha = value_for(self.config, "lora_alpha", module)
            scale = alpha / math.sqrt(rank) if self.config.get("use_rslora") else alpha / rank
            found[name] = LoraPair(a, b, scale)
        if not found:
            raise InputError(f"{path}: holds no A and B; save the adapter again")
        return found

    def _tensors(self) -> dict[tuple[str, str], SafetensorsTensor]:
        """A and B by module and part.

        Raises:
            InputError: another tensor is among them.
        """
        path, found = self.folder / WEIGHTS, {}
        for name, tensor in self.tensors.items():
            if EMBEDDING_MODULE in name:
                raise InputError(
                    f"{path}: holds {name}: PEFT trains the embedding separately from the projection that "
                    "shares its matrix, and a merge "
                    f"would change both; train without {EMBEDDING_MODULE}"
                )
            match = TENSOR.fullmatch(name)
            if match is None:
                raise InputError(
                    f"{path}: holds {name}, which is no A or B of a matrix; only those are supported"
                )
            if tensor.dtype not in FLOATS or len(tensor.shape) != 2:
                raise InputError(
                    f"{path}: {name} is stored as {tensor.dtype} {tensor.shape}; expected a matrix in "
                    f"{', '.join(FLOATS)}"
                )
            found[match["module"], match["part"]] = tensor
        return found


def read_peft_folder(folder: Path) -> PeftAdapter:
    """Read the configuration and the list of tensors of a PEFT adapter; reads no tensor.

    Raises:
        InputError: a file is missing, damaged or truncated.
    """
    try:
        config = read_json_object(folder / CONFIG)
    except FileNotFoundError:
        raise InputError(
            f"{folder}: a folder without {CONFIG}; expected the folder of a PEFT adapter, with {CONFIG} and "
            f"{WEIGHTS}"
        ) from None
    if (folder / MLX_WEIGHTS).is_file() and not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: {MLX_ADVICE}")
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: {WEIGHTS} is missing; save the adapter again")
    return PeftAdapter(folder, config, read_safetensors(folder / WEIGHTS).tensors)


def lora_content(modules: Mapping[str, PeftFactors]) -> PeftContent:
    """A plain LoRA adapter for a causal language model.

    Args:
        modules: factors by Hugging Face's name of the module, such as `model.layers.0.mlp.up_proj`. Ranks may
            differ.
    """
    ranks = {module: factors.a.shape[0] for module, factors in modules.items()}
    smallest = min(modules, key=lambda module: ranks[module])
    r, alpha = ranks[smallest], modules[smallest].alpha
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": r,
        "lora_alpha": alpha,
        "rank_pattern": {re.escape(module): rank for module, rank in ranks.items() if rank != r},
        "alpha_pattern": {
            re.escape(name): each.alpha for name, each in modules.items() if each.alpha != alpha
        },
        "target_modules": sorted({module.rpartition(".")[2] for module in modules}),
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
    }
    tensors = {}
    for module, factors in modules.items():
        tensors[f"base_model.model.{module}.lora_A.weight"] = factors.a
        tensors[f"base_model.model.{module}.lora_B.weight"] = factors.b
    return PeftContent(config, tensors)


def ln_tuning_content(tensors: Mapping[str, NDArray[np.float32]]) -> PeftContent:
    """A "LN tuning" adapter (Zhao et al. 2023, arXiv:2312.11420) for a causal language model: PEFT replaces
    norms by others with the given scales.

    Args:
        tensors: the scales by their Hugging Face name, such as `model.layers.0.input_layernorm.weight`.
    """
    modules = [name.removesuffix(".weight") for name in tensors]
    config = {
        "peft_type": "LN_TUNING",
        "task_type": "CAUSAL_LM",
        "target_modules": sorted({module.rpartition(".")[2] for module in modules}),
        "inference_mode": True,
    }
    return PeftContent(
        config,
        {
            f"base_model.model.{module}.ln_tuning_layers.weight": tensors[f"{module}.weight"]
            for module in modules
        },
    )


def write_peft_folder(folder: Path, content: PeftContent) -> None:
    """Write a PEFT adapter's folder; equal content gives equal bytes."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(
        json.dumps(content.config, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    tensors = {
        name: np.ascontiguousarray(content.tensors[name], np.float32) for name in sorted(content.tensors)
    }
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
