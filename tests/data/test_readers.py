import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import file_types
from pipeline.data.faults import Faults
from pipeline.data.readers import READERS, read_rows
from pipeline.errors import InputError
from tests.support.reading import faults_of, rows_of
from tests.support.rows import write_csv, write_jsonl, write_parquet


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


PAIRS = [{"prompt": "What is „Au“?", "response": "gold, 金"}, {"prompt": "a; b", "response": "c|d"}]

LINES = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in PAIRS)


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        LINES.replace("\n", " "),
        "\n".join(json.dumps(pair, indent=1) for pair in PAIRS),
        json.dumps(PAIRS),
        json.dumps(PAIRS, indent=2),
        json.dumps({"data": PAIRS, "version": "1.0"}),
        json.dumps({name: [pair[name] for pair in PAIRS] for name in PAIRS[0]}),
        json.dumps({name: {str(i): pair[name] for i, pair in enumerate(PAIRS)} for name in PAIRS[0]}),
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "json", "ndjson", "JSON"])
def test_json_holds_rows_in_lines_lists_columns_or_one_after_another(
    tmp_path: Path, suffix: str, content: str
) -> None:
    file = tmp_path / f"rows.{suffix}"
    file.write_text(content, encoding="utf-8")
    assert rows_of(file) == PAIRS


TURNS = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURNS, "source": "x"},
        {"conversation": [{"input": "Q", "output": "A"}, {"input": "R", "output": "B"}]},
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        {"thread": TURNS},
        {"prompt": "Q", "response": "A", "sources": [{"title": "T"}]},
        {"system": "S", "data": [{"prompt": "Q", "response": "A"}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_only_row_of_a_file_is_not_taken_for_a_list_of_rows(
    tmp_path: Path, row: dict[str, Any], indent: int | None
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row, indent=indent), encoding="utf-8")
    assert rows_of(file) == [row]


def test_an_object_may_hold_conversations_by_that_name(tmp_path: Path) -> None:
    file, rows = tmp_path / "rows.json", [{"id": 1, "messages": TURNS}, {"id": 2, "messages": TURNS}]
    file.write_text(json.dumps({"conversations": rows}), encoding="utf-8")
    assert rows_of(file) == rows


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_the_separator_the_line_end_and_the_encoding_of_csv_are_found(
    tmp_path: Path, separator: str, line_end: str, encoding: str
) -> None:
    file = tmp_path / "rows.csv"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end)
    writer.writerows([list(PAIRS[0]), *(list(pair.values()) for pair in PAIRS)])
    file.write_bytes(text.getvalue().encode(encoding))
    assert rows_of(file) == PAIRS


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nprompt;response\na,b;c\n",
        "prompt;response;;\na,b;c;;\n;;;\n",
        '\n \n prompt , response \n,\n"a,b", "c"\n',
        'prompt, response\n"a,b", "c"\n',
        "prompt\tresponse\na,b\tc\n\t\n",
    ],
)
def test_what_spreadsheets_add_is_no_row_and_no_column(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(content, encoding="utf-8")
    assert rows_of(file) == [{"prompt": "a,b", "response": "c"}]


def test_a_column_without_a_name_and_a_cell_without_text(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "rows.csv", ["", "prompt", "response"], [["0", "a", ""], ["1", "b", "c"]])
    assert rows_of(file) == [
        {"": "0", "prompt": "a", "response": None},
        {"": "1", "prompt": "b", "response": "c"},
    ]


def test_a_cell_of_any_length_is_read(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "rows.csv", ["prompt", "response"], [["a", "b" * 200_000]])
    assert rows_of(file)[0]["response"] == "b" * 200_000


@pytest.mark.parametrize(("suffix", "codec"), [("gz", "gzip"), ("zst", "zstd"), ("bz2", "bz2")])
def test_compressed_files_are_read_and_damaged_ones_refused(tmp_path: Path, suffix: str, codec: str) -> None:
    import pyarrow

    file = tmp_path / f"rows.jsonl.{suffix}"
    with pyarrow.CompressedOutputStream(pyarrow.OSFile(str(file), "wb"), codec) as stream:
        stream.write(LINES.encode())
    assert rows_of(file) == PAIRS
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be decompressed"):
        read_rows(file, Faults())


def test_a_named_encoding_is_used_and_a_wrong_one_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("prompt,response\ncafé,a\n".encode("cp1252"))
    assert rows_of(file, "cp1252")[0]["prompt"] == "café"
    assert "name its encoding in data.encoding (cp1252" in faults_of(file)[0]
    faults = Faults()
    read_rows(file, faults, "ascii")
    assert faults.found[0][1] == "not valid ascii (according to data.encoding) at byte 19"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"prompt": "a", "prompt": "b"}', "the key prompt occurs twice; keep one"),
        ("// mine", "is a comment, which JSON does not allow"),
        ("{'prompt': 'a'}", "has text in single quotes"),
        ('{"prompt": "a"},', "ends with a comma"),
    ],
)
@pytest.mark.parametrize("others", [0, 3])
def test_common_mistakes_in_json_are_called_by_their_names(
    tmp_path: Path, line: str, what: str, others: int
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([line, *['{"prompt": "z"}'] * others]), encoding="utf-8")
    (fault,) = faults_of(file)
    assert fault.startswith("rows.jsonl line 1: ") and what in fault


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
    ordered = sorted(faults.found, key=lambda fault: fault[0].number)
    found = [f"{place}: {what}" for place, what in ordered]
    assert found[0].startswith("rows.jsonl line 2: invalid JSON: Expecting value")
    assert found[1] == "rows.jsonl line 3: expected one JSON object {…} per line, found list"
    assert 'line 4: not valid UTF-8: byte 0xe9 at column 16, after \'{"prompt": "caf\'; save' in found[2]
    assert found[3].startswith("rows.jsonl line 5: invalid JSON")


