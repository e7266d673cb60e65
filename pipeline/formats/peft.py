"""The folder of an adapter of Hugging Face's PEFT (0.21): adapter_config.json and adapter_model.safetensors,
read and written without PEFT.

What PEFT merges is W0 + scale * B A with A (r, in), B (out, r) and the scale of `lora_scale`, or with DoRA
the same with each row rescaled to a magnitude (Liu et al. 2024, arXiv:2402.09353). Everything else that a
configuration may ask for is refused by name (`peft_config`).
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING_MODULE, text_tensor
from pipeline.foreign import read_json_object
from pipeline.formats.lora_scale import CLASSIC, RANK_STABILIZED, lora_scale
from pipeline.formats.peft_config import MLX_ADVICE, beyond_lora, check_config, value_for
from pipeline.formats.safetensors import FLOATS, SafetensorsTensor, read_safetensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The files of a PEFT adapter's folder."""

MLX_WEIGHTS = "adapters.safetensors"
"""The file of an mlx-lm adapter's folder."""

MAGNITUDE = "lora_magnitude_vector"

TENSOR = re.compile(
    rf"base_model\.model\.(?P<module>[\w.]+)\.(?P<part>lora_A\.weight|lora_B\.weight|{MAGNITUDE})"
)
"""Names of the tensors: the module that a part belongs to, by Hugging Face's name."""

PARTS = {"A": "lora_A.weight", "B": "lora_B.weight", "magnitude": MAGNITUDE}
"""The parts of an adapted matrix in the names of the tensors, by their names in messages."""


class LoraPair(NamedTuple):
    """A (r, in) and B (out, r) of one matrix, the scale of their product B A, and DoRA's magnitude (out,)."""

    a: SafetensorsTensor
    b: SafetensorsTensor
    scale: float
    magnitude: SafetensorsTensor | None = None


class PeftFactors(NamedTuple):
    """A (r, in) and B (out, r) of one matrix, the alpha of their scale, and DoRA's magnitude (out,);
    float32."""

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    alpha: float
    magnitude: NDArray[np.float32] | None = None


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
    def beyond_lora(self) -> list[str]:
        """Keys of the configuration that ask for more than LoRA or DoRA of linear layers."""
        return beyond_lora(self.config)

    @property
    def scaling(self) -> str:
        """How the scales follow from alpha and rank, a name in DIVISORS."""
        return RANK_STABILIZED if self.config.get("use_rslora") else CLASSIC

    def pairs(self) -> dict[str, LoraPair]:
        """The parts and the scale of each adapted matrix by its name in a text-only Hugging Face folder, such
        as `model.layers.0.mlp.up_proj.weight`; the prefixes of multimodal folders are taken off.

        Raises:
            InputError: not LoRA or DoRA of linear layers; a matrix lacks a part, or one has another shape
                than the others or than configured.
        """
        check_config(self.folder / CONFIG, self.config)
        dora = bool(self.config.get("use_dora"))
        parts = [part for part in PARTS if dora or part != "magnitude"]
        path, tensors = self.folder / WEIGHTS, self._tensors(parts)
        found: dict[str, LoraPair] = {}
        for module in sorted({module for module, _ in tensors}):
            name = text_tensor(f"{module}.weight")
            if name is None:
                raise InputError(
                    f"{path}: changes {module}, which is not in the text decoder, the only part that is "
                    "used; restrict target_modules to the text decoder"
                )
            if name in found:
                raise InputError(f"{path}: has two A matrices for {name}; save the adapter again")
            for part in parts:
                if (module, part) not in tensors:
                    raise InputError(f"{path}: {name} lacks its {part}; save the adapter again")
            a, b, magnitude = (tensors.get((module, part)) for part in PARTS)
            assert a and b
            rank, configured = a.shape[0], value_for(self.config, "r", module)
            if b.shape[1] != rank or rank != configured:
                raise InputError(
                    f"{path}: {name} has A {a.shape} and B {b.shape}, but {CONFIG} declares rank "
                    f"{configured}; save the adapter again"
                )
            if magnitude and magnitude.shape != b.shape[:1]:
                raise InputError(
                    f"{path}: {name} has B {b.shape} and a magnitude {magnitude.shape}, expected "
                    f"{b.shape[:1]}; save the adapter again"
                )
            alpha = value_for(self.config, "lora_alpha", module)
            found[name] = LoraPair(a, b, lora_scale(alpha, rank, self.scaling), magnitude)
        if not found:
            raise InputError(f"{path}: contains no A and B matrices; save the adapter again")
        return found

    def _tensors(self, parts: Collection[str]) -> dict[tuple[str, str], SafetensorsTensor]:
        """The tensors by module and part.

        Raises:
            InputError: another tensor is among them.
        """
        path, found = self.folder / WEIGHTS, {}
        part_of = {PARTS[part]: part for part in parts}
        for name, tensor in self.tensors.items():
            if EMBEDDING_MODULE in name:
                raise InputError(
                    f"{path}: contains {name}: PEFT trains the embedding separately from the projection that "
                    f"shares its matrix, but a merge would change both; train without {EMBEDDING_MODULE}"
                )
            match = TENSOR.fullmatch(name)
            if match is None or match["part"] not in part_of:
                what = "A, B or magnitude" if "magnitude" in parts else "A or B"
                raise InputError(f"{path}: contains unsupported tensor {name}; expected {what} of a matrix")
            part = part_of[match["part"]]
            if tensor.dtype not in FLOATS or len(tensor.shape) != (1 if part == "magnitude" else 2):
                raise InputError(
                    f"{path}: {name} is stored as {tensor.dtype} {tensor.shape}; expected a "
                    f"{'vector' if part == 'magnitude' else 'matrix'} in {', '.join(FLOATS)}"
                )
            found[match["module"], part] = tensor
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
            f"{folder}: {CONFIG} is missing; expected the folder of a PEFT adapter, with {CONFIG} and "
            f"{WEIGHTS}"
        ) from None
    if (folder / MLX_WEIGHTS).is_file() and not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: {MLX_ADVICE}")
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: {WEIGHTS} is missing; save the adapter again")
    return PeftAdapter(folder, config, read_safetensors(folder / WEIGHTS).tensors)


def lora_content(modules: Mapping[str, PeftFactors], scaling: str = CLASSIC) -> PeftContent:
    """A LoRA or DoRA adapter for a causal language model.

    Args:
        modules: factors by Hugging Face's name of the module, such as `model.layers.0.mlp.up_proj`, all with
            a magnitude or none. Ranks may differ.
        scaling: how the scales follow from alpha and rank.
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
    if scaling == RANK_STABILIZED:
        config["use_rslora"] = True
    if any(factors.magnitude is not None for factors in modules.values()):
        config["use_dora"] = True
    tensors = {
        f"base_model.model.{module}.{PARTS[part]}": values
        for module, factors in modules.items()
        for part, values in (("A", factors.a), ("B", factors.b), ("magnitude", factors.magnitude))
        if values is not None
    }
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
