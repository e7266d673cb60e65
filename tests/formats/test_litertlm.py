"""Promise: a .litertlm is read as it was written, and a file that is not whole is refused before anything trusts it."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.litertlm import HEADER_BEGIN, METADATA, MODEL, TOKENIZER, read_container, rewrite, stamp
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
    assert container.metadata().max_num_tokens == 256


def test_the_vendors_reader_reads_what_was_rewritten(bundle: Path, tmp_path: Path) -> None:
    from io import StringIO

    from litert_lm_builder import litertlm_peek

    copy = tmp_path / "copy.litertlm"
    rewrite(read_container(bundle), copy, replace={TOKENIZER: b"others"}, system={"description": "Grüße"})
    printed = StringIO()
    litertlm_peek.peek_litertlm_file(str(copy), str(tmp_path / "dump"), printed)
    assert "Grüße" in printed.getvalue()
    assert (tmp_path / "dump" / "Section1_SP_Tokenizer.spiece").read_bytes() == b"others"


def test_rewriting_keeps_everything_else_to_the_byte(bundle: Path, tmp_path: Path) -> None:
    source = read_container(bundle)
    rewrite(source, tmp_path / "copy.litertlm", replace={TOKENIZER: b"longer" * 9000})
    copy = read_container(tmp_path / "copy.litertlm")
    assert copy.read(MODEL) == source.read(MODEL)
    assert copy.read(METADATA) == source.read(METADATA)
    assert copy.read(TOKENIZER) == b"longer" * 9000
    assert [section.items for section in copy.sections] == [section.items for section in source.sections]
    assert copy.system["Authors"] == "the vendor"


def test_equal_content_gives_equal_files_whenever_it_was_made(bundle: Path, tmp_path: Path) -> None:
    again = write_container(
        tmp_path / "again.litertlm", tokenizer=b"pieces" * 5000, model=b"\0\0\0\0TFL3" + bytes(40000)
    )
    assert again.read_bytes() != bundle.read_bytes()  # the vendor stamps the time and a random id
    for name, source in (("a", bundle), ("b", again)):
        rewrite(read_container(source), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    rewrite(read_container(bundle), tmp_path / "c", replace={TOKENIZER: b"other"})
    assert read_container(tmp_path / "c").system["uuid"] != read_container(tmp_path / "a").system["uuid"]


def test_a_section_that_is_not_there_is_not_replaced(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such section"):
        rewrite(read_container(bundle), tmp_path / "copy", replace={"HF_Tokenizer_Zlib": b""})


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
    with pytest.raises(InputError, match="metadata section is damaged"):
        read_container(tmp_path / "copy.litertlm").metadata()


def test_the_id_follows_the_content_in_place(bundle: Path, tmp_path: Path) -> None:
    rewrite(read_container(bundle), tmp_path / "a")
    content = bytearray((tmp_path / "a").read_bytes())
    content[-1] ^= 1
    (tmp_path / "b").write_bytes(content)
    stamp(tmp_path / "b")
    rewrite(read_container(tmp_path / "b"), tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert read_container(tmp_path / "b").system["uuid"] != read_container(tmp_path / "a").system["uuid"]


def test_the_vendors_file_gets_an_id_of_its_content_too(bundle: Path) -> None:
    before = bundle.read_bytes()
    stamp(bundle)
    once, place = bundle.read_bytes(), read_container(bundle).id_place
    assert place is not None
    assert once != before
    assert once[:place] + once[place + 36 :] == before[:place] + before[place + 36 :]
    stamp(bundle)
    assert bundle.read_bytes() == once


def test_a_file_without_an_id_stays_as_it_is(bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(b"uuid", b"UUID"))
    before = bundle.read_bytes()
    stamp(bundle)
    assert bundle.read_bytes() == before


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
