"""Promise: a rewritten .litertlm is read by the vendor's reader, equal content gives equal bytes, and its id
follows its content."""

from pathlib import Path

import pytest

from pipeline.formats.litertlm import METADATA, MODEL, TOKENIZER, read_container
from pipeline.formats.litertlm_writer import rewrite, stamp
from tests.support.litertlm import write_container


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_container(
        tmp_path / "model.litertlm", tokenizer=b"pieces" * 5000, model=b"\0\0\0\0TFL3" + bytes(40000)
    )


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
    once, place = bundle.read_bytes(), read_container(bundle).id_offset
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
