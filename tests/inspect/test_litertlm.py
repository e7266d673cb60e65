"""Promise: a LiteRT-LM model file is reported as it was written, ours or another tool's; damage is
refused."""

import json
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.litertlm import METADATA, MODEL, read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.inspect.file import inspect_file
from pipeline.inspect.render import print_report
from tests.support.litertlm import write_container


def test_a_model_file_is_reported_as_it_was_written(bundle: Path, tflite: Path, tokenizer: bytes) -> None:
    found = inspect_file(bundle).document()
    assert (found["format"], found["kind"], found["name"]) == (1, "litertlm", "model.litertlm")
    assert found["bytes"] == bundle.stat().st_size
    assert [(each["kind"], each["bytes"]) for each in found["sections"]][1:] == [
        ("SP_Tokenizer", len(tokenizer)),
        ("TFLiteModel", tflite.stat().st_size),
    ]
    content = bundle.read_bytes()
    assert content[found["sections"][2]["begin"] : found["sections"][2]["end"]] == tflite.read_bytes()
    assert found["system"]["Authors"] == "the vendor"
    assert [each["text"] for each in found["start"]] == ["<bos>"]
    assert [(each["ids"], each["text"]) for each in found["stop"]] == [
        ((6,), "<end_of_turn>"),
        ((1,), "<eos>"),
    ]
    assert (found["chat_template"], found["max_tokens"]) == ("{{ x }}", 77)
    assert found["turns"] == {"user": {"prefix": "U:", "suffix": ""}}
    assert (found["sampler"]["type"], found["sampler"]["k"]) == ("TOP_K", 5)
    (model,) = found["models"]
    assert (model["name"], model["bytes"]) == ("prefill_decode", tflite.stat().st_size)
    assert [matrix["name"] for matrix in model["matrices"]] == ["m"]
    assert found["notes"] == ()


def test_another_tools_file_is_reported_as_far_as_it_can_be_read(tmp_path: Path, tflite: Path) -> None:
    """Several models, one of them not a .tflite, a Hugging Face tokenizer, no metadata, a kind that the
    schema lacks."""
    from litert_lm_builder import litertlm_builder as vendor

    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 2, "content": "<end>"}]})
    )
    (tmp_path / "other.bin").write_bytes(b"nothing that one knows")
    builder = vendor.LitertLmFileBuilder()
    builder.add_system_metadata(vendor.Metadata(key="answer", value=42, dtype=vendor.DType.INT32))
    builder.add_hf_tokenizer(str(tmp_path / "tokenizer.json"))
    builder.add_tflite_model(str(tflite), vendor.TfLiteModelType.PREFILL_DECODE)
    builder.add_tflite_model(str(tflite), vendor.TfLiteModelType.EMBEDDER)
    builder.add_tflite_model(str(tmp_path / "other.bin"), vendor.TfLiteModelType.AUX)
    builder.add_generic_binary_data(str(tmp_path / "other.bin"))
    path = tmp_path / "other.litertlm"
    with path.open("wb") as file:
        builder.build(file)
    content = bytearray(path.read_bytes())
    found = inspect_file(path)
    assert [model.name for model in found.models] == ["prefill_decode", "embedder", "aux"]
    assert [len(model.matrices) for model in found.models] == [1, 1, 0]
    assert found.tokenizer is not None
    assert (found.tokenizer.kind, found.tokenizer.vocabulary) == ("Hugging Face", 3)
    assert found.system["answer"] == "42"
    assert any("aux is not a plain .tflite" in note for note in found.notes)
    assert any("no LlmMetadata section" in note for note in found.notes)
    # The kind of the last section, a byte of the header's flatbuffer, becomes one that no schema has.
    end = int.from_bytes(content[24:32], "little")
    changed = 0
    for place in range(32, end):
        if content[place] != 1:
            continue
        content[place] = 99
        path.write_bytes(content)
        try:
            sections = inspect_file(path).sections
        except InputError:
            sections = ()
        if sections and sections[-1].kind == "kind 99":
            changed += 1
            assert any("kind 99" in note for note in inspect_file(path).notes)
            print_report(inspect_file(path))
        content[place] = 1
    assert changed == 1


def test_a_tokenizer_that_cannot_be_read_is_noted(tmp_path: Path, tflite: Path) -> None:
    path = write_container(tmp_path / "model.litertlm", b"no tokenizer", tflite.read_bytes())
    found = inspect_file(path)
    assert found.tokenizer is not None and found.tokenizer.vocabulary is None
    assert "its tokenizer cannot be read" in found.notes


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(bundle: Path, share: float) -> None:
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="truncated"):
        inspect_file(bundle)


def test_damage_inside_a_section_is_refused(bundle: Path, tmp_path: Path) -> None:
    for kind, content, message in (
        (METADATA, b"\xff\xff\xff", "damaged metadata section"),
        (MODEL, b"\xff\xff\xff\x7fTFL3" + bytes(100), "its prefill_decode: damaged"),
    ):
        rewrite(read_container(bundle), tmp_path / "copy.litertlm", replace={kind: content})
        with pytest.raises(InputError, match=message):
            inspect_file(tmp_path / "copy.litertlm")
