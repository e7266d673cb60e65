"""An adapter beside its base: the model as it was trained, nothing merged in a file."""

from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.quantization.schemes import SCHEMES
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.lora import enable_lora
from pipeline.tuning.merge import merge
from pipeline.tuning.quantization_aware import round_matrices

if TYPE_CHECKING:
    import keras_hub


def attach(adapter: Adapter, backbone: "keras_hub.models.Backbone") -> None:
    """Enable LoRA on a freshly loaded backbone and put an adapter's tensors in.

    An adapter that was trained quantisation-aware is added to the matrices instead, and all of them are rounded: the model as
    training saw it.

    Raises:
        InputError: a matrix is missing or of another shape: the adapter belongs to another base.
    """
    if adapter.scales:
        merge(backbone, adapter)
        round_matrices(backbone, adapter.scales, SCHEMES[adapter.recipe])
        return
    layers = enable_lora(backbone, adapter.rank, adapter.alpha, adapter.targets)
    if set(layers) != set(adapter.tensors):
        raise InputError(
            f"the adapter has {len(adapter.tensors)} matrices, this model {len(layers)}: it belongs to another base"
        )
    for name, layer in layers.items():
        a, b = adapter.tensors[name]
        if a.shape != tuple(layer.lora_kernel_a.shape) or b.shape != tuple(layer.lora_kernel_b.shape):
            expected = f"{tuple(layer.lora_kernel_a.shape)} and {tuple(layer.lora_kernel_b.shape)}"
            raise InputError(
                f"{name}: the adapter's A and B are {a.shape} and {b.shape}, this model takes {expected}"
            )
        layer.lora_kernel_a.assign(a)
        layer.lora_kernel_b.assign(b)
