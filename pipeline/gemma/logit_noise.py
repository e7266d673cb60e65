"""Whether two implementations of a model compute the same, measured against what float32 can tell apart.

An absolute limit for logits holds on one model only: rounding errors grow with the width, the depth and the
activations of a model. So the yardstick is measured on the very model and tokens: how far float32 is from
float64 within one implementation. A difference between two implementations of a few times that is rounding; a
wrong mask, rotary base, norm or scale is hundreds of times more.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.console import without_native_chatter
from pipeline.errors import PocketGemmaError
from pipeline.gemma.causal_lm import exact_inference, hidden_states, logits_of

if TYPE_CHECKING:
    import keras_hub

POSITIONS = 96
"""Logits of at most this many positions of a sequence are compared: those at its end, which see the most."""

HEAD_ROWS = 1 << 15
"""Rows of the embedding that are in float64 at a time."""


@dataclass(frozen=True)
class SequenceNoise:
    """How far the logits of one sequence are from those in float64: the root mean square over the vocabulary,
    at the position where it is largest.

    Attributes:
        tokens: length of the sequence.
        difference: of Keras in float32.
        rounding: of transformers in float32, at least half a unit in the last place of the logits.
    """

    tokens: int
    difference: float
    rounding: float

    @property
    def ratio(self) -> float:
        """`difference` as a multiple of `rounding`."""
        return self.difference / self.rounding


def keras_logits(
    model: "keras_hub.models.CausalLM", sequences: Sequence[Sequence[int]]
) -> list[NDArray[np.float32]]:
    """The logits of a Keras model for sequences of token IDs: of each (positions, vocabulary), float32."""
    return [_keras_logits(model, ids) for ids in sequences]


def logit_noise(
    ours: Sequence[NDArray[np.float32]], folder: Path, sequences: Sequence[Sequence[int]]
) -> list[SequenceNoise]:
    """Compare a Keras model with a Hugging Face folder of the same weights.

    The folder is read once, in float32. The Keras model need not be in memory any more.

    Args:
        ours: `keras_logits` of the Keras model, in float32.
        folder: written by `write_hugging_face`; transformers reads it.
        sequences: token IDs; at least one should be longer than the sliding window, where attention masks
            differ.
    """
    # transformers loads Triton, whose library can crash beside XLA and TensorFlow. Only compiling for a GPU
    # needs it, which does not happen here.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    with without_native_chatter():
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        # The other implementations of attention leave out soft caps.
        other = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
    with torch.no_grad():
        single = [_transformers_logits(other, ids) for ids in sequences]
        with _float64():
            double = [_transformers_logits(other, ids) for ids in sequences]
    return [
        _compared(len(ids), *logits) for ids, *logits in zip(sequences, ours, single, double, strict=True)
    ]


def worst_of(noise: Sequence[SequenceNoise]) -> SequenceNoise:
    """The sequence with the largest ratio; one that is NaN counts as larger than any number, which `max`
    alone would skip."""
    return max(noise, key=lambda each: (math.isnan(each.ratio), each.ratio))


def _compared(
    tokens: int, ours: NDArray[np.float32], single: NDArray[np.float32], double: NDArray[np.float64]
) -> SequenceNoise:
    if double.dtype != np.float64:
        raise PocketGemmaError(
            "transformers did not compute in float64; its version is not supported; run: make setup"
        )
    last_place = float(np.sqrt(np.square(double).mean()) * np.finfo(np.float32).eps / 2)
    return SequenceNoise(tokens, _distance(ours, double), max(_distance(single, double), last_place))


def _distance(logits: NDArray[np.float32], exact: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(logits - exact).mean(axis=-1)).max())


def _keras_logits(model: "keras_hub.models.CausalLM", ids: Sequence[int]) -> NDArray[np.float32]:
    """(positions, vocabulary)."""
    from keras import ops

    tokens = ops.convert_to_tensor(np.array([ids], np.int32))
    with exact_inference():
        hidden = hidden_states(model.backbone, tokens, ops.ones_like(tokens))
        logits = logits_of(model.backbone, hidden[:, -POSITIONS:])
    found: NDArray[np.float32] = np.asarray(ops.convert_to_numpy(logits))[0]
    return found


def _transformers_logits(model: Any, ids: Sequence[int]) -> NDArray[Any]:
    """(positions, vocabulary), in the precision that is in force."""
    import torch

    hidden = model.model(input_ids=torch.tensor([list(ids)])).last_hidden_state[0, -POSITIONS:]
    # The projection some rows of the vocabulary at a time: in float64 it is larger than the model.
    parts = [torch.nn.functional.linear(hidden, rows) for rows in model.lm_head.weight.split(HEAD_ROWS)]
    logits = torch.cat(parts, dim=1)
    cap = getattr(model.config, "final_logit_softcapping", None)
    if cap:
        logits = torch.tanh(logits / cap) * cap
    values: NDArray[Any] = logits.numpy()
    return values


@contextmanager
def _float64() -> Iterator[None]:
    """Let PyTorch compute in float64 with float32 weights. Each weight is widened while it is used; requests
    for float32, such as those of norms, get float64."""
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._pytree import tree_map

    class Widen(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, arguments: Any = (), options: Any = None
        ) -> Any:
            if function is torch.nn.functional.embedding:
                # Widens the rows that are looked up, not the table, which is most of a small Gemma.
                return _widened(function(*arguments, **(options or {})))
            if function is torch.Tensor.float:
                function = torch.Tensor.double
            return function(*tree_map(_widened, arguments), **tree_map(_widened, options or {}))

    def _widened(value: Any) -> Any:
        if value is torch.float32:
            return torch.float64
        if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
            return torch.ops.aten._to_copy(value, dtype=torch.float64)
        return value

    with Widen():
        yield
