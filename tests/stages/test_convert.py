"""Promise: convert publishes a model that was read back and opened in the runtime, and converts no base
twice."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.gemma3 import GEMMA3
from pipeline.formats.task import check_task_file
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert import model_files
from pipeline.litert.graft import base_cache
from pipeline.litert.model_check import check_litertlm
from pipeline.litert.model_spec import ModelSpec
from pipeline.recipe.model_specs import base_spec, model_spec
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import convert
from tests.support.finished_run import BASE, WITHOUT_LOCK, config, finished_run

__all__ = ["finished_run"]


@pytest.mark.slow
def test_it_publishes_both_files_complete(finished_run: Path) -> None:
    merged = finished_run / "merge" / "huggingface"
    spec = model_spec(config(), GEMMA3)
    check_litertlm(finished_run / "convert" / "model.litertlm", Tokenizer.of_preset(merged), spec, merged)
    check_task_file(finished_run / "convert" / "model.task")
    assert sorted(path.name for path in (finished_run / "convert").iterdir()) == [
        "manifest.json",
        "model.litertlm",
        "model.task",
    ]


@pytest.fixture
def copy(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the run folder that a test can change."""
    shutil.copytree(finished_run, tmp_path / "run", copy_function=os.link, ignore=WITHOUT_LOCK)
    return tmp_path / "run"


def details(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "convert" / "manifest.json").read_text(encoding="utf-8"))
    return dict(found["details"])


def never(*arguments: object, **options: object) -> None:
    raise AssertionError("converted again")


def already_converted(finished_run: Path, monkeypatch: pytest.MonkeyPatch, cut: int = 0) -> None:
    """Instead of the converter: the file that it wrote before."""
    content = (finished_run / "convert" / "model.litertlm").read_bytes()

    def export(folder: Path, output: Path, spec: ModelSpec, log: Path) -> dict[str, object]:
        output.write_bytes(content[: len(content) - cut])
        return {"seconds": 1.0, "peak_memory_bytes": 1, "bytes": output.stat().st_size}

    monkeypatch.setattr(model_files, "export_litertlm", export)


@pytest.mark.slow
def test_the_manifest_records_how_the_model_was_converted(finished_run: Path) -> None:
    found = details(finished_run)
    assert found["recipe"] == "int8"
    assert found["rounding"] == "nearest"
    assert found["method"] in ("full conversion", "graft")
    assert found["bytes"] == (finished_run / "convert" / "model.litertlm").stat().st_size


@pytest.mark.slow
def test_the_second_time_the_matrices_are_grafted_and_the_file_is_the_same(
    finished_run: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "export_litertlm", never)
    with Run(copy) as run:
        convert.run(config(), run)
        assert (copy / "convert" / "manifest.json").read_bytes() == (
            finished_run / "convert" / "manifest.json"
        ).read_bytes()
        convert.run(config(), run, force=True)
    found = details(copy)
    assert (found["method"], found["matrices"]) == ("graft", 12)  # query and value of six layers
    before, after = (folder / "convert" / "model.litertlm" for folder in (finished_run, copy))
    assert before.read_bytes() == after.read_bytes()


@pytest.mark.slow
def test_a_changed_description_needs_no_conversion(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "export_litertlm", never)
    other = config().model_copy(update={"name": "another"})  # its description names it
    with Run(copy) as run:
        convert.run(other, run)
    merged = copy / "merge" / "huggingface"
    check_litertlm(
        copy / "convert" / "model.litertlm", Tokenizer.of_preset(merged), model_spec(other, GEMMA3), merged
    )


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{"graft": False}, {"prefill_lengths": (32,)}, {"context_length": 128}])
def test_a_setting_that_determines_the_file_is_not_served_by_the_cached_base(
    copy: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any]
) -> None:
    monkeypatch.setattr(model_files, "export_litertlm", never)
    other = config().model_copy(update={"convert": config().convert.model_copy(update=setting)})
    with Run(copy) as run, pytest.raises(AssertionError, match="converted again"):
        convert.run(other, run)


@pytest.mark.slow
def test_a_model_that_cannot_be_grafted_is_converted_and_the_reason_is_reported(
    finished_run: Path,
    copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_place(*arguments: object) -> None:
        raise InputError("two matrices are equal")

    already_converted(finished_run, monkeypatch)
    monkeypatch.setattr(base_cache, "locate_matrices", no_place)
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))
    with Run(copy) as run:
        convert.run(config(), run, force=True)
        assert "converted without grafting: two matrices are equal" in " ".join(
            capsys.readouterr().out.split()
        )
        assert details(copy)["no_graft"] == "two matrices are equal"
        rounded = config().convert.model_copy(update={"rounding": "least_squares"})
        with pytest.raises(
            InputError,
            match="convert.rounding: least_squares requires grafting, but this model cannot be grafted: two "
            "matrices are equal",
        ):
            convert.run(config().model_copy(update={"convert": rounded}), run)
    assert details(copy)["method"] == "full conversion"


