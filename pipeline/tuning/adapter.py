"""A trained adapter in memory: every A and B, what they belong to, and the scales if it was trained for a quantization recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import (
    AdapterHeader,
    read_adapter_safetensors,
    write_adapter_safetensors,
)
from pipeline.quantization.rounding import Quantized, with_scales
from pipeline.quantization.schemes import SCHEMES

if TYPE_CHECKING:
    import keras_hub


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
        header = AdapterHeader(self.rank, self.alpha, self.targets, self.base_digest, self.recipe)
        write_adapter_safetensors(path, header, self.tensors, self.scales)

    @classmethod
    def load(cls, path: Path) -> "Adapter":
        """Read the file.

        Raises:
            InputError: as `read_adapter_safetensors`; scales of an unknown recipe.
        """
        file = read_adapter_safetensors(path)
        header = file.header
        if bool(file.scales) != (header.recipe in SCHEMES):
            raise InputError(
                f"{path}: has {len(file.scales)} tensors of scales for the recipe {header.recipe!r}; known recipes are "
                f"{', '.join(SCHEMES)}; train it again"
            )
        return cls(
            header.rank,
            header.alpha,
            header.targets,
            header.base_digest,
            {name: (a.read_all(), b.read_all()) for name, (a, b) in file.factors.items()},
            header.recipe,
            {name: scales.read_all() for name, scales in file.scales.items()},
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
