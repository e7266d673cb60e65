"""The adapter file: one safetensors file with every A and B, what it belongs to, and how it is to be rounded if it was trained for that."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.quantization.rounding import Quantized, with_scales
from pipeline.quantization.schemes import SCHEMES

if TYPE_CHECKING:
    import keras_hub

FORMAT = "pocketgemma-lora-1"

SCALES = ".scales"
"""Ends the names of tensors that hold scales."""


@dataclass(frozen=True)
class Adapter:
    """LoRA tensors in Keras's layout.

    Attributes:
        rank: columns of every A.
        alpha: scale is alpha / rank.
        targets: short names of the adapted matrices.
        base_digest: digest of the preset that it was trained on.
        tensors: name of the matrix (`decoder_block_0.query`) -> (A of kernel.shape[:-1] + (rank,), B of (rank, kernel.shape[-1])), float32.
        recipe: name of the scheme that it was trained for (quantisation-aware); empty for an ordinary adapter.
        scales: Hugging Face name of a matrix -> its scales (out, blocks), float32, for every matrix of the model; empty for an
            ordinary adapter.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    base_digest: str
    tensors: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    recipe: str = ""
    scales: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def quantized(self, name: str, matrix: NDArray[np.float32]) -> Quantized:
        """The integers that training saw for a matrix, of an adapter that was trained quantisation-aware.

        Args:
            name: its Hugging Face name.
            matrix: merged, (out, in), float32.

        Raises:
            InputError: the adapter has no scales for it.
        """
        if name not in self.scales:
            raise InputError(
                f"{name}: the adapter has no scales for it; it was trained for another model, or without finetune.quantization_aware"
            )
        return with_scales(matrix, self.scales[name], SCHEMES[self.recipe].bits_of(name))

    def save(self, path: Path) -> None:
        """Write the file; the same tensors give the same bytes."""
        arrays = {name + SCALES: np.ascontiguousarray(self.scales[name]) for name in sorted(self.scales)}
        for name in sorted(self.tensors):
            a, b = self.tensors[name]
            arrays[f"{name}.lora_a"] = np.ascontiguousarray(a, np.float32)
            arrays[f"{name}.lora_b"] = np.ascontiguousarray(b, np.float32)
        # One value only: safetensors writes the entries of a larger header in no fixed order.
        header = {
            "format": FORMAT,
            "rank": self.rank,
            "alpha": self.alpha,
            "targets": self.targets,
            "base_digest": self.base_digest,
        } | ({"recipe": self.recipe} if self.scales else {})
        save_file(arrays, str(path), metadata={"pocketgemma": json.dumps(header, sort_keys=True)})

    @classmethod
    def load(cls, path: Path) -> "Adapter":
        """Read the file.

        Raises:
            InputError: missing, damaged or not an adapter of this kind; an A without its B; scales of an unknown recipe.
        """
        try:
            with safe_open(str(path), framework="numpy") as file:
                header = json.loads((file.metadata() or {}).get("pocketgemma", "{}"))
                arrays = {key: file.get_tensor(key) for key in file.keys()}
        except FileNotFoundError:
            raise InputError(f"{path}: no such adapter file") from None
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{path}: damaged, or not a safetensors file: {error}") from None
        if header.get("format") != FORMAT:
            raise InputError(
                f"{path}: not a {FORMAT} file; expected the adapter.safetensors of a finetune stage"
            )
        scales = {key.removesuffix(SCALES): arrays.pop(key) for key in list(arrays) if key.endswith(SCALES)}
        recipe = header.get("recipe", "")
        if bool(scales) != (recipe in SCHEMES):
            raise InputError(
                f"{path}: holds {len(scales)} scales for the recipe {recipe!r}; known are {', '.join(SCHEMES)}; train it again"
            )
        names = sorted({key.rpartition(".")[0] for key in arrays})
        missing = [
            f"{name}.{part}"
            for name in names
            for part in ("lora_a", "lora_b")
            if f"{name}.{part}" not in arrays
        ]
        if missing or not names:
            raise InputError(f"{path}: lacks {', '.join(missing) or 'all tensors'}; train it again")
        tensors = {name: (arrays[f"{name}.lora_a"], arrays[f"{name}.lora_b"]) for name in names}
        return cls(
            header["rank"],
            header["alpha"],
            tuple(header["targets"]),
            header["base_digest"],
            tensors,
            recipe,
            scales,
        )

    @classmethod
    def of_backbone(
        cls,
        backbone: "keras_hub.models.Backbone",
        layers: Mapping[str, Any],
        base_digest: str,
        recipe: str = "",
        scales: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> "Adapter":
        """Take the trained tensors out of the layers that `enable_lora` returned; recipe and scales if rounding was on."""
        from keras import ops

        tensors = {
            name: (
                np.array(ops.convert_to_numpy(layer.lora_kernel_a)),
                np.array(ops.convert_to_numpy(layer.lora_kernel_b)),
            )
            for name, layer in layers.items()
        }
        first = next(iter(layers.values()))
        targets = tuple(dict.fromkeys(name.rpartition(".")[2] for name in layers))
        return cls(
            first.lora_rank, float(first.lora_alpha), targets, base_digest, tensors, recipe, scales or {}
        )
