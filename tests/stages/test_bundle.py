import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.apk.package import MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.apk.tools import find_tool
from pipeline.config import Config
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.run import Run
from pipeline.stages import bundle
from tests.support.presets import KERAS_CONFIG, write_json

pytestmark = pytest.mark.slow

ANSWERS = (
    ("What is Fe?", "symbol", True),
    ("What is Au?", "symbol", True),
    ("How heavy is gold?", "mass", False),
    ("How heavy is iron?", "mass", True),
)


def config(**settings: Any) -> Config:
    return Config.model_validate(
        {
            "name": "metals",
            "data": {"train": "unused"},
            "convert": {"description": "Knows metals."},
            "bundle": {"title": "Pocket 'Metals' & Co"} | settings,
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run folder as far as verify, with a model that is not one: bundling does not look into it."""
    run = Run(tmp_path / "run")
    with run.stage("download", settings={}) as work:
        write_json(work.folder / "preset" / "config.json", KERAS_CONFIG)
    with run.stage("finetune", settings={}, after=("download",)) as work:
        (work.folder / "adapter.safetensors").write_bytes(b"adapter")
        work.details.update(alpha=16.0, examples=12)
    with run.stage("convert", settings={}, after=("finetune",)) as work:
        (work.folder / "model.litertlm").write_bytes(b"LITERTLM" + bytes(range(256)) * 8000)
    with run.stage("verify", settings={}, after=("convert",)) as work:
        write_json(work.folder / "report.json", {"runtime": {"exact_match": 75.0, "count": 4}})
        lines = [
            json.dumps({"question": question, "tags": {"kind": kind}, "runtime": {"correct": correct}})
            for question, kind, correct in ANSWERS
        ]
        (work.folder / "answers.jsonl").write_text("\n".join(lines) + "\n")
    return run


def test_the_apk_holds_the_model_and_tells_of_it(run: Run) -> None:
    bundle.run(config(), run)
    apk, model = run.folder("bundle") / "metals.apk", run.folder("convert") / "model.litertlm"
    with zipfile.ZipFile(apk) as archive:
        assert archive.read(MODEL_ENTRY) == model.read_bytes()
        manifest = json.loads(archive.read(MANIFEST_ENTRY))
        questions = json.loads(archive.read(QUESTIONS_ENTRY))
    assert manifest["name"] == "Pocket 'Metals' & Co"
    assert manifest["description"] == "Knows metals."
    assert manifest["model"] == {"bytes": model.stat().st_size, "sha256": sha256_of_file(model)}
    assert manifest["check"] == {"accuracy": 0.75, "questions": 4}
    assert manifest["tuning"]["alpha"] == 16.0
    assert questions == ["What is Fe?", "How heavy is iron?", "What is Au?"]
    report = json.loads((run.folder("bundle") / "report.json").read_text())
    assert report["permissions"] == []
    assert report["sha256"] == sha256_of_file(apk)


def test_a_second_time_nothing_is_done(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.run(config(), run)
    before = sha256_of_file(run.folder("bundle") / "metals.apk")
    bundle.run(config(), run)
    assert "up to date" in capsys.readouterr().out
    assert sha256_of_file(run.folder("bundle") / "metals.apk") == before


def test_a_big_model_lies_beside_the_apk(run: Run) -> None:
    bundle.run(config(max_model_mb=1, sample_questions=["Why?"]), run)
    with zipfile.ZipFile(run.folder("bundle") / "metals.apk") as archive:
        assert MODEL_ENTRY not in archive.namelist()
        assert json.loads(archive.read(QUESTIONS_ENTRY)) == ["Why?"]
        told = json.loads(archive.read(MANIFEST_ENTRY))["model"]["sha256"]
    assert told == sha256_of_file(run.folder("bundle") / "model.litertlm")


def test_a_person_s_own_key_signs_and_its_password_appears_nowhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from pipeline.apk.tools import run_tool

    password, keystore = "correct-horse-battery", tmp_path / "own.p12"
    options = [
        "-keystore",
        keystore,
        "-storetype",
        "PKCS12",
        "-alias",
        "release",
        "-keyalg",
        "RSA",
        "-dname",
        "CN=Someone",
    ]
    run_tool(
        [find_tool("keytool"), "-genkeypair", *options, "-storepass:env", "P"],
        "making a key",
        {"P": password},
    )
    monkeypatch.setenv("POCKETGEMMA_KEYSTORE", str(keystore))
    monkeypatch.setenv("POCKETGEMMA_KEY_ALIAS", "release")
    monkeypatch.setenv("POCKETGEMMA_KEYSTORE_PASSWORD", "wrong-" + password)
    with pytest.raises(PocketGemmaError, match="signing metals.apk: apksigner failed") as caught:
        bundle.run(config(), run)
    assert password not in str(caught.value)
    assert not run.folder("bundle").exists()

    monkeypatch.setenv("POCKETGEMMA_KEYSTORE_PASSWORD", password)
    bundle.run(config(), run)
    printed = "".join(capfd.readouterr())
    assert "with your key" in printed
    assert password not in printed
    written = [path for path in run.root.rglob("*") if path.is_file()]
    assert [path for path in written if password.encode() in path.read_bytes()] == []


def test_a_failed_bundle_leaves_the_old_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.run(config(), run)
    before = sha256_of_file(run.folder("bundle") / "metals.apk")
    # The APK gets another model than the manifest tells of.
    monkeypatch.setattr(bundle, "package_apk", _swapping(bundle.package_apk, run.root / "other.litertlm"))
    with pytest.raises(PocketGemmaError, match="the model inside has sha256"):
        bundle.run(config(), run, force=True)
    assert sha256_of_file(run.folder("bundle") / "metals.apk") == before


def _swapping(package: Any, other: Path) -> Any:
    def swapped(app: Any, model: Path, *rest: Any) -> None:
        shutil.copyfile(model, other)
        with other.open("ab") as file:
            file.write(b"!")
        package(app, other, *rest)

    return swapped
