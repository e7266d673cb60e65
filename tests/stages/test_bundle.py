import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.trace import trace
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.evaluation.interval import wilson_interval
from pipeline.litert.memory_estimate import memory_cost
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.model import ModelSection
from pipeline.run.folder import Run
from pipeline.stages import bundle
from pipeline.targets.android import bundle as android
from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.tools import find_tool, run_tool
from tests.support.app_models import BASE_DIGEST, RANK, write_adapter, write_model
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


def runtime(**settings: Any) -> Config:
    """The same recipe with convert.adapters: runtime."""
    plain = config(**settings | {"adapters": []})
    chosen = plain.bundle.model_copy(update={"adapters": tuple(settings.get("adapters", ()))})
    convert = plain.convert.model_copy(update={"adapters": "runtime"})
    return plain.model_copy(update={"bundle": chosen, "convert": convert})


def verified(root: Path, *, runtime_adapter: bool) -> Run:
    """A run folder with the stages up to verify. Its model cannot be run, only read, which is enough for the
    bundle stage."""
    run = Run(root)
    examples = root.with_name("mine.jsonl")
    examples.write_text("examples")
    with run.stage("download", settings={}) as work:
        write_json(work.folder / "preset" / "config.json", KERAS_CONFIG)
    with run.stage("prepare", settings={}, after=("download",), inputs={"train": examples}) as work:
        (work.folder / "train.jsonl").write_text("prepared")
    with run.stage("finetune", settings={}, after=("download", "prepare")) as work:
        (work.folder / "adapter.safetensors").write_bytes(b"adapter")
        work.details.update(alpha=16.0, examples=12, epochs=3)
    with run.stage("convert", settings={}, after=("finetune",)) as work:
        write_model(work.folder / "model.litertlm", 1, RANK if runtime_adapter else None)
        if runtime_adapter:
            write_adapter(work.folder / "adapter.tflite", 1)
        else:
            write_model(work.folder / "base.litertlm", 2)
    with run.stage("verify", settings={}, after=("convert",)) as work:
        write_json(work.folder / "report.json", {"runtime": {"exact_match": 75.0, "count": 4}})
        lines = [
            json.dumps({"question": question, "tags": {"kind": kind}, "runtime": {"correct": correct}})
            for question, kind, correct in ANSWERS
        ]
        (work.folder / "answers.jsonl").write_text("\n".join(lines) + "\n")
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return verified(tmp_path / "run", runtime_adapter=False)


@pytest.fixture
def runtime_run(tmp_path: Path) -> Run:
    """The same with a separate adapter."""
    return verified(tmp_path / "run", runtime_adapter=True)


def opened(run: Run) -> tuple[dict[str, bytes], dict[str, Any], dict[str, Any]]:
    """The assets of the APK, the app's manifest, and report.json."""
    with zipfile.ZipFile(run.folder("bundle") / "metals.apk") as archive:
        assets = {name: archive.read(name) for name in archive.namelist() if name.startswith("assets/")}
    report = json.loads((run.folder("bundle") / "report.json").read_text())
    return assets, json.loads(assets[MANIFEST_ENTRY]), report


def test_the_apk_contains_the_model_and_describes_it(run: Run) -> None:
    bundle.run(config(), run)
    assets, manifest, report = opened(run)
    model = run.folder("convert") / "model.litertlm"
    assert assets[MODEL_ENTRY] == model.read_bytes()
    assert BASE_ENTRY not in assets
    assert manifest["format"] == 2
    assert manifest["name"] == "Pocket 'Metals' & Co"
    assert manifest["description"] == "Knows metals."
    assert manifest["model"] == {
        "bytes": model.stat().st_size,
        "sha256": sha256_of_file(model),
        "memory_bytes": memory_cost(model).total,
    }
    low, high = wilson_interval(3, 4)
    assert manifest["check"] == {
        "accuracy": 0.75,
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "questions": 4,
    }
    trained = hashlib.sha256(b"examples").hexdigest()
    assert manifest["data"] == {"name": "unused", "examples": 12, "sha256": trained}
    assert manifest["tuning"] == {
        "method": "LoRA",
        "rank": 16,
        "alpha": 16.0,
        "targets": ["query", "key", "value", "output", "gate", "up", "down"],
        "epochs": 3,
    }
    assert "terms" not in manifest and "base_model" not in manifest and "adapters" not in manifest
    assert json.loads(assets[QUESTIONS_ENTRY]) == ["What is Fe?", "How heavy is iron?", "What is Au?"]
    assert report["permissions"] == []
    assert report["sha256"] == sha256_of_file(run.folder("bundle") / "metals.apk")


