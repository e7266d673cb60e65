from pathlib import Path

import pytest

from pipeline.addresses import path_name, source_name
from pipeline.data import sources
from pipeline.data.sources import Split, find_files
from pipeline.errors import InputError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    return root


def names(root: Path, *patterns: str, split: Split = "train") -> list[str]:
    found = find_files([str(root / pattern) for pattern in patterns], split)
    return [path.relative_to(root).as_posix() for path in found]


def test_files_and_patterns_are_taken_in_order_and_once(tmp_path: Path) -> None:
    tree(tmp_path, "b.jsonl", "part-2.csv", "part-1.csv", "with [x].csv")
    assert names(tmp_path, "b.jsonl", "part-*.csv", "part-1.csv") == ["b.jsonl", "part-1.csv", "part-2.csv"]
    assert names(tmp_path, "with [x].csv") == ["with [x].csv"]
    with pytest.raises(InputError, match=r"none-\*\.csv: matches no file"):
        names(tmp_path, "none-*.csv")
    with pytest.raises(InputError, match=r"none\.csv: no such file or folder; check the data section"):
        names(tmp_path, "none.csv")


def test_a_folder_stands_for_its_split_or_for_all_its_files(tmp_path: Path) -> None:
    hub = tree(
        tmp_path / "hub",
        "README.md",
        "dataset_infos.json",
        ".cache/train.json",
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
        "data/test-00000-of-00001.parquet",
    )
    assert names(hub, "") == ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
    assert names(hub, "", split="test") == ["data/test-00000-of-00001.parquet"]
    with pytest.raises(InputError, match="has no files for validation, only for test, train"):
        names(hub, "", split="validation")
    tree(hub, "data/more.parquet")
    assert "data/more.parquet" not in names(hub, "")
    half = tree(tmp_path / "half", "questions.csv", "test.csv")
    assert names(half, "") == ["questions.csv"]
    plain = tree(tmp_path / "plain", "a/one.csv", "b/two.csv.gz")
    assert names(plain, "", split="test") == ["a/one.csv", "b/two.csv.gz"]
    saved = tree(tmp_path / "saved", "train/data-0.arrow", "train/state.json", "dev/data-0.arrow")
    assert names(saved, "", split="validation") == ["dev/data-0.arrow"]


def test_a_folder_of_several_data_sets_or_types_or_of_none_is_refused(tmp_path: Path) -> None:
    several = tree(tmp_path / "several", "main/train.parquet", "socratic/train.parquet")
    with pytest.raises(InputError, match="several data sets; add one of these to the path: main, socratic"):
        names(several, "")
    mixed = tree(tmp_path / "mixed", "train.csv", "train.jsonl")
    with pytest.raises(InputError, match=r"files of several types \(\.csv, \.jsonl\)"):
        names(mixed, "")
    with pytest.raises(InputError, match="contains no files with examples"):
        names(tree(tmp_path / "none", "README.md"), "")


def test_a_data_set_of_hugging_face_is_fetched_and_read_as_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    hub = tree(tmp_path, "data/train.parquet", "small/train.parquet", "small/test.parquet")

    def fetch(uri: str, name: str, revision: str | None, patterns: list[str]) -> Path:
        asked.append((name, revision, "*.parquet" in patterns))
        return hub

    monkeypatch.setattr(sources, "fetch_dataset", fetch)
    assert find_files(["hf://datasets/ann/flags@v2/small"], "test") == [hub / "small/test.parquet"]
    assert find_files(["hf://datasets/ann/flags/data/train.parquet"], "train") == [hub / "data/train.parquet"]
    assert [(name, revision) for name, revision, _ in asked] == [("ann/flags", "v2"), ("ann/flags", None)]
    with pytest.raises(InputError, match="hf://datasets/ann/flags: contains several data sets"):
        find_files(["hf://datasets/ann/flags"], "train")
    assert asked[-1] == ("ann/flags", None, True)


@pytest.mark.parametrize(
    "address", ["hf://datasets/ann", "hf://ann/flags", "s3://bucket/x", "hf://datasets//x"]
)
def test_an_address_that_is_no_data_set_is_refused_as_it_was_written(address: str) -> None:
    with pytest.raises(InputError) as caught:
        find_files([address], "train")
    assert str(caught.value).startswith(f"{address}: ")
    assert "hf://datasets/owner/name" in str(caught.value)


def test_sources_have_a_name_for_people() -> None:
    assert source_name(["/data/mine.jsonl"]) == "mine.jsonl"
    assert source_name(["hf://datasets/ann/flags", "b.csv", "c.csv"]) == "ann/flags and 2 more"


def test_a_pattern_is_named_with_its_folder() -> None:
    assert source_name(["/data/poems/*.jsonl"]) == "poems/*.jsonl"
    assert path_name("/data/poems/part-?.csv") == "poems/part-?.csv"
    assert path_name("/data/poems/") == "poems"
