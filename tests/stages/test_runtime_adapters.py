"""Promise: with convert.adapters: runtime, base and adapter are separate files, and verify detects an adapter
that does not work."""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.digests import sha256_of_file
from pipeline.evaluation import in_keras
from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.presets import preset_digest
from pipeline.litert.matrix_check import missing_matrices
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import bundle, convert, verify
from pipeline.targets.android.assets import MANIFEST_ENTRY, MODEL_ENTRY, adapter_entry
from tests.support.finished_run import WITHOUT_LOCK, config, finished_run, shared
from tests.support.runtime_openings import count_openings

__all__ = ["finished_run"]

pytestmark = pytest.mark.slow


def separate() -> Config:
    settings = config().convert.model_copy(update={"adapters": "runtime", "formats": ("litertlm",)})
    return config().model_copy(update={"convert": settings})


@pytest.fixture(scope="module")
def converted(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder with a separate adapter; not to be changed."""

    def make(folder: Path) -> None:
        shutil.copytree(finished_run, folder, copy_function=os.link, ignore=WITHOUT_LOCK)
        with Run(folder) as run:
            convert.run(separate(), run)

    return shared(tmp_path_factory, "separate", make)


def test_the_base_holds_none_of_the_adapter(converted: Path) -> None:
    model = converted / "convert" / "model.litertlm"
    assert missing_matrices(model, PresetMatrices(converted / "download" / "preset"), SCHEMES["int8"]) == []
    merged = missing_matrices(model, PresetMatrices(converted / "merge" / "huggingface"), SCHEMES["int8"])
    assert len(merged) == 12  # query and value of six layers
    assert sorted(path.name for path in (converted / "convert").iterdir()) == [
        "adapter.tflite",
        "manifest.json",
        "model.litertlm",
    ]


def test_verify_uses_the_base_with_its_adapter_and_the_app_contains_both(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(converted, tmp_path / "run", copy_function=os.link, ignore=WITHOUT_LOCK)
    opened = count_openings(monkeypatch)
    with Run(tmp_path / "run") as run:
        verify.run(separate(), run)
        assert opened == {"model.litertlm": 1}
        details = run.manifest("verify").details
        assert details["runtime"]["exact_match"] == pytest.approx(details["keras"]["exact_match"], abs=13)
        bundle.run(separate(), run)
    model, adapter = (converted / "convert" / name for name in ("model.litertlm", "adapter.tflite"))
    with zipfile.ZipFile(tmp_path / "run" / "bundle" / "finished_run.apk") as apk:
        assert apk.read(MODEL_ENTRY) == model.read_bytes()
        assert apk.read(adapter_entry(sha256_of_file(adapter))) == adapter.read_bytes()
        manifest = json.loads(apk.read(MANIFEST_ENTRY))
    assert manifest["model"]["adapter_rank"] == manifest["adapters"][0]["rank"] == 16
    digest = preset_digest(converted / "download" / "preset")
    assert manifest["model"]["base_digest"] == manifest["adapters"][0]["base_digest"] == digest


@pytest.mark.parametrize(
    ("zero", "said"), [(True, "has no effect in the runtime"), (False, "trained tensors")]
)
def test_an_adapter_that_has_no_effect_or_is_another_one_is_refused(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero: bool, said: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(converted, folder, copy_function=os.link, ignore=WITHOUT_LOCK)
    file = folder / "convert" / "adapter.tflite"
    if zero:
        file.unlink()
        digest = preset_digest(folder / "download" / "preset")
        write_adapter_file(file, {}, rank=16, base_digest=digest, name="finished_run")
    else:
        from pipeline.litert.runtime_adapters import write_adapter
        from pipeline.tuning.load import load_adapter

        adapter = load_adapter(folder / "finetune" / "adapter.safetensors")
        file.unlink()
        unscaled = replace(adapter, settings={**adapter.settings, "alpha": 1.0})
        write_adapter(unscaled, file, rank=16, name="finished_run")
    # Keras's side is not what is looked at here.
    monkeypatch.setattr(in_keras, "answer_all", lambda *_, **__: [])
    monkeypatch.setattr(
        verify,
        "compare",
        lambda keras, runtime, limits, *, differences, **_: pytest.fail("; ".join(differences)),
    )
    with Run(folder) as run, pytest.raises(pytest.fail.Exception, match=said):
        verify.run(separate(), run)
