"""The calibrator's own process: `python -m pipeline.quantization.calibrator REQUEST.json`.

It walks a model layer by layer with examples in hand. Each matrix is rounded for the inputs that it will get, those from layers already
rounded, so that it gives what the unrounded model gives there: what went wrong before is made up for as far as it can be (asymmetric
calibration, Li et al. 2025, "GPTAQ", arXiv:2504.02692, after Nagel et al. 2020, "AdaRound", arXiv:2004.10568, section 3.5).
"""

import copy
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.errors import PocketGemmaError
from pipeline.families.names import EMBEDDING
from pipeline.quantization.gptq import damped, gptq, output_error
from pipeline.quantization.quantized_file import write_quantized
from pipeline.quantization.rounding import Quantized, nearest
from pipeline.quantization.schemes import SCHEMES, Scheme

BATCH_TOKENS = 4096
"""Tokens walked at a time, padding included."""

EMBEDDING_DAMPING = 1.0
"""The embedding is looked up as well as multiplied with: looked up, an error counts alike in every direction, which is what damping is."""

WALK_TOLERANCE = 1e-3
"""How far the layers called one by one may be from the model, relative to its largest hidden number."""


@dataclass
class Batch:
    """Some examples on their way through the model.

    Attributes:
        token_ids: (batch, length), padded at the right, where causal attention never looks.
        real: (batch, length), bool: not padding.
        settings: what the model hands each layer beside the hidden states (masks, positions).
        exact: hidden states of the unrounded model before the current layer, (batch, length, hidden).
        rounded: those after rounded layers.
    """

    token_ids: torch.Tensor
    real: torch.Tensor
    settings: list[tuple[tuple[Any, ...], dict[str, Any]]]
    exact: torch.Tensor
    rounded: torch.Tensor


class _Stop(Exception):
    """Enough of the model has run."""


def main(request: Path) -> None:
    """Round a model.

    Args:
        request: JSON file: folder (Hugging Face), recipe, output (the file to write), examples (token ids each).
    """
    # Nothing here compiles for a graphics card, and Triton's library has been seen to crash beside others.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    from transformers import AutoModelForCausalLM

    arguments = json.loads(request.read_text(encoding="utf-8"))
    started = time.monotonic()
    model = AutoModelForCausalLM.from_pretrained(
        arguments["folder"], dtype=torch.float32, attn_implementation="eager"
    ).eval()
    examples = arguments["examples"]
    matrices, errors = calibrate(model, examples, SCHEMES[arguments["recipe"]])
    facts = {
        "seconds": round(time.monotonic() - started, 1),
        "examples": len(examples),
        "tokens": sum(map(len, examples)),
        "output_error": errors,
    }
    write_quantized(Path(arguments["output"]), matrices, facts)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def calibrate(
    model: Any, examples: Sequence[Sequence[int]], scheme: Scheme
) -> tuple[dict[str, Quantized], dict[str, float]]:
    """Round the embedding and every linear layer; `model` holds the rounded weights afterwards.

    Args:
        model: a causal language model of transformers, float32.
        examples: token ids.
        scheme: bits and blocks.

    Returns:
        The rounded matrices by name, and for each the part of its outputs' energy that is lost.

    Raises:
        PocketGemmaError: its layers cannot be walked one by one.
    """
    inner = model.model
    batches: list[Batch] = []
    # Sum of x x^T over what the projection onto the vocabulary, which is the embedding, is fed.
    hessian: Any = 0
    for token_ids, real in _batches(examples, model.config.pad_token_id or 0):
        batch, final = _start(inner, token_ids, real)
        if not batches:
            _check_walk(inner, batch, final)
        batches.append(batch)
        hessian = hessian + (final[real].T @ final[real]).double()
    hessian = np.asarray(hessian)
    matrices: dict[str, Quantized] = {}
    errors: dict[str, float] = {}

    def keep(name: str, weight: nn.Parameter, quantized: Quantized, hessian: np.ndarray) -> None:
        errors[name] = output_error(weight.numpy(), quantized, hessian)
        matrices[name] = quantized
        weight.copy_(torch.from_numpy(quantized.dequantized()))

    embedding = inner.embed_tokens.weight
    if scheme.embedding_bits == 4:
        quantized = gptq(embedding.numpy(), hessian, 4, scheme.block, damping=EMBEDDING_DAMPING)
    else:
        quantized = nearest(embedding.numpy(), scheme.embedding_bits)
    keep(EMBEDDING, embedding, quantized, hessian)
    for batch in batches:
        batch.rounded = _first_hidden(inner, batch.token_ids)[0]
    for index, layer in enumerate(inner.layers):
        original = copy.deepcopy(layer)
        for group in _groups(layer, batches[0], index):
            hessian, across = _moments(layer, original, group[0], batches, index)
            for name in group:
                weight = layer.get_submodule(name).weight
                wanted = _wanted(original.get_submodule(name).weight, hessian, across)
                quantized = gptq(wanted, hessian, scheme.bits, scheme.block)
                keep(f"model.layers.{index}.{name}.weight", weight, quantized, hessian)
        for batch in batches:
            batch.exact = _run(original, batch.exact, batch, index)
            batch.rounded = _run(layer, batch.rounded, batch, index)
        print(f"layer {index + 1} of {len(inner.layers)}", flush=True)
    return matrices, errors


