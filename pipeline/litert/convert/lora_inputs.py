"""LoRA tensors as inputs of a converted model: the runtime fills them from an adapter file, so adapters can
be swapped.

LiteRT-LM finds these inputs by name in the usual signatures (prefill_N, decode), and supports attention only.
Hooks on the projections of the Hugging Face model add x A B while the exporter traces it. No model code is
duplicated, so this works for every family that the exporter supports.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.errors import PocketGemmaError
from pipeline.families.names import MATRICES, RUNTIME_TARGETS, runtime_name

if TYPE_CHECKING:
    import torch

RANKS = (16, 32)
"""Ranks of run-time adapters: the only ones in LiteRT-LM's own examples, whose GPU code takes multiples of 4
only."""


def add_lora_inputs(rank: int) -> None:
    """Patch litert_torch's Hugging Face export in this process: prefill and decode get the LoRA tensors as
    inputs.

    Args:
        rank: of all adapters for the model; one of RANKS.
    """
    from litert_torch.generative.export_hf.core import export_lib

    ordinary = export_lib.get_prefill_decode_exportable_cls

    def with_inputs(*arguments: Any) -> tuple[type, ...]:
        return tuple(_with_lora_inputs(kind, rank) for kind in ordinary(*arguments))

    export_lib.get_prefill_decode_exportable_cls = with_inputs


def projections(model: "torch.nn.Module") -> "dict[tuple[str, int], torch.nn.Linear]":
    """The attention projections of a Hugging Face causal language model by (target, layer).

    A layer that shares keys and values with another layer may have no key and value projections.

    Raises:
        PocketGemmaError: the model has no attention projections under their usual names.
    """
    found = {}
    for index, layer in enumerate(model.get_decoder().layers):
        modules = dict(layer.named_modules())
        for target in RUNTIME_TARGETS:
            if MATRICES[target].module in modules:
                found[target, index] = modules[MATRICES[target].module]
    if not found:
        raise PocketGemmaError(
            f"{type(model).__name__}: no attention projections for LoRA inputs; use convert.adapters: merged"
        )
    return found


def _with_lora_inputs(kind: type, rank: int) -> type:
    """A subclass of an exportable module (prefill or decode) with the LoRA tensors as additional inputs."""

    class WithLoraInputs(kind):  # type: ignore[misc]
        def get_sample_inputs(self, *arguments: Any, **options: Any) -> dict[str, tuple[dict[str, Any], Any]]:
            import torch

            signatures: dict[str, tuple[dict[str, Any], Any]]
            signatures = super().get_sample_inputs(*arguments, **options)
            for inputs, _ in signatures.values():
                for (target, layer), module in projections(self.model).items():
                    columns, rows = module.weight.shape
                    options = {"device": module.weight.device}
                    inputs[runtime_name(target, "a", layer)] = torch.zeros(rows, rank, **options)
                    inputs[runtime_name(target, "b", layer)] = torch.zeros(rank, columns, **options)
            return signatures

        def forward(self, **inputs: Any) -> Any:
            modules = projections(self.model)
            hooks = []
            try:
                for (target, layer), module in modules.items():
                    a, b = (inputs.pop(runtime_name(target, part, layer)) for part in "ab")
                    hooks.append(module.register_forward_hook(_adds(a, b)))
                return super().forward(**inputs)
            finally:
                for hook in hooks:
                    hook.remove()

    # The exporter names tensors after the class; our name would put a path of this package into
    # every file.
    WithLoraInputs.__module__, WithLoraInputs.__qualname__ = kind.__module__, kind.__qualname__
    return WithLoraInputs


def _adds(a: "torch.Tensor", b: "torch.Tensor") -> Callable[..., "torch.Tensor"]:
    """A forward hook: output + x A B."""

    def hook(_: Any, arguments: "tuple[torch.Tensor, ...]", output: "torch.Tensor") -> "torch.Tensor":
        return output + (arguments[0] @ a) @ b

    return hook
