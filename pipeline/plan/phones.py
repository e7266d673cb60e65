"""What a phone gets: size of the bundle, memory while it answers, and how fast it answers.

A phone writes one token after the other, and reads all weights for each. So the speed of an answer follows
from how fast a phone reads weights, which is known from published measurements of other models.
"""

from dataclasses import dataclass

from pipeline.families.family import GemmaShape
from pipeline.families.names import EMBEDDING
from pipeline.litert.memory_estimate import LIBRARY_BYTES, TOKENIZER_FACTOR
from pipeline.quantization.schemes import Scheme
from pipeline.quantization.size import weight_bytes

FLOAT32 = 4


@dataclass(frozen=True)
class Phone:
    """A class of phones, by one of them.

    Attributes:
        title: the class, and the phone.
        tokens_per_second: that it wrote on its processor.
        bytes_read: of the weights of that model, for each token.
        source: of the measurement, and of which model.
    """

    title: str
    tokens_per_second: float
    bytes_read: int
    source: str

    def speed(self, read: int) -> float:
        """Tokens per second of a model of which so many bytes are read for each."""
        return self.tokens_per_second * self.bytes_read / read


_GEMMA_270M_INT8 = 268_000_000
_A_SERIES = "Gemma 3 270M int8, https://www.tecace.com/post/galaxy-a-series-gemma3-pipeline-benchmark"

PHONES = (
    Phone("entry-level (Galaxy A16)", 15.39, _GEMMA_270M_INT8, _A_SERIES),
    Phone("mid-range (Galaxy A56)", 23.12, _GEMMA_270M_INT8, _A_SERIES),
    Phone(
        "flagship (Galaxy S24 Ultra)",
        16.41,
        1_550_000_000,
        "Qwen2.5 1.5B int8, https://huggingface.co/litert-community/Qwen2.5-1.5B-Instruct",
    ),
)


@dataclass(frozen=True)
class OnPhone:
    """A converted model on a phone, in bytes.

    Attributes:
        model: the model file.
        memory: while the model answers.
        read: of the weights, for each token that is written.
    """

    model: int
    memory: int
    read: int


def on_phone(shape: GemmaShape, scheme: Scheme, context: int, prefill: int, tokenizer: int) -> OnPhone:
    """What a converted model takes on a phone, from its shape.

    Args:
        shape: of the model.
        scheme: bits and blocks of its matrices.
        context: tokens of the KV cache.
        prefill: tokens of the longest prefill.
        tokenizer: bytes of the tokenizer file.
    """
    weights = weight_bytes(shape, scheme)
    kv_cache = sum(
        2 * FLOAT32 * context * shape.kv_heads * shape.in_layer(layer).head_dim
        for layer in range(shape.layers)
    )
    scores = FLOAT32 * prefill * context * shape.query_heads
    widened = weights if scheme.integers == 0 else 0
    memory = weights + widened + kv_cache + scores + TOKENIZER_FACTOR * tokenizer + LIBRARY_BYTES
    tables = sum(
        rows * columns * scheme.bits_of(matrix.tensor) // 8
        for matrix in shape.family.other_matrices
        if matrix.lookup and matrix.tensor != EMBEDDING
        for rows, columns in (matrix.shape(shape),)
    )
    return OnPhone(weights + tokenizer, memory, weights - tables)
