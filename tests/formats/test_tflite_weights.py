"""Promise: each matrix and every copy of its scales is found at its bytes in the file; contradictions are
refused."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.formats.tflite_weights import weight_matrices
from tests.support.litertlm import write_container
from tests.support.tflite import Constant, write_tflite

RANDOM = np.random.default_rng(0)


def constant(
    name: str, dtype: str, bits: int, scales: int = 0, block: int | None = None, *, outside: bool = False
) -> Constant:
    data = RANDOM.integers(0, 256, 6 * 64 * bits // 8, np.uint8).tobytes()
    return Constant((name,), (6, 64), dtype, data, scales, block, outside=outside)


def model_file(folder: Path, *constants: Constant) -> Path:
    signatures = {name: {"tokens": ((1, 1), "INT32")} for name in ("prefill_1", "decode")}
    tflite = write_tflite(folder / "m.tflite", constants, signatures)
    return write_container(folder / "model.litertlm", model=tflite.read_bytes())


@pytest.mark.parametrize("outside", [False, True])
def test_matrices_and_scales_are_found_at_their_bytes(tmp_path: Path, outside: bool) -> None:
    constants = [
        constant("rows", "INT8", 8, 6, outside=outside),
        constant("blocks", "INT4", 4, 12, 32, outside=outside),
        constant("half", "FLOAT16", 16, outside=outside),
        constant("float", "FLOAT32", 32, outside=outside),
    ]
    path = model_file(tmp_path, *constants)
    content = path.read_bytes()
    # The scales of blocks are a matrix of their own.
    found = [weight for weight in weight_matrices(path) if weight.shape == (6, 64)]
    assert [(weight.bits, weight.block) for weight in found] == [(8, None), (4, 32), (16, None), (32, None)]
    for weight, each in zip(found, constants, strict=True):
        assert content[weight.offset : weight.offset + weight.size] == each.data
    # Scales of rows are stored with the tensor of each signature, those of blocks once.
    assert [len(weight.scales) for weight in found] == [2, 1, 0, 0]
    for scales in found[0].scales:
        assert content[scales : scales + 24] == np.ones(6, np.float32).tobytes()


def test_other_constants_are_no_weights(tmp_path: Path) -> None:
    path = model_file(
        tmp_path,
        Constant(("vector",), (64,), "FLOAT32", bytes(256)),
        Constant(("table",), (2, 2), "INT64", bytes(32)),
        constant("whole", "INT8", 8, 1),
    )
    (weight,) = weight_matrices(path)
    assert (weight.bits, weight.scales) == (8, set())


def test_a_wrong_number_of_scales_is_refused(tmp_path: Path) -> None:
    path = model_file(tmp_path, constant("blocks", "INT4", 4, 18, 32))
    with pytest.raises(InputError, match=r"model\.litertlm: the model in it is damaged: .* scales"):
        weight_matrices(path)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    path = write_container(tmp_path / "model.litertlm", model=b"\xff\xff\xff\x7fTFL3" + bytes(100))
    with pytest.raises(InputError, match=r"model\.litertlm: damaged \.tflite model"):
        weight_matrices(path)
