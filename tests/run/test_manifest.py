import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.run.folder import Run
from pipeline.run.manifest import FORMAT, file_differences, list_files, read_manifest


def written(folder: Path, content: str = "hello") -> Path:
    """The manifest of a stage that wrote one file."""
    with Run(folder) as run, run.stage("prepare", settings={"a": 1}, force=True) as work:
        (work.folder / "a.txt").write_text(content)
    return run.files.prepare.manifest


def change(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_the_digest_depends_on_the_result_and_not_on_times_or_versions(tmp_path: Path) -> None:
    path = written(tmp_path)
    digest = read_manifest(path).digest
    change(path, seconds=99.0, finished="2020-01-01T00:00:00Z", packages={}, sources={"code": "x"})
    assert read_manifest(path).digest == digest
    for key, value in (("settings", {"a": 2}), ("outputs", []), ("previous", {"download": "0"})):
        written(tmp_path)
        change(path, **{key: value})
        assert read_manifest(path).digest != digest


def test_a_result_that_is_made_again_the_same_has_the_same_digest(tmp_path: Path) -> None:
    assert read_manifest(written(tmp_path)).digest == read_manifest(written(tmp_path)).digest
    assert read_manifest(written(tmp_path)).digest != read_manifest(written(tmp_path, "other")).digest


def test_format_1_is_read_with_the_keys_of_today(tmp_path: Path) -> None:
    path = written(tmp_path)
    document = json.loads(path.read_text())
    digest = read_manifest(path).digest
    del document["format"], document["sources"]
    document["places"] = {"train": "/data/train.jsonl"}
    del document["input_paths"]
    path.write_text(json.dumps(document))
    manifest = read_manifest(path)
    assert manifest.document["format"] == 1 != FORMAT
    assert manifest.document["input_paths"] == {"train": "/data/train.jsonl"}
    assert manifest.digest == digest


def test_files_that_a_file_manager_leaves_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path)
    recorded = read_manifest(path).document["outputs"]
    (path.parent / ".DS_Store").write_bytes(b"Bud1")
    assert file_differences(recorded, list_files({"": path.parent}, sha256_of_file)) == ""
    (path.parent / "b.txt").write_text("more")
    assert file_differences(recorded, list_files({"": path.parent}, sha256_of_file)) == "new: b.txt"


def test_missing_keys_are_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    change(path, sources=None, seconds="long")
    with pytest.raises(ValueError, match="missing or of the wrong type: sources, seconds"):
        read_manifest(path)


def test_files_are_listed_by_label_and_sorted(tmp_path: Path) -> None:
    (tmp_path / "folder/sub").mkdir(parents=True)
    for name in ("folder/b", "folder/sub/a", "one"):
        (tmp_path / name).write_text(name)
    listed = list_files({"z": tmp_path / "one", "in": tmp_path / "folder"}, sha256_of_file)
    assert [(entry["name"], entry["bytes"]) for entry in listed] == [("in/b", 8), ("in/sub/a", 12), ("z", 3)]
    with pytest.raises(InputError, match=r"none: no such file or folder \(input x\)"):
        list_files({"x": tmp_path / "none"}, sha256_of_file)


def test_differences_are_named_by_kind() -> None:
    def entries(**digests: str) -> list[dict[str, Any]]:
        return [{"name": name, "bytes": 1, "sha256": digest} for name, digest in digests.items()]

    before, now = entries(a="1", b="1", c="1"), entries(a="1", b="2", d="1")
    assert file_differences(before, now) == "changed: b; missing: c; new: d"
    assert file_differences(before, before) == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff", "byte 0 is not UTF-8 text"),
        (b"[]", "missing or of the"),
    ],
)
def test_other_content_is_refused_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_manifest(path)
