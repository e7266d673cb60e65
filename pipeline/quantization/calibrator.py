"""The process that rounds a model with calibration: `python -m pipeline.quantization.calibrator
REQUEST.json`.

It runs examples through the model layer by layer. Each matrix is rounded for the inputs that it will get,
which come from layers that are already rounded, and towards the outputs of the unrounded model. It thus
compensates for earlier errors as far as possible (asymmetric calibration: Li et al. 2025, "GPTAQ",
arXiv:2504.02692; Nagel et al. 2020, "AdaRound", arXiv:2004.10568, section 3.5).
"""

import copy
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.errors import PocketGemmaError
from pipeline.families.names import EMBEDDING, OTHER_MATRICES
from pipeline.quantization.gptq import damped
from pipeline.quantization.quantized_file import write_quantized
from pipeline.quantization.rounding import Quantized, least_squares, nearest
from pipeline.quantization.roundings import ROUNDINGS, Rounding
from pipeline.quantization.schemes import SCHEMES, Scheme
from pipeline.quantization.streams import (
    Batch,
    Stream,
    Watched,
    first_input,
    input_of,
    make_batches,
    reused,
    run_layer,
    through,
    watch,
)

EMBEDDING_DAMPING = 1.0
"""The embedding is both a lookup table and a projection. In a lookup an error counts equally in every
direction, as with damping."""

LAYERS_TOLERANCE = 1e-3
"""Largest difference between the layers run one by one and the model, relative to its largest hidden
value."""


def main(request: Path) -> None:
    """Round a model.

    Args:
        request: JSON file with folder (Hugging Face), recipe, rounding, output (the file to write), examples
            (lists of token ids).
    """
    # Nothing here compiles for a GPU, and Triton's library can crash in a process with other frameworks.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    from transformers import AutoModelForCausalLM

    arguments = json.loads(request.read_text(encoding="utf-8"))
    started = time.monotonic()
    model = AutoModelForCausalLM.from_pretrained(
        arguments["folder"], dtype=torch.float32, attn_implementation="eager"
    ).eval()
    examples = arguments["examples"]
    matrices = calibrate(model, examples, SCHEMES[arguments["recipe"]], ROUNDINGS[arguments["rounding"]])
    facts = {
        "seconds": round(time.monotonic() - started, 1),
        "examples": len(examples),
        "tokens": sum(map(len, examples)),
    }
    write_quantized(Path(arguments["output"]), matrices, facts)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def calibrate(
    model: Any, examples: Sequence[Sequence[int]], scheme: Scheme, rounding: Rounding
) -> dict[str, Quantized]:
    """Round the embedding and every linear layer; afterwards `model` has the rounded weights.

    Args:
        model: a causal language model of transformers, float32.
        examples: token ids.
        scheme: bits and blocks.
        rounding: one that needs calibration.

    Returns:
        The rounded matrices by name.

    Raises:
        PocketGemmaError: its layers cannot be run one by one.
    """
    of_inputs, inner = rounding.of_inputs, model.model
    assert of_inputs
    names = {parameter: name for name, parameter in model.named_parameters()}
    batches: list[Batch] = []
    # Sum of x x^T over the inputs of the projection onto the vocabulary, which is the embedding.
    hessian: Any = 0
    for token_ids, real in make_batches(examples, model.config.pad_token_id or 0):
        batch, final = _start(model, token_ids, real)
        if not batches:
            _check_layers(inner, batch, final)
        batches.append(batch)
        hessian = hessian + (final[real].T @ final[real]).double()
    hessian = np.asarray(hessian)
    matrices: dict[str, Quantized] = {}

    def keep(weight: nn.Parameter, quantized: Quantized) -> None:
        matrices[names[weight]] = quantized
        weight.copy_(torch.from_numpy(quantized.dequantized()))

    embedding = model.get_input_embeddings().weight
    if scheme.embedding_bits == 4:
        quantized = of_inputs(embedding.numpy(), hessian, 4, scheme.block, damping=EMBEDDING_DAMPING)
    else:
        quantized = nearest(embedding.numpy(), scheme.embedding_bits)
    keep(embedding, quantized)
    for name, module in _outside_layers(model):
        if isinstance(module, nn.Linear):
            rounded = [first_input(inner, module, batch.token_ids)[batch.real] for batch in batches]
            hessian = np.asarray(sum((each.T @ each).double() for each in rounded))
            pairs = zip(batches, rounded, strict=True)
            across = np.asarray(sum((batch.inputs[name].T @ each).double() for batch, each in pairs))
            wanted = _wanted(module.weight, hessian, across)
            keep(module.weight, of_inputs(wanted, hessian, scheme.bits, scheme.block))
        else:
            # A table: no product, so an error counts equally in every direction.
            table, tensor = module.weight.numpy(), names[module.weight]
            round_table = least_squares if scheme.embedding_bits == 4 else nearest
            keep(module.weight, round_table(table, scheme.bits_of(tensor), scheme.block_of(tensor)))
    for batch in batches:
        if _outside_layers(model):
            batch.rounded = through(inner, batch.token_ids)[0]
        else:  # Only the hidden states before the first layer have changed.
            batch.rounded.hidden = first_input(inner, inner.layers[0], batch.token_ids)
    for index, layer in enumerate(inner.layers):
        original = copy.deepcopy(layer)
        # The unrounded layer does not change: one pass gives the inputs of all its matrices.
        exact = [watch(original, batch, index) for batch in batches]
        done: list[str] = []
        for group in exact[0].groups:
            hessian, across = _moments(layer, group[0], batches, exact, index, done)
            # Rows are rounded independently: matrices with the same inputs are rounded as one.
            whole = torch.cat([original.get_submodule(name).weight for name in group])
            quantized = of_inputs(_wanted(whole, hessian, across), hessian, scheme.bits, scheme.block)
            start = 0
            for name in group:
                weight = layer.get_submodule(name).weight
                keep(weight, quantized.rows(start, start + len(weight)))
                start += len(weight)
            done += group
        for batch, watched in zip(batches, exact, strict=True):
            batch.exact.hidden = watched.output
            with reused(layer, done, batch.outputs):
                batch.rounded.hidden = run_layer(layer, batch.rounded, index)
            batch.outputs.clear()
        print(f"layer {index + 1} of {len(inner.layers)}", flush=True)
    return matrices