def test_csv_lines_are_counted_through_quoted_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('prompt,response\n"two\nlines",a\n\nc\nd,e,f\n', encoding="utf-8")
    assert faults_of(file) == [
        "rows.csv line 5: has 1 fields, but the header has 2; quote fields that contain ',' or line breaks",
        "rows.csv line 6: has 3 fields, but the header has 2; quote fields that contain ',' or line breaks",
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
    assert (
        "two columns are named prompt"
        in faults_of(write_csv(tmp_path / "rows.csv", ["prompt", "prompt"], [["a", "b"]]))[0]
    )


@pytest.mark.parametrize("content", [b"", b"\n\n"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_empty_file_is_a_fault(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"rows.{suffix}"
    file.write_bytes(content)
    assert faults_of(file) == [f"rows.{suffix}: contains no rows"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.xlsx", "unsupported file type .xlsx; save the sheet as CSV"),
        ("rows.zip", "unsupported file type .zip; unpack it"),
        ("rows.doc", r"expected .arrow, .csv, .*, optionally compressed \(.gz, .zst, .bz2\)"),
        ("rows", "no suffix"),
        ("none.jsonl", "no such file"),
    ],
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
    assert list(READERS) == [".arrow", ".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv"]


ROWS = [{"prompt": "a", "response": "b"}, {"prompt": "c", "response": "d"}]


@pytest.mark.parametrize(
    "content",
    [
        '[\n{"prompt":"a","response":"b"},\n{"prompt":"c","response":"d"}\n]',
        '{"data": [\n{"prompt":"a","response":"b"},\n{"prompt":"c","response":"d"}\n]}',
    ],
)
def test_a_document_may_have_an_object_on_each_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content)
    assert rows_of(file) == ROWS


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('[{"prompt":"a","response":"b"},\n]', "rows.json line 2: has a comma before ]; remove it"),
        ('{"prompt":"a"}\n\ufeff{"prompt":"c"}', "rows.json line 2: contains a byte order mark"),
        ('{"prompt":"a"}\n\0\0', "rows.json line 2: contains NUL characters"),
    ],
)
def test_common_mistakes_in_json_are_explained(tmp_path: Path, content: str, fault: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content, encoding="utf-8")
    assert faults_of(file)[0].startswith(fault)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("rows.csv", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("rows.jsonl", b"<!DOCTYPE html><html>", "a web page"),
        ("rows.csv", b"PK\x03\x04rest", "a ZIP archive or an Excel workbook"),
        ("rows.jsonl", b"\x1f\x8b\x08rest", "gzip-compressed content"),
    ],
)
def test_a_file_of_another_kind_says_what_it_is(
    tmp_path: Path, name: str, content: bytes, fault: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError, match=fault):
        read_rows(file, Faults())


def test_a_repeated_header_is_no_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("prompt,response\na,b\n\ufeffprompt,response\nc,d\n", encoding="utf-8")
    assert faults_of(file) == [
        "rows.csv line 3: repeats the header, as in concatenated files; remove the line"
    ]


def test_text_after_a_closing_quote_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "rows.tsv"
    file.write_text('prompt\tresponse\n"it" is\tb\n')
    assert "text follows a closing quote in this record; double the quotes" in faults_of(file)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_byte_order_mark_is_no_text_where_the_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\ufeffprompt,response\na,b\n", encoding=encoding)
    assert rows_of(file, encoding) == [{"prompt": "a", "response": "b"}]
