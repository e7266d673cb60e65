"""The adapter file: one safetensors file with every A and B, and what it belongs to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.tuning.lora import enable_lora

if TYPE_CHECKING:
    import keras_hub

FORMAT = "pocketgemma-lora-1"


@dataclass(frozen=True)
class Adapter:
    """LoRA tensors in Keras's layout.

    Attributes:
        rank: columns of every A.
        alpha: scale is alpha / rank.
        targets: short names of the adapted matrices.
        base_digest: digest of the preset that it was trained on.
        tensors: name of the matrix (`decoder_block_0.query`) -> (A of kernel.shape[:-1] + (rank,), B of (rank, kernel.shape[-1])), float32.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    base_digest: str
    tensors: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def save(self, path: Path) -> None:
        """Write the file; the same tensors give the same bytes."""
        arrays = {}
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
        }
        save_file(arrays, str(path), metadata={"pocketgemma": json.dumps(header, sort_keys=True)})

    @classmethod
    def load(cls, path: Path) -> "Adapter":
        """Read the file.

        Raises:
            InputError: missing, damaged or not an adapter of this kind; an A without its B.
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
        return cls(header["rank"], header["alpha"], tuple(header["targets"]), header["base_digest"], tensors)

    @classmethod
    def of_backbone(
        cls, backbone: "keras_hub.models.Backbone", layers: Mapping[str, Any], base_digest: str
    ) -> "Adapter":
        """Take the trained tensors out of the layers that `enable_lora` returned."""
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
        return cls(first.lora_rank, float(first.lora_alpha), targets, base_digest, tensors)

    def attach(self, backbone: "keras_hub.models.Backbone") -> None:
        """Enable LoRA on a freshly loaded backbone and put these tensors in.

        Raises:
            InputError: a matrix is missing or of another shape: the adapter belongs to another base.
        """
        layers = enable_lora(backbone, self.rank, self.alpha, self.targets)
        if set(layers) != set(self.tensors):
            raise InputError(
                f"the adapter has {len(self.tensors)} matrices, this model {len(layers)}: it belongs to another base"
            )
        for name, layer in layers.items():
            a, b = self.tensors[name]
            if a.shape != tuple(layer.lora_kernel_a.shape) or b.shape != tuple(layer.lora_kernel_b.shape):
                expected = f"{tuple(layer.lora_kernel_a.shape)} and {tuple(layer.lora_kernel_b.shape)}"
                raise InputError(
                    f"{name}: the adapter's A and B are {a.shape} and {b.shape}, this model takes {expected}"
                )
            layer.lora_kernel_a.assign(a)
            layer.lora_kernel_b.assign(b)
