import io
import struct

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.targets.android.elf import load_alignments


def elf(*alignments: int) -> bytes:
    """A 64-bit ELF header and a program header table of LOAD segments, between two of other kinds."""
    kinds = [(6, 8), *((1, alignment) for alignment in alignments), (0x6474E551, 0)]
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, 183, 1, 0, 64, 0, 0, 64, 56, len(kinds), 0, 0, 0
    )
    return header + b"".join(
        struct.pack("<IIQQQQQQ", kind, 0, 0, 0, 0, 0, 0, alignment) for kind, alignment in kinds
    )


def test_the_alignment_of_each_load_segment_is_read() -> None:
    assert load_alignments(io.BytesIO(b"xxxx" + elf(16384, 4096)), start=4) == [16384, 4096]


@pytest.mark.parametrize("content", [b"", b"MZ" * 50, elf(16384)[:80], elf()])
def test_what_cannot_be_loaded_is_refused(content: bytes) -> None:
    with pytest.raises(PocketGemmaError, match="ELF"):
        load_alignments(io.BytesIO(content))
