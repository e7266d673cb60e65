"""What the .tflite of a language model declares: its matrices, context length, prefill lengths, KV cache and
LoRA inputs.

The names of signatures and inputs are those that LiteRT-LM 0.18 looks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.families.names import RUNTIME_PREFIXES
from pipeline.formats.tflite import Signature, Tensor, Tflite, read_tflite
from pipeline.formats.tflite_matrices import Matrix, Total, read_matrices, total_by_type

PREFILL_PREFIX, DECODE = "prefill_", "decode"
"""Names of the signatures: prefill_N reads N tokens of a prompt, decode one token."""

KV_PREFIX = "kv_cache_"
"""How the names of the inputs and outputs of a KV cache begin."""

MASK = "mask"
"""The input whose last dimension is the context length."""


@dataclass(frozen=True)
class LanguageModel:
    """A language model's .tflite.

    Attributes:
        tflite: the whole file as it was read.
        matrices: the constants that it computes with, in order of their names.
        totals: their bytes by element type, the largest first.
        prefill_lengths: lengths in tokens of the prompt chunks that have a signature of their own, ascending.
        context_length: length of the KV cache in tokens, by the attention mask; None where no mask is an
            input.
        kv_cache_bytes: of one KV cache, by the inputs of the decode signature.
        lora_rank: rank of the LoRA inputs; None when there are none.
    """

    tflite: Tflite
    matrices: tuple[Matrix, ...]
    totals: tuple[Total, ...]
    prefill_lengths: tuple[int, ...]
    context_length: int | None
    kv_cache_bytes: int
    lora_rank: int | None

    @property
    def matrix_bytes(self) -> dict[str, int]:
        """Bytes of the matrices by element type, without their scales."""
        return {total.dtype: total.bytes for total in self.totals}


def read_language_model(data: memoryview | bytes, where: str) -> LanguageModel:
    """Read a .tflite.

    Args:
        data: its bytes, mapped or in memory.
        where: what to call it in an error.

    Raises:
        InputError: not a .tflite, damaged or truncated.
    """
    return language_model(read_tflite(data, where))


def language_model(tflite: Tflite) -> LanguageModel:
    """What a .tflite declares as a language model; what it lacks is None, 0 or empty."""
    inputs = decode_inputs(tflite)
    mask = inputs.get(MASK)
    matrices = read_matrices(tflite)
    return LanguageModel(
        tflite=tflite,
        matrices=matrices,
        totals=total_by_type(matrices),
        prefill_lengths=tuple(prefill_signatures(tflite)),
        context_length=mask.shape[-1] if mask and mask.shape else None,
        kv_cache_bytes=sum(each.bytes for name, each in inputs.items() if name.startswith(KV_PREFIX)),
        lora_rank=_lora_rank(inputs),
    )


def prefill_signatures(tflite: Tflite) -> dict[int, Signature]:
    """The signatures that read a prompt, by the number of tokens that they read, ascending."""
    lengths = {
        int(length): each
        for each in tflite.signatures
        if each.name.startswith(PREFILL_PREFIX)
        and (length := each.name.removeprefix(PREFILL_PREFIX)).isdecimal()
    }
    return dict(sorted(lengths.items()))


def decode_inputs(tflite: Tflite) -> dict[str, Tensor]:
    """Inputs of the decode signature by name; empty when there is none.

    Some published models have a decode signature for each rank of adapter, such as decode_lora_r16: then
    those of the first one.
    """
    decode = next((each for each in tflite.signatures if each.name.startswith(DECODE)), None)
    return tflite.inputs(decode) if decode else {}


def _lora_rank(inputs: Mapping[str, Tensor]) -> int | None:
    shapes = [each.shape for name, each in inputs.items() if name.startswith(RUNTIME_PREFIXES)]
    # A pair is (hidden, rank) and (rank, out): the rank is the smallest length that all of them have.
    common = set.intersection(*(set(shape) for shape in shapes)) - {1} if shapes else set()
    return min(common, default=None)
