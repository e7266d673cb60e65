"""Promise: convert publishes a model that was read back and opened in the runtime, and does nothing twice."""

import json
import os
import shutil
from pathlib import Path

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.export import Bundle, check_litertlm
from pipeline.litert.task import check_task_file
from pipeline.run import Run
from pipeline.stages import convert
from tests.support.road import config, road

__all__ = ["road"]


@pytest.mark.slow
def test_it_publishes_both_files_whole(road: Path) -> None:
    merged = road / "merge" / "huggingface"
    bundle = Bundle.of(config())
    check_litertlm(road / "convert" / "model.litertlm", Tokenizer.of_preset(merged), bundle, merged)
    check_task_file(road / "convert" / "model.task")
    assert sorted(path.name for path in (road / "convert").iterdir()) == [
        "manifest.json",
        "model.litertlm",
        "model.task",
    ]


@pytest.mark.slow
def test_the_manifest_tells_what_the_conversion_took(road: Path) -> None:
    details = json.loads((road / "convert" / "manifest.json").read_text(encoding="utf-8"))["details"]
    assert details["recipe"] == "int8"
    assert details["bytes"] == (road / "convert" / "model.litertlm").stat().st_size
    assert details["peak_memory_bytes"] > 500_000_000
    assert details["seconds"] > 1


@pytest.mark.slow
def test_the_second_time_nothing_is_converted(
    road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(road, tmp_path / "run", copy_function=os.link)

    def never(*arguments: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(convert, "export_litertlm", never)
    with Run(tmp_path / "run") as run:
        convert.run(config(), run)
        with pytest.raises(AssertionError, match="converted again"):
            convert.run(config().model_copy(update={"name": "another"}), run)  # its description names it
        with pytest.raises(AssertionError, match="converted again"):
            convert.run(config(), run, force=True)
    assert (tmp_path / "run" / "convert" / "model.litertlm").exists()


@pytest.mark.slow
def test_a_model_that_the_runtime_cannot_use_is_not_published(
    road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(road, tmp_path / "run", copy_function=os.link)
    shutil.rmtree(tmp_path / "run" / "convert")

    def truncated(folder: Path, output: Path, bundle: Bundle, log: Path) -> dict[str, object]:
        output.write_bytes((road / "convert" / "model.litertlm").read_bytes()[:-5000])
        return {}

    monkeypatch.setattr(convert, "export_litertlm", truncated)
    with Run(tmp_path / "run") as run, pytest.raises(PocketGemmaError, match="truncated"):
        convert.run(config(), run)
    assert not (tmp_path / "run" / "convert").exists()


def test_without_a_merged_model_it_says_what_to_run(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run, pytest.raises(InputError, match="pocketgemma merge"):
        convert.run(config(), run)


@pytest.mark.parametrize("description", ["", "my model"])
def test_the_description_is_the_persons_or_says_what_it_is(description: str) -> None:
    settings = config().convert.model_copy(update={"description": description})
    assert Bundle.of(config().model_copy(update={"convert": settings})).description == (
        description or "road: Gemma, fine-tuned with PocketGemma"
    )