def _batches(examples: Sequence[Sequence[int]], pad: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and where they are real, (batch, length); examples of like length together."""
    ordered = sorted(examples, key=len, reverse=True)
    while ordered:
        length = len(ordered[0])
        rows = ordered[: max(1, BATCH_TOKENS // length)]
        ordered = ordered[len(rows) :]
        ids = torch.tensor([[*row, *[pad] * (length - len(row))] for row in rows])
        yield ids, torch.arange(length) < torch.tensor([[len(row)] for row in rows])


def _start(inner: Any, token_ids: torch.Tensor, real: torch.Tensor) -> tuple[Batch, torch.Tensor]:
    """A batch before the first layer, and what the whole model makes of it, (batch, length, hidden)."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    handles = [
        layer.register_forward_pre_hook(
            lambda _, args, kwargs: calls.append((args, kwargs)), with_kwargs=True
        )
        for layer in inner.layers
    ]
    final = inner(input_ids=token_ids, use_cache=False).last_hidden_state
    for handle in handles:
        handle.remove()
    first = calls[0][0][0]
    return Batch(token_ids, real, [(args[1:], kwargs) for args, kwargs in calls], first, first), final


def _check_walk(inner: Any, batch: Batch, final: torch.Tensor) -> None:
    """See that the layers, called one by one, give what the model gives.

    Raises:
        PocketGemmaError: they do not.
    """
    hidden = batch.exact
    for index, layer in enumerate(inner.layers):
        hidden = _run(layer, hidden, batch, index)
    difference = (inner.norm(hidden) - final)[batch.real].abs().max()
    if difference > WALK_TOLERANCE * final[batch.real].abs().max():
        raise PocketGemmaError(
            "the layers of this family cannot be calibrated one by one; choose convert.rounding: least_squares"
        )


def _first_hidden(inner: Any, token_ids: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What goes into the first layer."""
    found: list[torch.Tensor] = []

    def stop(_: nn.Module, args: tuple[Any, ...]) -> None:
        found.append(args[0])
        raise _Stop

    handle = inner.layers[0].register_forward_pre_hook(stop)
    try:
        inner(input_ids=token_ids, use_cache=False)
    except _Stop:
        pass
    finally:
        handle.remove()
    return tuple(found)


def _run(layer: nn.Module, hidden: torch.Tensor, batch: Batch, index: int) -> torch.Tensor:
    args, kwargs = batch.settings[index]
    result: Any = layer(hidden, *args, **kwargs)
    output: torch.Tensor = result[0] if isinstance(result, tuple) else result
    return output


def _groups(layer: nn.Module, batch: Batch, index: int) -> list[list[str]]:
    """Names of the linear layers in the order in which they run; those that are fed the same together."""
    groups: list[list[str]] = []
    last: list[torch.Tensor] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            if last and args[0] is last[0]:
                groups[-1].append(name)
            else:
                groups.append([name])
                last[:] = [args[0]]

        return hook

    handles = [
        module.register_forward_pre_hook(note(name))
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    ]
    _run(layer, batch.rounded, batch, index)
    for handle in handles:
        handle.remove()
    return groups


def _moments(
    layer: nn.Module, original: nn.Module, name: str, batches: Sequence[Batch], index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over tokens of r r^T and of x r^T, with r what a linear layer is fed now and x what the unrounded model feeds it."""
    hessian: Any = 0
    across: Any = 0
    for batch in batches:
        rounded = _input_of(layer, name, batch.rounded, batch, index)
        exact = _input_of(original, name, batch.exact, batch, index)
        hessian = hessian + (rounded.T @ rounded).double()
        across = across + (exact.T @ rounded).double()
    return np.asarray(hessian), np.asarray(across)


def _input_of(layer: nn.Module, name: str, hidden: torch.Tensor, batch: Batch, index: int) -> torch.Tensor:
    """What a linear layer inside `layer` is fed at real tokens, (tokens, in)."""
    found: list[torch.Tensor] = []

    def stop(_: nn.Module, args: tuple[Any, ...]) -> None:
        found.append(args[0][batch.real])
        raise _Stop

    handle = layer.get_submodule(name).register_forward_pre_hook(stop)
    try:
        _run(layer, hidden, batch, index)
    except _Stop:
        pass
    finally:
        handle.remove()
    return found[0]


def _wanted(weight: nn.Parameter, hessian: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The matrix that on the inputs r gives what W gives on x, as near as least squares get: W (x r^T) (r r^T)^-1, damped towards W."""
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
