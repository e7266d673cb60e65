import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.commands.trace import trace
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError, PocketGemmaError
from pipeline.evaluation.interval import wilson_interval
from pipeline.formats.litertlm import read_container, rewrite
from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.litert.convert.lora_inputs import input_name
from pipeline.litert.memory_estimate import memory_cost
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.model import ModelSection
from pipeline.run.folder import Run
from pipeline.stages import bundle
from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.package import Assets
from pipeline.targets.android.tools import find_tool
from tests.support.litertlm import write_container
from tests.support.presets import KERAS_CONFIG, write_json
from tests.support.tflite import Constant, write_tflite

pytestmark = pytest.mark.slow

BASE_DIGEST, RANK = "cd" * 32, 16

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
    """The same with the adapter in a file of its own."""
    plain = config(**settings | {"adapters": []})
    chosen = plain.bundle.model_copy(update={"adapters": tuple(settings.get("adapters", ()))})
    convert = plain.convert.model_copy(update={"adapters": "runtime"})
    return plain.model_copy(update={"bundle": chosen, "convert": convert})


def write_model(path: Path, seed: int, lora_rank: int | None = None) -> Path:
    """A small .litertlm that can be read but not run; with a rank it takes adapters of one layer's query."""
    inputs = {"tokens": ((1, 1), "INT32")}
    if lora_rank:
        inputs |= {
            input_name("query", "a", 0): ((8, lora_rank), "FLOAT32"),
            input_name("query", "b", 0): ((lora_rank, 8), "FLOAT32"),
        }
    weights = Constant(("m",), (600, 500), "INT8", bytes([seed]) * 300_000, 600)
    work = path.parent / f"parts-{path.name}"
    work.mkdir(parents=True)
    tflite = write_tflite(work / "m.tflite", [weights], {"decode": inputs})
    plain = write_container(work / "plain.litertlm", model=tflite.read_bytes())
    system = {"lora_rank": str(lora_rank), "base_digest": BASE_DIGEST} if lora_rank else {}
    rewrite(read_container(plain), path, system=system)
    shutil.rmtree(work)
    return path


def write_poet(path: Path, seed: int, *, rank: int = RANK, base: str = BASE_DIGEST) -> Path:
    """An adapter file for the model with LoRA inputs."""
    random = np.random.default_rng(seed)
    factors = {("query", 0): tuple(random.random(shape, np.float32) for shape in ((8, 4), (4, 8)))}
    write_adapter_file(path, factors, rank=rank, base_digest=base, name=path.stem)
    return path


def walked(root: Path, *, apart: bool) -> Run:
    """A run folder as far as verify, with a model that cannot be run: bundling reads what it says, and no more."""
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
        write_model(work.folder / "model.litertlm", 1, RANK if apart else None)
        if apart:
            write_poet(work.folder / "adapter.tflite", 1)
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
    return walked(tmp_path / "run", apart=False)


@pytest.fixture
def apart(tmp_path: Path) -> Run:
    """The same with convert.adapters: runtime."""
    return walked(tmp_path / "run", apart=True)


def opened(run: Run) -> tuple[dict[str, bytes], dict[str, Any], dict[str, Any]]:
    """Assets of the bundled APK, its manifest, and the report beside it."""
    with zipfile.ZipFile(run.folder("bundle") / "metals.apk") as archive:
        assets = {name: archive.read(name) for name in archive.namelist() if name.startswith("assets/")}
    report = json.loads((run.folder("bundle") / "report.json").read_text())
    return assets, json.loads(assets[MANIFEST_ENTRY]), report


def test_the_apk_holds_the_model_and_tells_of_it(run: Run) -> None:
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
    assert manifest["data"] == {"name": "mine.jsonl", "examples": 12, "sha256": trained}
    assert manifest["tuning"] == {
        "method": "LoRA",
        "rank": 8,
        "alpha": 16.0,
        "targets": ["query", "value"],
        "epochs": 3,
    }
    assert "terms" not in manifest and "base_model" not in manifest and "adapters" not in manifest
    assert json.loads(assets[QUESTIONS_ENTRY]) == ["What is Fe?", "How heavy is iron?", "What is Au?"]
    assert report["permissions"] == []
    assert report["sha256"] == sha256_of_file(run.folder("bundle") / "metals.apk")


def test_a_real_gemma_brings_its_terms_along(run: Run) -> None:
    gemma = config().model_copy(update={"model": ModelSection(preset="kaggle://keras/gemma3/keras/x")})
    bundle.run(gemma, run)
    _, manifest, _ = opened(run)
    assert "Gemma Terms of Use found at ai.google.dev/gemma/terms" in manifest["terms"]
    assert "http" not in manifest["terms"]
    assert "modified Gemma" in manifest["licence"]


