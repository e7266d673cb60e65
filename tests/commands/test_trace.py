import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.trace import print_links, run_of, trace
from pipeline.errors import InputError
from pipeline.run.files import MANIFEST
from pipeline.run.folder import Run
from pipeline.run.lineage import Link

CHAIN = ("download", "prepare", "finetune", "merge", "convert", "bundle")
BEFORE = {
    "download": (),
    "prepare": ("download",),
    "finetune": ("download", "prepare"),
    "merge": ("download", "finetune"),
    "convert": ("merge",),
    "bundle": ("convert",),
}
OUTPUTS = {
    "download": "preset/config.json",
    "prepare": "train.jsonl",
    "finetune": "adapter.safetensors",
    "merge": "keras/model.weights.h5",
    "convert": "model.litertlm",
    "bundle": "science.apk",
}


def write_apk(
    path: Path, model: bytes, declared: str | None = None, *, inside: bool = True, comment: bytes = b""
) -> None:
    with zipfile.ZipFile(path, "w") as apk:
        apk.comment = comment
        digest = declared or hashlib.sha256(model).hexdigest()
        apk.writestr("assets/manifest.json", json.dumps({"name": "Science", "model": {"sha256": digest}}))
        if inside:
            apk.writestr("assets/model.litertlm", model)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs with one whole run in it, the examples and the preset beside it."""
    (tmp_path / "mine.jsonl").write_text("the examples")
    (tmp_path / "gemma").mkdir()
    (tmp_path / "gemma/config.json").write_text("a preset")
    inputs = {"download": {"preset": tmp_path / "gemma"}, "prepare": {"train": tmp_path / "mine.jsonl"}}
    with Run(tmp_path / "runs/science") as run:
        for stage in CHAIN:
            with run.stage(stage, settings={}, after=BEFORE[stage], inputs=inputs.get(stage)) as work:
                target = work.folder / OUTPUTS[stage]
                target.parent.mkdir(parents=True, exist_ok=True)
                if stage == "bundle":
                    write_apk(target, b"made by convert")
                    (work.folder / "model.litertlm").write_text("made by convert")
                else:
                    target.write_text(f"made by {stage}")
    return tmp_path / "runs"


def broken(links: list[Link]) -> list[str]:
    return [f"{link.what}: {link.detail}" for link in links if not link.intact]


@pytest.mark.parametrize("stage", CHAIN)
def test_every_result_is_traced_to_what_it_was_made_from(runs: Path, stage: str) -> None:
    links = trace(runs / "science" / stage / OUTPUTS[stage], runs / "science")
    assert broken(links) == []
    assert links[0].detail.startswith(f"is {stage}/{OUTPUTS[stage]}")
    whats = [link.what for link in links]
    assert whats[-1] == "gemma → download"
    assert ("mine.jsonl → prepare" in whats) == (stage != "download")
    assert whats.count("download/") == 1


def test_the_links_of_an_apk_lead_through_every_stage(runs: Path) -> None:
    links = trace(runs / "science/bundle/science.apk", runs)
    assert [link.what for link in links] == [
        "science.apk",
        "assets/model.litertlm",
        "model",
        "bundle/",
        "convert → bundle",
        "convert/",
        "merge → convert",
        "merge/",
        "download → merge",
        "finetune → merge",
        "finetune/",
        "download → finetune",
        "prepare → finetune",
        "prepare/",
        "download → prepare",
        "mine.jsonl → prepare",
        "download/",
        "gemma → download",
    ]


def test_of_two_equal_files_the_one_that_was_named_is_traced(runs: Path) -> None:
    # The bundle holds a copy of the converted model.
    assert trace(runs / "science/bundle/model.litertlm", runs)[0].stage == "bundle"
    assert trace(runs / "science/convert/model.litertlm", runs)[0].stage == "convert"


def test_a_copy_elsewhere_is_traced_by_its_digest(runs: Path, tmp_path: Path) -> None:
    copy = shutil.copy(runs / "science/finetune/adapter.safetensors", tmp_path / "sent-by-mail.bin")
    assert broken(trace(Path(copy), runs)) == []


def test_an_app_built_elsewhere_is_traced_by_its_model(runs: Path, tmp_path: Path) -> None:
    write_apk(tmp_path / "store.apk", b"made by convert", comment=b"signed by a store")
    links = trace(tmp_path / "store.apk", runs)
    assert broken(links) == []
    assert [link.what for link in links[:4]] == ["store.apk", "assets/model.litertlm", "model", "convert/"]


def test_an_app_without_the_model_is_traced_by_its_manifest(runs: Path, tmp_path: Path) -> None:
    write_apk(tmp_path / "store.apk", b"made by convert", inside=False)
    links = trace(tmp_path / "store.apk", runs)
    assert broken(links) == []
    assert "is not in the app: the model is a separate file" in links[1].detail


def test_an_exchanged_model_in_an_app_is_reported(runs: Path, tmp_path: Path) -> None:
    write_apk(tmp_path / "store.apk", b"another", declared=hashlib.sha256(b"made by convert").hexdigest())
    found = broken(trace(tmp_path / "store.apk", runs))
    assert found[0].startswith("assets/model.litertlm: is not the model that the app's manifest lists")
    assert found[1].startswith("model: no stage here wrote it")


def write_full_apk(path: Path, files: dict[str, bytes], declared: dict[str, object]) -> Path:
    with zipfile.ZipFile(path, "w") as apk:
        apk.writestr("assets/manifest.json", json.dumps({"format": 2} | declared))
        for name, content in files.items():
            apk.writestr(f"assets/{name}", content)
    return path


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def with_adapters(runs: Path, tmp_path: Path) -> Callable[..., Path]:
    """An app signed elsewhere, with a base and two adapters: one from a second run, one that was an input of
    bundle."""
    (tmp_path / "clerk.tflite").write_bytes(b"clerk")
    with Run(tmp_path / "runs/poetry") as run:
        with run.stage("finetune", settings={}) as work:
            (work.folder / "adapter.safetensors").write_text("trained on poems")
        with run.stage("convert", settings={}, after=("finetune",)) as work:
            (work.folder / "adapter.tflite").write_bytes(b"poet")
            (work.folder / "base.litertlm").write_bytes(b"base")
        inputs = {"adapters/1": tmp_path / "clerk.tflite"}
        with run.stage("bundle", settings={}, after=("convert",), inputs=inputs) as work:
            (work.folder / "poetry.apk").write_bytes(b"an app")

    def make(base: bytes = b"base", poet: bytes = b"poet", **declared: object) -> Path:
        files = {
            "model.litertlm": b"made by convert",
            "base.litertlm": base,
            f"adapters/{digest(b'poet')}.tflite": poet,
            f"adapters/{digest(b'clerk')}.tflite": b"clerk",
        }
        manifest: dict[str, object] = {
            "model": {"sha256": digest(b"made by convert")},
            "base_model": {"sha256": digest(b"base")},
            "adapters": [{"sha256": digest(b"poet")}, {"sha256": digest(b"clerk")}],
        }
        return write_full_apk(tmp_path / "store.apk", files, manifest | declared)

    return make


def test_base_and_adapters_of_an_apk_are_traced_each_to_its_own_run(
    runs: Path, with_adapters: Callable[..., Path]
) -> None:
    links = trace(with_adapters(), runs)
    assert broken(links) == []
    found = {link.what: link.detail for link in links if link.what in ("model", "base")}
    assert found["model"].startswith("is convert/model.litertlm")
    assert found["base"].startswith("is convert/base.litertlm")
    adapters = [link.detail for link in links if link.what == "adapter"]
    assert adapters[0].startswith("is convert/adapter.tflite")
    assert adapters[1].startswith("was input adapters/1 of bundle")
    assert [link.what for link in links].count("convert/") == 2  # one of each run


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": b"other"}, "is not the base that the app's manifest lists"),
        ({"poet": b"other"}, "is not the adapter that the app's manifest lists"),
        ({"adapters": [{"sha256": digest(b"poet")}]}, "is in the app, but its manifest does not list it"),
        (
            {"adapters": [{"sha256": digest(each)} for each in (b"poet", b"clerk", b"judge")]},
            "is not in the app, but its manifest lists it",
        ),
        ({"base_model": None}, "is in the app, but its manifest does not list it"),
    ],
)
def test_an_exchanged_base_or_adapter_is_reported(
    runs: Path, with_adapters: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    found = broken(trace(with_adapters(**changes), runs))
    assert any(message in fault for fault in found)


def test_a_model_of_no_stage_is_a_broken_link(runs: Path, with_adapters: Callable[..., Path]) -> None:
    unknown = {"sha256": digest(b"unknown")}
    found = broken(trace(with_adapters(base=b"unknown", base_model=unknown), runs))
    assert len(found) == 1
    assert found[0].startswith("base: no stage here wrote it")


def test_a_zip_that_is_not_our_app_cannot_be_traced(runs: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.apk", "w") as apk:
        apk.writestr("classes.dex", b"x")
    (link,) = trace(tmp_path / "other.apk", runs)
    assert not link.intact
    assert "it neither contains nor declares a model" in link.detail


def test_a_file_of_no_stage_cannot_be_traced(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "unknown.bin").write_bytes(b"x")
    (link,) = trace(tmp_path / "unknown.bin", runs)
    assert (link.intact, link.stage) == (False, "")
    assert "wrote this file" in link.detail


def change_examples(runs: Path) -> None:
    (runs.parent / "mine.jsonl").write_text("other examples")


def remove_examples(runs: Path) -> None:
    (runs.parent / "mine.jsonl").unlink()


def change_preset(runs: Path) -> None:
    (runs.parent / "gemma/config.json").write_text("another preset")
    (runs.parent / "gemma/more.json").write_text("")


def change_adapter(runs: Path) -> None:
    (runs / "science/finetune/adapter.safetensors").write_text("another adapter")


def remove_stage(runs: Path) -> None:
    shutil.rmtree(runs / "science/merge")


def damage_manifest(runs: Path) -> None:
    (runs / "science/merge" / MANIFEST).write_text("{")


def redo_prepare(runs: Path) -> None:
    with Run(runs / "science") as run:
        inputs = {"train": runs.parent / "mine.jsonl"}
        with run.stage("prepare", settings={"new": 1}, after=("download",), inputs=inputs) as work:
            (work.folder / "train.jsonl").write_text("made by another prepare")


def forge_adapter(runs: Path) -> None:
    """Another adapter, and a manifest that claims it."""
    change_adapter(runs)
    path = runs / "science/finetune" / MANIFEST
    document = json.loads(path.read_text())
    document["outputs"][0]["sha256"] = hashlib.sha256(b"another adapter").hexdigest()
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (change_examples, ["mine.jsonl → prepare: {parent}/mine.jsonl: changed: train"]),
        (remove_examples, ["mine.jsonl → prepare: {parent}/mine.jsonl is missing"]),
        (
            change_preset,
            ["gemma → download: {parent}/gemma: changed: preset/config.json; new: preset/more.json"],
        ),
        (change_adapter, ["finetune/: differs from its manifest: changed: adapter.safetensors"]),
        (
            remove_stage,
            ["merge → convert: the result of merge is missing"],
        ),
        (
            redo_prepare,
            ["prepare → finetune: finetune used a result of prepare that is not the current one"],
        ),
        (
            forge_adapter,
            ["finetune → merge: merge used a result of finetune that is not the current one"],
        ),
    ],
)
def test_the_broken_link_is_named_and_no_other(
    runs: Path, damage: Callable[[Path], None], expected: list[str]
) -> None:
    damage(runs)
    found = broken(trace(runs / "science/bundle/science.apk", runs))
    assert found == [text.format(parent=runs.parent) for text in expected]


def test_a_damaged_manifest_is_a_broken_link(runs: Path) -> None:
    damage_manifest(runs)
    found = broken(trace(runs / "science/bundle/science.apk", runs))
    assert found[0].startswith("merge → convert: merge/manifest.json is damaged")


def test_a_result_with_a_damaged_manifest_is_reported_as_such(runs: Path) -> None:
    damage_manifest(runs)
    (link,) = trace(runs / "science/merge/keras/model.weights.h5", runs)
    assert not link.intact
    assert "is in merge/, but merge/manifest.json is damaged" in link.detail


def test_a_modified_result_is_reported_and_the_trace_goes_on(runs: Path) -> None:
    model = runs / "science/convert/model.litertlm"
    model.write_text("scaled")
    links = trace(model, runs)
    assert "is in convert/, but differs from what convert wrote" in broken(links)[0]
    assert links[-1].what == "gemma → download"


def test_every_digest_is_computed_again(runs: Path) -> None:
    # A change that keeps size, time and inode: a remembered digest would still be the old one.
    adapter = runs / "science/finetune/adapter.safetensors"
    stamp = adapter.stat()
    with adapter.open("r+") as file:
        file.write("MADE")
    os.utime(adapter, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert any(
        "adapter.safetensors" in fault
        for fault in broken(trace(runs / "science/convert/model.litertlm", runs))
    )


def test_a_preset_from_a_hub_is_named_with_its_version(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run, run.stage("download", settings={}) as work:
        (work.folder / "config.json").write_text("x")
        work.details.update(preset="kaggle://keras/gemma3/keras/gemma3_270m", version="4")
    last = trace(tmp_path / "run/download/config.json", tmp_path / "run")[-1]
    assert (last.what, last.detail) == ("kaggle://keras/gemma3/keras/gemma3_270m → download", "version 4")


@pytest.mark.parametrize("place", ["nothing", "empty", "file"])
def test_a_folder_without_runs_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="specify one with --run"):
        trace(tmp_path / "file", tmp_path / place)


def test_a_missing_file_is_refused(runs: Path) -> None:
    with pytest.raises(InputError, match=r"none.apk: no such file"):
        trace(runs / "none.apk", runs)


def test_each_link_and_a_summary_are_printed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_links(trace(runs / "science/convert/model.litertlm", runs))
    assert "all 14 links intact" in capsys.readouterr().out
    change_examples(runs)
    assert not print_links(trace(runs / "science/convert/model.litertlm", runs))
    output = capsys.readouterr().out
    assert "1 of 14 links broken" in output
    assert "✗ mine.jsonl → prepare" in output


def test_a_file_in_a_run_folder_is_traced_there(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run, run.stage("prepare", settings={}) as work:
        (work.folder / "a.txt").write_text("a")
    assert run_of(tmp_path / "run/prepare/a.txt") == tmp_path / "run"
    assert run_of(tmp_path / "run/other/a.txt") is None