@pytest.mark.slow
def test_a_model_with_a_changed_norm_is_converted_and_the_norm_is_named(
    finished_run: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    already_converted(finished_run, monkeypatch)
    path = copy / "merge" / "huggingface" / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"] = tensors["model.norm.weight"] + np.float32(0.5)
    path.unlink()  # the copy's name of a file that is shared
    save_file(tensors, path)
    with Run(copy) as run:
        convert.run(config(), run, force=True)
        rounded = config().convert.model_copy(update={"rounding": "least_squares"})
        with pytest.raises(
            InputError,
            match="cannot be grafted: a graft writes only matrices, but model.norm.weight changed too",
        ):
            convert.run(config().model_copy(update={"convert": rounded}), run)
    assert details(copy)["method"] == "full conversion"
    assert "converted without grafting: a graft writes only matrices" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.slow
def test_a_model_that_the_runtime_cannot_use_is_not_published(
    finished_run: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(copy / "convert")
    already_converted(finished_run, monkeypatch, cut=5000)
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))
    with Run(copy) as run, pytest.raises(PocketGemmaError, match="truncated"):
        convert.run(config(), run)
    assert not (copy / "convert").exists()
    assert not list((tmp_path / "cache" / "bases").glob("[!.]*/model.litertlm"))


@pytest.mark.slow
def test_least_squares_scales_are_grafted(
    finished_run: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "export_litertlm", never)
    settings = config().convert.model_copy(update={"rounding": "least_squares"})
    other = config().model_copy(update={"convert": settings})
    with Run(copy) as run:
        convert.run(other, run)
    merged, model = copy / "merge" / "huggingface", copy / "convert" / "model.litertlm"
    assert details(copy)["matrices"] == 43
    assert model.read_bytes() != (finished_run / "convert" / "model.litertlm").read_bytes()
    check_litertlm(model, Tokenizer.of_preset(merged), model_spec(other, GEMMA3), merged)
    with pytest.raises(PocketGemmaError, match="matrices are not those of the converted model"):
        check_litertlm(model, Tokenizer.of_preset(merged), model_spec(config(), GEMMA3), merged)


def with_base(settings: Config) -> Config:
    return settings.model_copy(update={"bundle": settings.bundle.model_copy(update={"base": True})})


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["nearest", "least_squares"])
def test_the_base_beside_the_model_is_the_cached_one(
    finished_run: Path,
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rounding: str,
) -> None:
    monkeypatch.setattr(model_files, "export_litertlm", never)
    settings = config().convert.model_copy(update={"rounding": rounding})
    other = with_base(config().model_copy(update={"convert": settings}))
    with Run(copy) as run:
        convert.run(other, run)
    base, preset = copy / "convert" / "base.litertlm", copy / "download" / "preset"
    spec = base_spec(other, GEMMA3)
    assert spec.description == "finished_run: the base, before fine-tuning"
    check_litertlm(base, Tokenizer.of_preset(preset), spec, preset)
    with pytest.raises(PocketGemmaError, match="12 matrices are not those"):
        check_litertlm(base, Tokenizer.of_preset(preset), spec, copy / "merge" / "huggingface")
    assert "base.litertlm: " in capsys.readouterr().out
    assert details(copy)["base"]["bytes"] == base.stat().st_size


@pytest.mark.slow
def test_a_base_that_is_not_in_the_cache_is_converted_by_itself(
    finished_run: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, converted = (finished_run / "convert" / "model.litertlm").read_bytes(), []

    def export(folder: Path, output: Path, spec: ModelSpec, log: Path) -> dict[str, object]:
        converted.append((spec.description, load_file(folder / "model.safetensors")))
        output.write_bytes(content)
        return {"seconds": 1.0, "peak_memory_bytes": 1, "bytes": len(content)}

    monkeypatch.setattr(model_files, "export_litertlm", export)
    settings = config().convert.model_copy(update={"graft": False, "formats": ("litertlm",)})
    with Run(copy) as run:
        convert.run(with_base(config().model_copy(update={"convert": settings})), run)
    (_, merged), (description, weights) = converted
    assert description == "finished_run: the base, before fine-tuning"
    of_base = load_file(finished_run / BASE / "model.safetensors")
    assert weights.keys() == of_base.keys() == merged.keys()
    assert all((weights[name] == of_base[name]).all() for name in of_base)
    assert any((weights[name] != merged[name]).any() for name in merged)
    found = sorted(path.name for path in (copy / "convert").iterdir())
    assert found == ["base.litertlm", "manifest.json", "model.litertlm"]


def test_without_a_merged_model_the_error_names_the_command_to_run(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run, pytest.raises(InputError, match="pocketgemma download"):
        convert.run(config(), run)


@pytest.mark.parametrize("description", ["", "my model"])
def test_the_description_is_the_recipes_or_the_default(description: str) -> None:
    settings = config().convert.model_copy(update={"description": description})
    assert model_spec(config().model_copy(update={"convert": settings}), GEMMA3).description == (
        description or "finished_run: Gemma, fine-tuned with PocketGemma"
    )
