"""The whole pipeline on the embedded default, as a newcomer runs it: from the examples to a signed APK, and
back by digest."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.digests import sha256_of_file
from tests.support.demo_run import ROOT, TOKENS, demo_run

pytestmark = pytest.mark.slow
STAGES = ("download", "prepare", "finetune", "merge", "convert", "verify", "bundle", "deploy")


def pocketgemma(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run() -> Path:
    return demo_run("deploy")


def manifest(run: Path, stage: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run / stage / "manifest.json").read_text(encoding="utf-8"))
    return document


def test_every_stage_has_its_manifest_and_names_the_one_before(run: Path) -> None:
    for stage in STAGES:
        document = manifest(run, stage)
        assert document["stage"] == stage
        assert document["outputs"]
        assert set(document["previous"]) <= set(STAGES[: STAGES.index(stage)])


def test_the_apk_holds_the_converted_models_to_the_byte(run: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(run / "bundle" / "science.apk") as apk:
        names = sorted(entry for entry in apk.namelist() if entry.endswith(".litertlm"))
        assert names == ["assets/base.litertlm", "assets/model.litertlm"]
        for name in names:
            apk.extract(name, tmp_path)
            converted = run / "convert" / Path(name).name
            assert sha256_of_file(tmp_path / name) == sha256_of_file(converted)


def test_the_tuned_model_answers_what_the_base_cannot(run: Path) -> None:
    report = json.loads((run / "verify" / "report.json").read_text(encoding="utf-8"))
    assert report["runtime"]["exact_match"] >= 90
    assert report["runtime"]["count"] >= 200


def test_the_report_shows_the_run_and_its_file_for_the_phone(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<strong>Verified.</strong>" in page
    assert "<code>bundle/science.apk</code>" in page
    assert page.count("before: the base in Keras") == 8
    assert (run / "model-card.md").is_file()


def test_no_access_token_is_in_what_a_run_makes(run: Path) -> None:
    secrets = [TOKENS[name].encode() for name in ("HF_TOKEN", "KAGGLE_KEY")]

    def contents(path: Path) -> Iterator[tuple[str, bytes]]:
        yield str(path), path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path}/{name}", archive.read(name)

    looked_at = [
        (name, any(secret in content for secret in secrets))
        for path in run.rglob("*")
        if path.is_file()
        for name, content in contents(path)
    ]
    assert [name for name, found in looked_at if found] == []
    assert any(name.endswith("AndroidManifest.xml") for name, _ in looked_at)
    assert any("/logs/" in name for name, _ in looked_at)


def test_the_second_walk_does_nothing(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    result = pocketgemma("deploy", "--run", str(run))
    assert result.returncode == 0, result.stderr
    assert [stage for stage in STAGES if f"{stage:9} up to date" not in result.stdout] == []
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert {path for path in after if before.get(path) != after[path]} <= {
        run / ".digests.json",
        run / ".lock",
    }


def test_the_apk_leads_back_to_the_examples(run: Path) -> None:
    result = pocketgemma("trace", str(run / "bundle" / "science.apk"), "--run", str(run))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "train.jsonl" in result.stdout


def test_a_changed_example_breaks_the_link_and_is_named(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    with (copy / "prepare" / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    result = pocketgemma("trace", str(copy / "bundle" / "science.apk"), "--run", str(copy))
    assert result.returncode == 1
    assert "train.jsonl" in result.stdout


def test_one_question_is_answered_by_the_runtime(run: Path) -> None:
    result = pocketgemma("chat", "--run", str(run), "--prompt", "What is the atomic mass of carbon?")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "The atomic mass of carbon is 12."


def test_eval_prints_the_score_and_keeps_the_answers(run: Path, tmp_path: Path) -> None:
    questions = (
        (ROOT / "pipeline" / "demo" / "science" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    )
    (tmp_path / "some.jsonl").write_text("\n".join(questions) + "\n", encoding="utf-8")
    common = (
        "eval",
        "--run",
        str(run),
        "--data",
        str(tmp_path / "some.jsonl"),
        "--answers",
        str(tmp_path / "answers.jsonl"),
    )
    result = pocketgemma(*common, "--on", "runtime")
    assert result.returncode == 0, result.stderr
    answers = [
        json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    right = sum(answer["text"] == answer["expected"] for answer in answers)
    assert f"exact match {100 * right / 40:.1f} % of 40 questions" in result.stdout
    base = pocketgemma(*common, "--on", "keras", "--base")
    assert base.returncode == 0, base.stderr
    assert "base in Keras: exact match 0.0 %" in base.stdout
