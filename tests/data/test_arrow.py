"""Parquet and Arrow: every column that can be read is read, and what cannot be is named."""

import json
from pathlib import Path

import pytest

from tests.support.reading import faults_of, rows_of
from tests.support.rows import write_parquet


def test_parquet_labels_dictionaries_and_bytes_become_text(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}, "prompt": {"_type": "Value"}}
    table = pyarrow.table(
        {
            "prompt": pyarrow.array(["a", "b"]).dictionary_encode(),
            "response": pyarrow.array([b"c", b"d"], pyarrow.binary()),
            "label": [1, 0],
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    stream = pyarrow.OSFile(str(tmp_path / "rows.arrow"), "wb")
    with stream, pyarrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    for suffix in ("parquet", "arrow"):
        assert rows_of(tmp_path / f"rows.{suffix}") == [
            {"prompt": "a", "response": "c", "label": "yes"},
            {"prompt": "b", "response": "d", "label": "no"},
        ]


def test_a_file_that_only_claims_to_be_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PAR1 but not really PAR1")
    assert faults_of(file)[0].startswith("rows.parquet: not a .parquet file")


def test_parquet_text_that_is_not_utf8_names_the_row(tmp_path: Path) -> None:
    import pyarrow

    damaged = pyarrow.array([b"fine", b"caf\xe9"], pyarrow.binary()).view(pyarrow.utf8())
    file = write_parquet(tmp_path / "rows.parquet", {"prompt": damaged})
    assert faults_of(file)[0].startswith("rows.parquet row 2: not valid UTF-8")


def test_parquet_columns_that_python_has_no_values_for_do_not_stop_the_others(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(
        {
            "prompt": ["a"],
            "response": ["b"],
            "time": pyarrow.array([1_700_000_000_123_456_789], pyarrow.timestamp("ns")),
            "took": pyarrow.array([1], pyarrow.duration("ns")),
            "raw": pyarrow.array([b"\xff\xd8"], pyarrow.binary()),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    (row,) = rows_of(tmp_path / "rows.parquet")
    assert (row["prompt"], row["response"], row["raw"]) == ("a", "b", b"\xff\xd8")
    assert row["time"] == "2023-11-14 22:13:20.123456789"


def test_parquet_class_labels_inside_objects_and_lists_become_names(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    label = {"_type": "ClassLabel", "names": ["neg", "pos"]}
    features = {"m": {"label": label}, "many": {"_type": "List", "feature": label}, "label": label}
    table = pyarrow.table({"m": [{"label": 1}], "many": [[0, 1]], "label": [-1]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    assert rows_of(tmp_path / "rows.parquet") == [
        {"m": {"label": "pos"}, "many": ["neg", "pos"], "label": None}
    ]


@pytest.mark.parametrize(
    "metadata", ['{"info": {"features": [1]}}', '{"info": {"features": {"label": 5}}}', "["]
)
def test_an_unusable_description_of_columns_is_ignored(tmp_path: Path, metadata: str) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"label": [1]}).replace_schema_metadata({"huggingface": metadata})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    assert rows_of(tmp_path / "rows.parquet") == [{"label": 1}]


def test_two_parquet_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table([["a"], ["b"]], names=["prompt", "prompt"])
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    assert faults_of(tmp_path / "rows.parquet") == [
        "rows.parquet: two columns are named prompt; rename or remove one"
    ]
