"""Promise: the engine opens a checked copy of each adapter, and an adapter of zeros instead of none."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.runtime_adapter import read_adapter_file, write_adapter_file
from pipeline.litert.runtime import adapter_store
from pipeline.litert.runtime.adapter_store import AdapterStore
from pipeline.litert.runtime_adapters import LoraBase

DIGEST = "ba5e" * 16
SHAPES = {"lora_atten_q_a_prime_weight_0": (8, 16), "lora_atten_q_b_prime_weight_0": (16, 8)}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AdapterStore:
    """For a base that takes adapters of rank 16."""
    model = tmp_path / "model.litertlm"
    monkeypatch.setattr(adapter_store, "lora_base", lambda path: LoraBase(path, 16, DIGEST, SHAPES))
    (tmp_path / "copies").mkdir()
    return AdapterStore(model, tmp_path / "copies")


def write(path: Path, digest: str = DIGEST) -> Path:
    write_adapter_file(path, {}, rank=16, base_digest=digest, name=path.stem)
    return path


def test_no_adapter_is_an_adapter_of_zeros(store: AdapterStore) -> None:
    path = store.path(None)
    assert path is not None
    assert read_adapter_file(path).rank == 16


def test_an_adapter_is_copied_once_under_a_name_made_from_its_content(
    store: AdapterStore, tmp_path: Path
) -> None:
    adapter = write(tmp_path / "poet.tflite")
    copy = store.path(adapter)
    assert copy is not None
    assert copy.parent == tmp_path / "copies"
    assert copy.name == f"{read_adapter_file(adapter).sha256}.tflite"
    assert copy.read_bytes() == adapter.read_bytes()
    assert store.path(adapter) == copy


def test_an_adapter_that_changes_on_disk_gets_another_copy(store: AdapterStore, tmp_path: Path) -> None:
    adapter = write(tmp_path / "poet.tflite")
    first = store.path(adapter)
    adapter.unlink()
    write_adapter_file(adapter, {}, rank=16, base_digest=DIGEST, name="another")
    assert store.path(adapter) != first


def test_an_adapter_of_another_base_is_refused(store: AdapterStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="belongs to another base"):
        store.path(write(tmp_path / "poet.tflite", digest="0" * 64))


def test_a_missing_adapter_is_refused(store: AdapterStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        store.path(tmp_path / "poet.tflite")


def test_a_task_takes_no_adapters(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "model.task", tmp_path)
    assert store.path(None) is None
