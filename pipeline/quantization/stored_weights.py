"""The weights of a Hugging Face folder, read into a model of transformers one module at a time: calibration
goes through the layers in order, and the whole model in float32 may not fit into memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from pipeline.errors import PocketGemmaError
from pipeline.formats.safetensors import float_tensors
from pipeline.gemma.presets import weight_files


class Weights(Protocol):
    """Where the weights of a model's layers come from."""

    def read(self, layer: nn.Module) -> None:
        """Give a layer its weights."""

    def release(self, layer: nn.Module) -> None:
        """Free the memory of a layer's weights."""


class LoadedWeights:
    """Those of a model that is in memory as a whole."""

    def read(self, layer: nn.Module) -> None:
        """Nothing to do."""

    def release(self, layer: nn.Module) -> None:
        """Nothing to do."""


class StoredWeights:
    """Those of a Hugging Face folder, as float32."""

    def __init__(self, model: nn.Module, folder: Path) -> None:
        self._folder = folder
        self._names = {module: name for name, module in model.named_modules()}
        self._tensors = {
            name: tensor for path in weight_files(folder) for name, tensor in float_tensors(path).items()
        }

    def read(self, layer: nn.Module) -> None:
        """Give a layer its weights.

        Raises:
            PocketGemmaError: the folder lacks one of them.
        """
        self._read(layer, layer.state_dict())

    def read_others(self, module: nn.Module, layers: Iterable[nn.Module]) -> None:
        """Give a module the weights that are in none of its layers.

        Raises:
            PocketGemmaError: the folder lacks one of them.
        """
        inside = {id(tensor) for layer in layers for tensor in layer.state_dict(keep_vars=True).values()}
        state = module.state_dict(keep_vars=True)
        self._read(module, [name for name, tensor in state.items() if id(tensor) not in inside])

    def release(self, layer: nn.Module) -> None:
        """Free the memory of a layer's weights."""
        empty = {name: tensor.to("meta") for name, tensor in layer.state_dict().items()}
        layer.load_state_dict(empty, assign=True)

    def _read(self, module: nn.Module, names: Iterable[str]) -> None:
        prefix = self._names[module]
        state = {}
        for name in names:
            tensor = self._tensors.get(f"{prefix}.{name}")
            if tensor is None:
                raise PocketGemmaError(f"{self._folder} has no tensor {prefix}.{name} of floats")
            state[name] = torch.from_numpy(tensor.read_all())
        module.load_state_dict(state, strict=False, assign=True)


def open_model(folder: Path) -> tuple[Any, StoredWeights]:
    """A causal language model of transformers from a Hugging Face folder; its layers have no weights yet."""
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    # Buffers such as the frequencies of positions are computed, and in no file.
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(folder), dtype=torch.float32, attn_implementation="eager"
        ).eval()
    weights = StoredWeights(model, folder)
    weights.read_others(model.model, model.model.layers)
    return model, weights