def _outside_layers(model: Any) -> list[tuple[str, nn.Module]]:
    """The modules with the matrices that belong to no layer, but for the token embedding, by their name."""
    names = (matrix.removesuffix(".weight") for matrix in OTHER_MATRICES if matrix != EMBEDDING)
    modules = dict(model.named_modules())
    return [(name, modules[name]) for name in names if name in modules]


def _start(model: Any, token_ids: torch.Tensor, real: torch.Tensor) -> tuple[Batch, torch.Tensor]:
    """A batch before the first layer, and the final hidden states of the whole model, (batch, length,
    hidden)."""
    inputs: dict[str, torch.Tensor] = {}

    def note(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            inputs[name] = args[0][real]

        return hook

    handles = [
        module.register_forward_pre_hook(note(name))
        for name, module in _outside_layers(model)
        if isinstance(module, nn.Linear)
    ]
    exact, final = through(model.model, token_ids)
    for handle in handles:
        handle.remove()
    return Batch(token_ids, real, exact, Stream(exact.hidden, exact.settings), inputs), final


def _check_layers(inner: Any, batch: Batch, final: torch.Tensor) -> None:
    """Check that the layers, run one by one, compute what the model computes.

    Raises:
        PocketGemmaError: they do not.
    """
    stream = replace(batch.exact)
    for index, layer in enumerate(inner.layers):
        stream.hidden = run_layer(layer, stream, index)
    difference = (inner.norm(stream.hidden) - final)[batch.real].abs().max()
    if not difference <= LAYERS_TOLERANCE * final[batch.real].abs().max():
        raise PocketGemmaError(
            "this model cannot be calibrated: its layers do not compute one after the other; set "
            "convert.rounding: least_squares"
        )


def _moments(
    layer: nn.Module,
    name: str,
    batches: Sequence[Batch],
    exact: Sequence[Watched],
    index: int,
    done: Sequence[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over tokens of r r^T and of x r^T: r is the input of a linear layer after rounded layers, x in the
    unrounded model. `done` names the linear layers of this layer that are rounded."""
    hessian: Any = 0
    across: Any = 0
    for batch, watched in zip(batches, exact, strict=True):
        with reused(layer, done, batch.outputs):
            rounded = input_of(layer, name, batch, index)
        hessian = hessian + (rounded.T @ rounded).double()
        # Not used again.
        across = across + (watched.inputs.pop(name).T @ rounded).double()
    return np.asarray(hessian), np.asarray(across)


def _wanted(weight: torch.Tensor, hessian: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The matrix whose outputs for r are nearest to those of W for x, by least squares: W (x r^T) (r r^T)^-1,
    damped towards W."""
    size = np.trace(hessian) / len(hessian)
    curvature = damped(hessian)
    target = torch.from_numpy(across / size)
    torch.diagonal(target).add_(torch.diagonal(curvature) - torch.from_numpy(np.diag(hessian) / size))
    factor = torch.linalg.cholesky(curvature)
    wanted: torch.Tensor = torch.cholesky_solve((weight.double() @ target).T, factor).T
    matrix: np.ndarray = wanted.float().contiguous().numpy()
    return matrix


if __name__ == "__main__":
    main(Path(sys.argv[1]))
