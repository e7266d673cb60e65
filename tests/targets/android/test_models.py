from pathlib import Path
from typing import Any

import pytest

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.litert.memory_estimate import memory_cost
from pipeline.targets.android.assets import BASE_ENTRY, MODEL_ENTRY, adapter_entry
from pipeline.targets.android.manifest import AdapterFacts, ModelFacts
from pipeline.targets.android.models import app_models
from pipeline.targets.target import PackagedFile
from tests.support.app_models import BASE_DIGEST, RANK, write_adapter, write_model

LIMIT = 120_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write_model(folder / "converted.litertlm", 1)


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    return write_model(folder / "converted_base.litertlm", 2)


@pytest.fixture(scope="module")
def lora_base(folder: Path) -> Path:
    """A model that takes adapters."""
    return write_model(folder / "lora.litertlm", 1, RANK)


def test_facts_are_read_from_the_files(lora_base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "poet.tflite", 1)
    models = app_models(lora_base, None, [adapter], LIMIT)
    size, digest = lora_base.stat().st_size, sha256_of_file(lora_base)
    assert models.model_facts == ModelFacts(size, digest, memory_cost(lora_base).total, RANK, BASE_DIGEST)
    assert models.base_facts is None
    size, digest = adapter.stat().st_size, sha256_of_file(adapter)
    assert models.adapter_facts == (AdapterFacts(digest, "poet", size, RANK, BASE_DIGEST),)
    assert models.adapters == {digest: adapter}
    assert models.bytes == lora_base.stat().st_size + size


def test_a_model_without_lora_inputs_has_no_adapter_rank(model: Path) -> None:
    facts = app_models(model, None, [], LIMIT).model_facts
    assert (facts.adapter_rank, facts.base_digest) == (None, None)


def test_all_files_within_the_limit_go_into_the_apk(model: Path, base: Path) -> None:
    models = app_models(model, base, [], LIMIT)
    assert (models.packaged(model), models.packaged(base), models.pushed) == (model, base, {})
    model_digest, base_digest = sha256_of_file(model), sha256_of_file(base)
    assert models.files == [
        PackagedFile("model", MODEL_ENTRY, model_digest, model_digest),
        PackagedFile("base", BASE_ENTRY, base_digest, base_digest),
    ]


def test_a_base_that_does_not_fit_next_to_the_model_is_pushed(
    model: Path, base: Path, tmp_path: Path
) -> None:
    models = app_models(model, base, [], 500_000)
    assert (models.packaged(model), models.packaged(base)) == (model, None)
    assert models.files[1] == PackagedFile("base", BASE_ENTRY, sha256_of_file(base), None)
    (tmp_path / "out").mkdir()
    models.copy_pushed(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["base.litertlm"]
    assert (tmp_path / "out" / "base.litertlm").read_bytes() == base.read_bytes()


def test_a_base_that_fits_goes_into_the_apk_without_its_model(
    model: Path, base: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.litertlm"
    large.write_bytes(model.read_bytes() + bytes(500_000))
    models = app_models(large, base, [], 500_000)
    # Under the name that the app looks for, whatever the file is called.
    assert models.pushed == {"model.litertlm": large}
    assert models.packaged(base) == base


def test_adapters_come_before_the_model_and_keep_their_order(lora_base: Path, tmp_path: Path) -> None:
    adapters = [write_adapter(tmp_path / f"{name}.tflite", seed) for seed, name in enumerate("ba")]
    models = app_models(lora_base, None, adapters, 350_000)
    assert models.pushed == {"model.litertlm": lora_base}
    assert [file.entry for file in models.files[1:]] == [
        adapter_entry(sha256_of_file(each)) for each in adapters
    ]


def test_adapters_larger_than_the_limit_are_refused(lora_base: Path, tmp_path: Path) -> None:
    adapters = [write_adapter(tmp_path / f"{number}.tflite", number) for number in range(17)]
    with pytest.raises(
        InputError, match=r"the adapters take 1\.1 MB, but bundle\.max_model_mb is 1; raise it"
    ):
        app_models(lora_base, None, adapters, 1_000_000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "ef" * 32}, "another base"),
        ({"rank": 32}, "rank 32"),
        ({"seed": 1}, "is the same adapter as .*; remove one of them from bundle.adapters"),
    ],
)
def test_an_adapter_that_does_not_belong_is_refused(
    lora_base: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    own = write_adapter(tmp_path / "adapter.tflite", 1)
    (tmp_path / "other").mkdir()
    other = write_adapter(tmp_path / "other" / "adapter.tflite", **{"seed": 2} | changes)
    with pytest.raises(InputError, match=message):
        app_models(lora_base, None, [own, other], LIMIT)


def test_adapters_for_a_model_that_takes_none_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not accept adapters"):
        app_models(model, None, [write_adapter(tmp_path / "a.tflite", 1)], LIMIT)