def test_the_base_comes_along_when_asked(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert "model, base inside" in " ".join(capsys.readouterr().out.split())


def test_a_base_that_is_not_there_is_asked_for(run: Run) -> None:
    (run.folder("convert") / "base.litertlm").unlink()
    with pytest.raises(PocketGemmaError, match=r"base.litertlm: missing.*run: pocketgemma convert"):
        bundle.run(config(base=True), run)


def test_an_adapter_apart_comes_along_with_its_base_and_with_others(
    apart: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clerk = write_poet(tmp_path / "clerk.tflite", 2)
    bundle.run(runtime(adapters=[str(clerk)]), apart)
    assets, manifest, report = opened(apart)
    own = apart.folder("convert") / "adapter.tflite"
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
    assert "model, 2 adapters inside" in " ".join(capsys.readouterr().out.split())
    # Another adapter is another app; the same is up to date.
    bundle.run(runtime(adapters=[str(clerk)]), apart)
    assert "up to date" in capsys.readouterr().out
    write_poet(clerk, 3)
    bundle.run(runtime(adapters=[str(clerk)]), apart)
    assert adapter_entry(sha256_of_file(clerk)) in opened(apart)[0]
    # And the walk back from the app meets it.
    links = trace(apart.folder("bundle") / "metals.apk", apart.root)
    assert all(link.holds for link in links)
    assert "clerk.tflite → bundle" in [link.what for link in links]


def test_with_an_adapter_apart_the_model_is_the_base_already(apart: Run) -> None:
    bundle.run(runtime(base=True), apart)
    assets, manifest, _ = opened(apart)
    assert BASE_ENTRY not in assets and "base_model" not in manifest
    assert len(manifest["adapters"]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "ef" * 32}, "belongs to another base"),
        ({"rank": 32}, "has rank 32"),
        ({"seed": 1}, "the same adapter as"),
    ],
)
def test_an_adapter_that_does_not_belong_is_refused(
    apart: Run, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    # Of the same bytes as the run's own, but for what is changed.
    path = write_poet(tmp_path / "adapter.tflite", **{"seed": 2} | changes)
    with pytest.raises(InputError, match=said):
        bundle.run(runtime(adapters=[str(path)]), apart)
    assert not apart.folder("bundle").exists()


def test_adapters_larger_than_the_limit_are_refused(apart: Run, tmp_path: Path) -> None:
    many = [str(write_poet(tmp_path / f"poet{number}.tflite", number)) for number in range(2, 18)]
    with pytest.raises(InputError, match=r"the adapters take 1\.1 MB, and bundle\.max_model_mb is 1"):
        bundle.run(runtime(adapters=many, max_model_mb=1), apart)


def test_compressed_libraries_make_the_download_smaller_and_both_sizes_are_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.run(config(compress_libraries=True), run)
    _, _, packed = opened(run)
    printed = " ".join(capsys.readouterr().out.split())
    download, installed = packed["bytes"] / 1e6, packed["installed_bytes"] / 1e6
    assert f"{download:.1f} MB to download, {installed:.1f} MB installed" in printed
    assert "unpacked by the phone" in printed
    bundle.run(config(), run)
    _, _, stored = opened(run)
    assert packed["bytes"] < stored["bytes"] == stored["installed_bytes"] < packed["installed_bytes"]
    assert "mapped from the APK" in " ".join(capsys.readouterr().out.split())


def test_a_second_time_nothing_is_done(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.run(config(), run)
    before = sha256_of_file(run.folder("bundle") / "metals.apk")
    bundle.run(config(), run)
    assert "up to date" in capsys.readouterr().out
    assert sha256_of_file(run.folder("bundle") / "metals.apk") == before


def test_a_big_model_lies_beside_the_apk(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    big = write_model(run.root / "big.litertlm", 3)
    with big.open("ab") as file:
        file.write(bytes(1_000_000))
    model = run.folder("convert") / "model.litertlm"
    model.unlink()
    big.rename(model)
    bundle.run(config(max_model_mb=1, base=True, sample_questions=["Why?"]), run)
    assets, manifest, report = opened(run)
    # The base, which comes after the model, still fits.
    assert MODEL_ENTRY not in assets and BASE_ENTRY in assets
    assert json.loads(assets[QUESTIONS_ENTRY]) == ["Why?"]
    beside = run.folder("bundle") / "model.litertlm"
    assert manifest["model"]["sha256"] == sha256_of_file(beside) == sha256_of_file(model)
    assert (report["beside"], report["model_sha256"]) == (["model.litertlm"], None)
    assert "model.litertlm (1 MB): beside the APK" in " ".join(capsys.readouterr().out.split())


def test_a_base_that_does_not_fit_beside_the_model_is_pushed(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each takes 0.3 MB.
    monkeypatch.setattr(bundle, "MEGABYTE", 500_000)
    bundle.run(config(max_model_mb=1, base=True), run)
    assets, manifest, _ = opened(run)
    assert MODEL_ENTRY in assets and BASE_ENTRY not in assets
    assert manifest["base_model"]["sha256"] == sha256_of_file(run.folder("bundle") / "base.litertlm")
    printed = " ".join(capsys.readouterr().out.split())
    assert "base.litertlm" in printed and "bundle.max_model_mb is 1; deploy pushes what lies there" in printed


def test_a_person_s_own_key_signs_and_its_password_appears_nowhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from pipeline.targets.android.tools import run_tool

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
    def swapped(app: Any, assets: Assets, target: Path) -> None:
        assert assets.model
        shutil.copyfile(assets.model, other)
        with other.open("ab") as file:
            file.write(b"!")
        package(app, replace(assets, model=other), target)

    return swapped