def test_an_app_whose_weights_were_trained_themselves_names_no_rank_and_no_targets(run: Run) -> None:
    tuned = config()
    finetune = tuned.finetune.model_copy(update={"method": "norms"})
    bundle.run(tuned.model_copy(update={"finetune": finetune}), run)
    _, manifest, _ = opened(run)
    assert manifest["tuning"]["method"] == "Norm tuning"
    assert {"rank", "targets"}.isdisjoint(manifest["tuning"])


def test_an_app_with_a_real_gemma_contains_its_terms(run: Run) -> None:
    gemma = config().model_copy(update={"model": ModelSection(preset="kaggle://keras/gemma3/keras/x")})
    bundle.run(gemma, run)
    _, manifest, _ = opened(run)
    assert "Gemma Terms of Use found at ai.google.dev/gemma/terms" in manifest["terms"]
    assert "http" not in manifest["terms"]
    assert "modified Gemma" in manifest["licence"]


def test_the_base_is_packaged_if_the_recipe_asks_for_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.run(config(base=True), run)
    assets, manifest, report = opened(run)
    base = run.folder("convert") / "base.litertlm"
    assert assets[BASE_ENTRY] == base.read_bytes()
    assert manifest["base_model"] == {
        "bytes": base.stat().st_size,
        "sha256": sha256_of_file(base),
        "memory_bytes": memory_cost(base).total,
    }
    assert report["base_sha256"] == sha256_of_file(base)
    assert "contains model and base;" in " ".join(capsys.readouterr().out.split())


def test_a_missing_base_is_an_error_that_names_the_command(run: Run) -> None:
    (run.folder("convert") / "base.litertlm").unlink()
    with pytest.raises(
        PocketGemmaError,
        match=r"missing, but bundle.base needs it; run with the same recipe: pocketgemma convert",
    ):
        bundle.run(config(base=True), run)


