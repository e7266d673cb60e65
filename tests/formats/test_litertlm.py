"""Promise: a .litertlm is read as it was written, and a file that is not whole is refused before anything
trusts it."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.litertlm import HEADER_BEGIN, METADATA, MODEL, TOKENIZER, read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.formats.llm_metadata import LlmMetadata
from tests.support.litertlm import write_container


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_container(
        tmp_path / "model.litertlm", tokenizer=b"pieces" * 5000, model=b"\0\0\0\0TFL3" + bytes(40000)
    )


def test_what_the_vendors_builder_wrote_is_read(bundle: Path) -> None:
    container = read_container(bundle)
    assert [section.kind for section in container.sections] == [METADATA, TOKENIZER, MODEL]
    assert container.read(TOKENIZER) == b"pieces" * 5000
    assert container.section(MODEL).items == {"model_type": "tf_lite_prefill_decode"}
    assert container.system["Authors"] == "the vendor"
    assert container.llm_metadata().max_tokens == 256


@pytest.mark.parametrize("size", [0, 7, HEADER_BEGIN - 1, HEADER_BEGIN + 10, 20000, -1])
def test_a_truncated_file_is_refused(bundle: Path, size: int) -> None:
    content = bundle.read_bytes()
    bundle.write_bytes(content[:size])
    with pytest.raises(InputError, match=r"truncated|not a \.litertlm"):
        read_container(bundle)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.litertlm"
    path.write_bytes(b"PK\x03\x04" + bytes(1000))
    with pytest.raises(InputError, match=r"not a \.litertlm file"):
        read_container(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_container(tmp_path / "model.litertlm")


def test_a_later_format_is_refused(bundle: Path) -> None:
    content = bytearray(bundle.read_bytes())
    content[8] = 2
    bundle.write_bytes(content)
    with pytest.raises(InputError, match="format version 2"):
        read_container(bundle)


def test_a_damaged_header_is_refused_or_read_within_the_file(bundle: Path) -> None:
    content = bytearray(bundle.read_bytes())
    end = int.from_bytes(content[24:32], "little")
    refused = 0
    for place in range(HEADER_BEGIN, end):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        bundle.write_bytes(damaged)
        try:
            container = read_container(bundle)
        except InputError:
            refused += 1
            continue
        assert all(section.end <= len(content) for section in container.sections)
    assert refused > (end - HEADER_BEGIN) // 4


def test_a_missing_section_is_named(bundle: Path) -> None:
    with pytest.raises(InputError, match="no HF_Tokenizer_Zlib section"):
        read_container(bundle).read("HF_Tokenizer_Zlib")


def test_metadata_that_is_none_is_refused(tmp_path: Path) -> None:
    whole = read_container(write_container(tmp_path / "model.litertlm"))
    rewrite(whole, tmp_path / "copy.litertlm", replace={METADATA: b"\xff\xff\xff"})
    with pytest.raises(InputError, match="damaged metadata section"):
        read_container(tmp_path / "copy.litertlm").llm_metadata()


def test_values_of_every_kind_are_read_as_text(tmp_path: Path) -> None:
    from litert_lm_builder import litertlm_builder as vendor

    kinds = vendor.DType
    values = {
        "text": ("Grüße", kinds.STRING),
        "whole": (-7, kinds.INT32),
        "small": (-3, kinds.INT8),
        "large": (2**40, kinds.UINT64),
        "part": (0.5, kinds.FLOAT32),
        "double": (0.1, kinds.DOUBLE),
        "yes": (True, kinds.BOOL),
        "no": (False, kinds.BOOL),
    }
    builder = vendor.LitertLmFileBuilder()
    for key, (value, kind) in values.items():
        builder.add_system_metadata(vendor.Metadata(key=key, value=value, dtype=kind))
    (tmp_path / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    builder.add_tflite_model(str(tmp_path / "model.tflite"), vendor.TfLiteModelType.PREFILL_DECODE)
    with (tmp_path / "model.litertlm").open("wb") as file:
        builder.build(file)
    system = read_container(tmp_path / "model.litertlm").system
    assert {key: system[key] for key in values} == {key: str(value) for key, (value, _) in values.items()}


def test_a_file_without_metadata_declares_nothing_of_a_conversation(tmp_path: Path) -> None:
    from litert_lm_builder import litertlm_builder as vendor

    (tmp_path / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    builder = vendor.LitertLmFileBuilder()
    builder.add_system_metadata(vendor.Metadata(key="Authors", value="x", dtype=vendor.DType.STRING))
    builder.add_tflite_model(str(tmp_path / "model.tflite"), vendor.TfLiteModelType.PREFILL_DECODE)
    with (tmp_path / "model.litertlm").open("wb") as file:
        builder.build(file)
    container = read_container(tmp_path / "model.litertlm")
    assert not container.has(METADATA)
    assert container.llm_metadata() == LlmMetadata()


def test_a_file_inside_another_is_read_where_it_is(bundle: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    (tmp_path / "outer").write_bytes(b"before" + content + b"behind")
    alone = read_container(bundle)
    inside = read_container(tmp_path / "outer", (6, 6 + len(content)))
    assert [each.begin for each in inside.sections] == [each.begin + 6 for each in alone.sections]
    assert inside.read(TOKENIZER) == alone.read(TOKENIZER)
    assert bytes(inside.view(inside.section(MODEL))) == alone.read(MODEL)
    with pytest.raises(InputError, match="truncated"):
        read_container(tmp_path / "outer", (6, len(content)))
