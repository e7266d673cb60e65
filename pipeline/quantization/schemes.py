"""The quantization recipes by name: the bits of the matrices, and which values share a scale."""

from dataclasses import dataclass

from pipeline.families.names import is_lookup


@dataclass(frozen=True)
class Scheme:
    """The storage of matrices in a recipe.

    Attributes:
        bits: of the matrices in the layers: 4 or 8 (integers with scales), 16 or 32 (floats).
        embedding_bits: of the tied embedding and of other tables of which each token takes a row.
        block: how many neighboring values of an output row share a scale, in matrices of 4 bits; None: the
            whole row.
    """

    bits: int
    embedding_bits: int
    block: int | None = None

    @property
    def integers(self) -> bool:
        """Whether matrices are integers; then the runtime rounds the input of each product to 8 bits."""
        return self.bits < 16

    def bits_of(self, name: str) -> int:
        """Bits of a matrix by its Hugging Face name."""
        return self.embedding_bits if is_lookup(name) else self.bits

    def block_of(self, name: str) -> int | None:
        """How many neighboring values of an output row of a matrix share a scale; None: the whole row."""
        return self.block if self.bits_of(name) == 4 else None


SCHEMES = {
    "int8": Scheme(8, 8),
    "int4": Scheme(4, 4),
    "int4_embedding_int8": Scheme(4, 8),
    "int4_block32": Scheme(4, 4, block=32),
    "int4_block32_embedding_int8": Scheme(4, 8, block=32),
    "fp16": Scheme(16, 16),
    "fp32": Scheme(32, 32),
}
"""The values of `convert.recipe`."""
