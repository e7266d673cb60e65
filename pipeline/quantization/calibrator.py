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
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.errors import PocketGemmaError
from pipeline.families.names import EMBEDDING, OTHER_MATRICES
from pipeline.quantization.moments import add_squares, mirror
from pipeline.quantization.quantized_file import write_quantized
from pipeline.quantization.rounding import Quantized, least_squares, nearest
from pipeline.quantization.roundings import ROUNDINGS, Rounding
from pipeline.quantization.schemes import SCHEMES, Scheme
from pipeline.quantization.stored_weights import LoadedWeights, Weights, open_model
from pipeline.quantization.streams import (
    Batch,
    Stream,
    Watched,
    before_layers,
    first_input,
    input_of,
    make_batches,
    reused,
    run_layer,
    through,
    watch,
)

PRECISION = "medium"
"""Of products of float32 matrices, as PyTorch calls it: factors are rounded to bfloat16 where the processor
multiplies those faster. On a Gemma 3 270M, this costs no accuracy that could be measured."""

EMBEDDING_DAMPING = 1.0
"""The embedding is both a lookup table and a projection. In a lookup an error counts equally in every
direction, as with damping."""

ROWS = 1 << 14
"""Rows of a matrix that are widened to float32 at a time."""

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
    arguments = json.loads(request.read_text(encoding="utf-8"))
    started = time.monotonic()
    torch.set_float32_matmul_precision(PRECISION)
    model, weights = open_model(Path(arguments["folder"]))
    examples = arguments["examples"]
    scheme, rounding = SCHEMES[arguments["recipe"]], ROUNDINGS[arguments["rounding"]]
    matrices = calibrate(model, examples, scheme, rounding, weights)
    facts = {
        "seconds": round(time.monotonic() - started, 1),
        "examples": len(examples),
        "tokens": sum(map(len, examples)),
    }
    write_quantized(Path(arguments["output"]), matrices, facts)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def calibrate(
    model: Any,
    examples: Sequence[Sequence[int]],
    scheme: Scheme,
    rounding: Rounding,
    weights: Weights | None = None,
) -> dict[str, Quantized]:
    """Round the embedding and every linear layer.

    Args:
        model: a causal language model of transformers, float32.
        examples: token ids.
        scheme: bits and blocks.
        rounding: one that needs calibration.
        weights: of the layers; None: they are in the model, which has the rounded ones afterwards.

    Returns:
        The rounded matrices by name.

    Raises:
        PocketGemmaError: its layers cannot be run one by one.
    """
    batches = [
        _start(model, token_ids, real)
        for token_ids, real in make_batches(examples, model.config.pad_token_id or 0)
    ]
    calibration = _Calibration(model, batches, scheme, rounding, weights or LoadedWeights())
    calibration.check_layers()
    calibration.round_embedding()
    calibration.round_others()
    calibration.enter_layers()
    for index, layer in enumerate(model.model.layers):
        calibration.round_layer(index, layer)
        print(f"layer {index + 1} of {len(model.model.layers)}", flush=True)
    return calibration.matrices