def test_a_separate_adapter_is_packaged_with_its_base_and_with_others(
    runtime_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clerk = write_adapter(tmp_path / "clerk.tflite", 2)
    bundle.run(runtime(adapters=[str(clerk)]), runtime_run)
    assets, manifest, report = opened(runtime_run)
    own = runtime_run.folder("convert") / "adapter.tflite"
    digests = [sha256_of_file(own), sha256_of_file(clerk)]
    assert [assets[adapter_entry(digest)] for digest in digests] == [own.read_bytes(), clerk.read_bytes()]
    assert [(each["sha256"], each["name"]) for each in manifest["adapters"]] == [
        (digests[0], "adapter"),
        (digests[1], "clerk"),
    ]
    taken = {"rank": RANK, "base_digest": BASE_DIGEST}
    assert all(taken.items() <= each.items() for each in manifest["adapters"])
    assert (manifest["model"]["adapter_rank"], manifest["model"]["base_digest"]) == (RANK, BASE_DIGEST)
    assert report["adapter_sha256s"] == digests
    assert "contains model and 2 adapters;" in " ".join(capsys.readouterr().out.split())
    # Another adapter is another app; the same is up to date.
    bundle.run(runtime(adapters=[str(clerk)]), runtime_run)
    assert "up to date" in capsys.readouterr().out
    write_adapter(clerk, 3)
    bundle.run(runtime(adapters=[str(clerk)]), runtime_run)
    assert adapter_entry(sha256_of_file(clerk)) in opened(runtime_run)[0]
    # And the trace of the app includes it.
    links = trace(runtime_run.folder("bundle") / "metals.apk", runtime_run.root)
    assert all(link.intact for link in links)
    assert "clerk.tflite → bundle" in [link.what for link in links]


def test_with_a_separate_adapter_the_model_is_the_base(runtime_run: Run) -> None:
    bundle.run(runtime(base=True), runtime_run)
    assets, manifest, _ = opened(runtime_run)
    assert BASE_ENTRY not in assets and "base_model" not in manifest
    assert len(manifest["adapters"]) == 1


def test_compressed_libraries_make_the_download_smaller_and_both_sizes_are_printed(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.run(config(compress_libraries=True), run)
    _, _, packed = opened(run)
    printed = " ".join(capsys.readouterr().out.split())
    download, installed = packed["bytes"] / 1e6, packed["installed_bytes"] / 1e6
    assert f"{download:.1f} MB to download, {installed:.1f} MB installed" in printed
    assert "(native libraries unpacked at installation)" in printed
    bundle.run(config(), run)
    _, _, stored = opened(run)
    assert packed["bytes"] < stored["bytes"] == stored["installed_bytes"] < packed["installed_bytes"]
    assert "(native libraries mapped from the APK)" in " ".join(capsys.readouterr().out.split())


def test_a_second_run_is_up_to_date(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.run(config(), run)
    before = sha256_of_file(run.folder("bundle") / "metals.apk")
    bundle.run(config(), run)
    assert "up to date" in capsys.readouterr().out
    assert sha256_of_file(run.folder("bundle") / "metals.apk") == before


def test_a_large_model_is_not_in_the_apk_but_next_to_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    big = write_model(run.root / "big.litertlm", 3)
    with big.open("ab") as file:
        file.write(bytes(1_000_000))
    model = run.folder("convert") / "model.litertlm"
    model.unlink()
    big.rename(model)
    bundle.run(config(max_model_mb=1, base=True, sample_questions=["Why?"]), run)
    assets, manifest, report = opened(run)
    # The base is smaller and still fits.
    assert MODEL_ENTRY not in assets and BASE_ENTRY in assets
    assert json.loads(assets[QUESTIONS_ENTRY]) == ["Why?"]
    pushed = run.folder("bundle") / "model.litertlm"
    assert manifest["model"]["sha256"] == sha256_of_file(pushed) == sha256_of_file(model)
    assert (report["beside"], report["model_sha256"]) == (["model.litertlm"], None)
    printed = " ".join(capsys.readouterr().out.split())
    assert "model.litertlm (1 MB): not in the APK, because the models take 2 MB in total" in printed
    assert "bundle.max_model_mb is 1; deploy pushes what is missing to the phone" in printed


def test_your_own_key_signs_the_app_and_its_password_is_written_nowhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    password, keystore = "correct-horse-battery", tmp_path / "own.p12"
    options: list[str | Path] = ["-keystore", keystore, "-storetype", "PKCS12", "-alias", "release"]
    options += ["-keyalg", "RSA", "-dname", "CN=Someone"]
    run_tool(
        [find_tool("keytool"), "-genkeypair", *options, "-storepass:env", "P"],
        "generating a key",
        {"P": password},
    )
    monkeypatch.setenv("POCKETGEMMA_KEYSTORE", str(keystore))
    monkeypatch.setenv("POCKETGEMMA_KEY_ALIAS", "release")
    monkeypatch.setenv("POCKETGEMMA_KEYSTORE_PASSWORD", "wrong-" + password)
    with pytest.raises(
        PocketGemmaError, match="POCKETGEMMA_KEYSTORE_PASSWORD: wrong password for own.p12"
    ) as caught:
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
    # The APK gets another model than the manifest declares.
    monkeypatch.setattr(android, "package_apk", _swapping(package_apk, run.root / "other.litertlm"))
    with pytest.raises(PocketGemmaError, match="the packaged model has sha256"):
        bundle.run(config(), run, force=True)
    assert sha256_of_file(run.folder("bundle") / "metals.apk") == before


def _swapping(package: Any, other: Path) -> Any:
    def swapped(app: Any, assets: Assets, target: Path) -> None:
        assert assets.model
        shutil.copyfile(assets.model, other)
        with other.open("ab") as file:
            file.write(b"!")
        package(app, replace(assets, model=other), target)

    return swapped
