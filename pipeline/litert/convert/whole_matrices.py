"""Matrices as the model has them: the converter multiplies no constant into them.

A constant factor before or after a product, such as the division by a soft cap, would be multiplied into the
matrix. The tied embedding would then be in the file twice, once with the factor and once without, and no
matrix in the file would be the one that was trained.
"""

from typing import TYPE_CHECKING, Any

from pipeline.families.names import OTHER_MATRICES

if TYPE_CHECKING:
    import torch


def keep_matrices_whole() -> None:
    """Patch litert_torch's Hugging Face export in this process: no constant factor crosses the projection
    onto the vocabulary, or a product with another matrix that belongs to no layer."""
    from litert_torch.generative.export_hf.core import export_lib

    ordinary = export_lib.load_model

    def load_model(*arguments: Any, **options: Any) -> Any:
        loaded = ordinary(*arguments, **options)
        if getattr(loaded.text_model_config, "final_logit_softcapping", None):
            loaded.model.get_output_embeddings().register_forward_hook(_barrier_behind)
        for matrix in OTHER_MATRICES.values():
            if not matrix.lookup:
                _guard(loaded.model, matrix.tensor.removesuffix(".weight"))
        return loaded

    export_lib.load_model = load_model


def _guard(model: "torch.nn.Module", name: str) -> None:
    """Put a barrier before a product, if the model has it."""
    try:
        module = model.get_submodule(name)
    except AttributeError:
        return
    module.register_forward_pre_hook(_barrier_before)


def _barrier_behind(_: Any, inputs: Any, output: "torch.Tensor") -> Any:
    from litert_torch.backend.optimization_barrier import optimization_barrier

    return optimization_barrier((output, inputs[0]))[0]


def _barrier_before(_: Any, inputs: "tuple[torch.Tensor, ...]") -> Any:
    from litert_torch.backend.optimization_barrier import optimization_barrier

    return optimization_barrier((inputs[0], inputs[0]))[:1]
