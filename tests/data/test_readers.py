from pathlib import Path

import pytest

from pipeline.data import file_types
from pipeline.data.faults import Faults
from pipeline.data.readers import READERS, read_rows
from pipeline.errors import InputError
from tests.support.rows import write_csv, write_jsonl, write_parquet


def faults_of(path: Path) -> list[str]:
    faults = Faults()
    read_rows(path, faults)
    return [f"{place}: {what}" for place, what in faults.found]


def test_the_three_kinds_of_file_hold_the_same_rows(tmp_path: Path) -> None:
    rows = [
        {"prompt": "What is „Au“?", "response": "gold, 金"},
        {"prompt": 'say "a,b"\nplease', "response": "a,b"},
    ]
    files = [
        write_jsonl(tmp_path / "rows.jsonl", rows),
        write_csv(tmp_path / "rows.csv", ["prompt", "response"], [list(row.values()) for row in rows]),
        write_parquet(tmp_path / "rows.parquet", {name: [row[name] for row in rows] for name in rows[0]}),
    ]
    for file in files:
        faults = Faults()
        assert [row.values for row in read_rows(file, faults)] == rows
        assert not faults.found


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    jsonl, csv = tmp_path / "rows.jsonl", tmp_path / "rows.csv"
    jsonl.write_bytes(b'\xef\xbb\xbf{"prompt": "a", "response": "b"}\r\n\r\n{"prompt": "c", "response": "d"}')
    csv.write_bytes(b"\xef\xbb\xbfprompt,response\r\na,b\r\nc,d\r\n")
    for file in (jsonl, csv):
        faults = Faults()
        assert [row.values["prompt"] for row in read_rows(file, faults)] == ["a", "c"]
        assert not faults.found


def test_each_broken_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    file = write_jsonl(
        tmp_path / "rows.jsonl",
        [
            {"prompt": "a"},
            b'{"prompt": ',
            b"[1, 2]",
            b'{"prompt": "caf\xe9"}',
            b"[" * 100_000,
            {"prompt": "z"},
        ],
    )
    faults = Faults()
    assert [row.place.number for row in read_rows(file, faults)] == [1, 6]
    found = [f"{place}: {what}" for place, what in faults.found]
    assert found[0].startswith("rows.jsonl line 2: invalid JSON: Expecting value")
    assert found[1] == "rows.jsonl line 3: expected one JSON object {…} per line, found list"
    assert found[2] == 'rows.jsonl line 4: not valid UTF-8: byte 0xe9 at column 16, after \'{"prompt": "caf\''
    assert found[3].startswith("rows.jsonl line 5: invalid JSON")


def test_csv_lines_are_counted_through_quoted_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('prompt,response\n"two\nlines",a\n\nc\nd,e,f\n', encoding="utf-8")
    assert faults_of(file) == [
        "rows.csv line 5: has 1 fields, the header has 2; quote fields that contain commas or line breaks",
        "rows.csv line 6: has 3 fields, the header has 2; quote fields that contain commas or line breaks",
    ]


def test_a_quote_that_is_never_closed_is_named_by_the_line_where_it_opens(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('prompt,response\na,b\n"c,d\ne,f\n', encoding="utf-8")
    (fault,) = faults_of(file)
    assert fault.startswith("rows.csv line 3: invalid CSV")


def test_csv_that_is_not_utf8_names_every_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"prompt,response\ncaf\xe9,a\nb,c\nna\xefve,d\n")
    assert [fault.split(": not")[0] for fault in faults_of(file)] == ["rows.csv line 2", "rows.csv line 4"]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "same name" in faults_of(write_csv(tmp_path / "rows.csv", ["prompt", "prompt"], [["a", "b"]]))[0]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_utf16_is_called_by_its_name(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows.{suffix}"
    file.write_text('{"prompt": "a"}', encoding="utf-16")
    assert faults_of(file) == [f"rows.{suffix}: is UTF-16; save it as UTF-8"]


def test_a_file_that_only_claims_to_be_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PAR1 but not really PAR1")
    assert faults_of(file)[0].startswith("rows.parquet: not a Parquet file")


def test_parquet_text_that_is_not_utf8_names_the_row(tmp_path: Path) -> None:
    import pyarrow

    damaged = pyarrow.array([b"fine", b"caf\xe9"], pyarrow.binary()).view(pyarrow.utf8())
    file = write_parquet(tmp_path / "rows.parquet", {"prompt": damaged})
    assert faults_of(file)[0].startswith("rows.parquet row 2: not valid UTF-8")


@pytest.mark.parametrize("content", [b"", b"\n\n"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_empty_file_is_a_fault(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"rows.{suffix}"
    file.write_bytes(content)
    assert faults_of(file) == [f"rows.{suffix}: contains no rows"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("rows.xlsx", "unsupported file type .xlsx"), ("rows", "no suffix"), ("none.jsonl", "no such file")],
)
def test_files_that_cannot_be_read_are_refused_by_name(tmp_path: Path, name: str, message: str) -> None:
    if "none" not in name:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=message) as caught:
        read_rows(tmp_path / name, Faults())
    assert name in str(caught.value)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(tmp_path / "rows.jsonl", Faults())


def test_every_module_of_file_types_is_found() -> None:
    modules = {path.stem for path in Path(file_types.__path__[0]).glob("*.py")} - {"__init__"}
    assert modules == {reader.__module__.rpartition(".")[2] for reader in READERS.values()}
    assert list(READERS) == [".csv", ".jsonl", ".parquet"]
