"""Promise: a .tflite is reported with its signatures and matrices, each with the name of the input or
output."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.inspect.file import inspect_file
from pipeline.inspect.tflite import read_model
from tests.support.tflite import Constant, write_tflite


def test_signatures_and_matrices_are_listed(tmp_path: Path) -> None:
    inputs = {"tokens": ((1, 1), "INT32"), "kv_cache_k_0": ((1, 1, 48, 8), "FLOAT16")}
    path = write_tflite(
        tmp_path / "m.tflite", [Constant(("m",), (6, 64), "INT8", bytes(384), 6)], {"decode": inputs}
    )
    report = inspect_file(path)
    assert (report.kind, report.bytes) == ("tflite", path.stat().st_size)
    (model,) = report.models
    assert (model.name, model.bytes, model.kv_cache_bytes) == ("model", path.stat().st_size, 768)
    (decode,) = model.signatures
    for side in (decode.inputs, decode.outputs):
        assert {each.name: (each.shape, each.dtype) for each in side} == inputs
    assert [(each.name, each.bytes) for each in model.matrices] == [("m", 384)]


def test_a_model_that_is_not_a_plain_tflite_is_noted() -> None:
    notes: list[str] = []
    assert read_model(memoryview(b"nothing known"), "aux", "x.litertlm", notes) is None
    assert notes == ["aux is not a plain .tflite (it starts with b'nothing '): not inspected"]


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    constant = Constant(("m",), (6, 64), "INT8", bytes(384), 6, outside=True)
    path = write_tflite(tmp_path / "m.tflite", [constant])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"m\.tflite: truncated: "):
        inspect_file(path)