class _Calibration:
    """Batches on their way through a model, whose matrices are rounded one after the other.

    Attributes:
        matrices: those that are rounded, by name.
    """

    def __init__(
        self, model: Any, batches: list[Batch], scheme: Scheme, rounding: Rounding, weights: Weights
    ) -> None:
        self.matrices: dict[str, Quantized] = {}
        self._embedding, self._inner = model.get_input_embeddings(), model.model
        self._others = _outside_layers(model)
        self._names = {module: f"{name}.weight" for name, module in model.named_modules()}
        self._batches, self._scheme, self._weights = batches, scheme, weights
        assert rounding.of_inputs
        self._of_inputs = rounding.of_inputs

    def check_layers(self) -> None:
        """Check on an example that the layers, run one by one, compute what the model computes.

        Raises:
            PocketGemmaError: they do not.
        """
        token_ids, real = self._batches[0].token_ids[:1], self._batches[0].real[:1]
        stream = before_layers(self._inner, token_ids)
        for index, layer in enumerate(self._inner.layers):
            self._weights.read(layer)
            stream.hidden = run_layer(layer, stream, index)
            self._weights.release(layer)
        final = through(self._inner, token_ids, self._weights)
        difference = (self._inner.norm(stream.hidden) - final)[real].abs().max()
        if not difference <= LAYERS_TOLERANCE * final[real].abs().max():
            raise PocketGemmaError(
                "this model cannot be calibrated: its layers do not run one after another; set "
                "convert.rounding: least_squares"
            )

    def round_embedding(self) -> None:
        """Round the embedding: for its inputs as the projection onto the vocabulary if it has 4 bits."""
        matrix, scheme = self._embedding.weight.numpy(), self._scheme
        if scheme.embedding_bits != 4:
            return self._keep(self._embedding, nearest(matrix, scheme.embedding_bits))
        moments = torch.zeros(matrix.shape[1], matrix.shape[1])
        for batch in self._batches:
            add_squares(moments, through(self._inner, batch.token_ids, self._weights)[batch.real])
        mirror(moments)
        quantized = self._of_inputs(matrix, moments.numpy(), 4, scheme.block, damping=EMBEDDING_DAMPING)
        return self._keep(self._embedding, quantized)

    def round_others(self) -> None:
        """Round the other matrices that belong to no layer, behind the rounded embedding."""
        scheme = self._scheme
        for name, module in self._others:
            matrix, tensor = module.weight.numpy(), self._names[module]
            if isinstance(module, nn.Linear):
                moments, across = _zeros(module), _zeros(module)
                for batch in self._batches:
                    rounded = first_input(self._inner, module, batch.token_ids)[batch.real]
                    add_squares(moments, rounded)
                    across.addmm_(batch.inputs[name].T, rounded)
                mirror(moments)
                quantized = self._of_inputs(
                    matrix, moments.numpy(), scheme.bits, scheme.block, across=across.numpy()
                )
            else:
                # A table: no product, so an error counts equally in every direction.
                round_table = least_squares if scheme.embedding_bits == 4 else nearest
                quantized = round_table(matrix, scheme.bits_of(tensor), scheme.block_of(tensor))
            self._keep(module, quantized)

    def enter_layers(self) -> None:
        """Bring the batches before the first layer, behind what is rounded outside of the layers and not used
        again."""
        for batch in self._batches:
            batch.rounded = before_layers(self._inner, batch.token_ids)
        for module in (self._embedding, *(module for _, module in self._others)):
            self._weights.release(module)

    def round_layer(self, index: int, layer: nn.Module) -> None:
        """Round the linear layers of a layer, and take the batches through it."""
        self._weights.read(layer)
        original = copy.deepcopy(layer)
        # The unrounded layer does not change: one pass gives the inputs of all its matrices.
        exact = [watch(original, batch, index) for batch in self._batches]
        done: list[str] = []
        for group in exact[0].groups:
            moments, across = _moments(layer, group[0], self._batches, exact, index, done)
            # Rows are rounded independently: matrices with the same inputs are rounded as one.
            whole = torch.cat([original.get_submodule(name).weight for name in group]).numpy()
            quantized = self._of_inputs(
                whole, moments.numpy(), self._scheme.bits, self._scheme.block, across=across.numpy()
            )
            start = 0
            for name in group:
                module = layer.get_submodule(name)
                rows = len(module.weight)
                self._keep(module, quantized.rows(start, start + rows))
                start += rows
            done += group
        for batch, watched in zip(self._batches, exact, strict=True):
            batch.exact.hidden = watched.output
            with reused(layer, done, batch.outputs):
                batch.rounded.hidden = run_layer(layer, batch.rounded, index)
            batch.outputs.clear()
        self._weights.release(layer)

    def _keep(self, module: nn.Module, quantized: Quantized) -> None:
        """Give a module its rounded weight."""
        self.matrices[self._names[module]] = quantized
        weight: Any = module.weight
        for start in range(0, len(weight), ROWS):
            rows = quantized.rows(start, start + ROWS).dequantized()
            weight[start : start + ROWS] = torch.from_numpy(rows)


def _outside_layers(model: Any) -> list[tuple[str, nn.Module]]:
    """The modules with the matrices that belong to no layer, but for the token embedding, by their name."""
    names = (matrix.removesuffix(".weight") for matrix in OTHER_MATRICES if matrix != EMBEDDING)
    modules = dict(model.named_modules())
    return [(name, modules[name]) for name in names if name in modules]


def _start(model: Any, token_ids: torch.Tensor, real: torch.Tensor) -> Batch:
    """A batch before the first layer."""
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
    exact = before_layers(model.model, token_ids)
    for handle in handles:
        handle.remove()
    return Batch(token_ids, real, exact, Stream(exact.hidden, exact.settings), inputs)


def _zeros(module: nn.Linear) -> torch.Tensor:
    """Room for the second moments of the inputs of a linear layer."""
    return torch.zeros(module.in_features, module.in_features)


def _moments(
    layer: nn.Module,
    name: str,
    batches: Sequence[Batch],
    exact: Sequence[Watched],
    index: int,
    done: Sequence[str],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over tokens of r r^T and of x r^T: r is the input of a linear layer after rounded layers, x in the
    unrounded model. `done` names the linear layers of this layer that are rounded."""
    module = layer.get_submodule(name)
    assert isinstance(module, nn.Linear)
    moments, across = _zeros(module), _zeros(module)
    for batch, watched in zip(batches, exact, strict=True):
        with reused(layer, done, batch.outputs):
            rounded = input_of(layer, name, batch, index)
        add_squares(moments, rounded)
        # Not used again.
        across.addmm_(watched.inputs.pop(name).T, rounded)
    mirror(moments)
    return moments, across


if __name__ == "__main__":
    main(Path(sys.argv[1]))
