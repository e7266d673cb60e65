"""Promise: an adapter file holds the adapter's tensors, and a damaged file or one of another base is refused
in one line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.names import parse_runtime_name, runtime_name
from pipeline.formats.runtime_adapter import BLOCK, read_adapter_file, write_adapter_file
from pipeline.litert.convert.lora_inputs import RANKS
from pipeline.litert.runtime_adapters import (
    LoraBase,
    check_adapter_file,
    check_runtime_settings,
    lora_base,
    required_rank,
    write_adapter,
)
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.method import MethodSettings
from tests.support.litertlm import write_container
from tests.support.lora import BASE_DIGEST, random_adapter
from tests.support.presets import SHAPE


def small(rank: int, layers: int = 1) -> Adapter:
    return random_adapter(layers=layers, rank=rank, hidden=192, heads=4, kv_heads=2, head_dim=6)


@pytest.fixture
def adapter() -> Adapter:
    return small(2, layers=2)


@pytest.fixture
def file(adapter: Adapter, tmp_path: Path) -> Path:
    write_adapter(adapter, tmp_path / "poet.tflite", rank=16)
    return tmp_path / "poet.tflite"


@pytest.fixture
def base(adapter: Adapter, tmp_path: Path) -> LoraBase:
    """A base that the adapter belongs to."""
    shapes = {}
    for (target, layer), (a, b) in adapter.method.runtime_factors(adapter).items():
        shapes[runtime_name(target, "a", layer)] = (a.shape[0], 16)
        shapes[runtime_name(target, "b", layer)] = (16, b.shape[1])
    return LoraBase(tmp_path / "base.litertlm", 16, BASE_DIGEST, shapes)


@pytest.mark.parametrize("rank", RANKS)
def test_tensors_are_stored_and_padded_with_zeros(adapter: Adapter, tmp_path: Path, rank: int) -> None:
    write_adapter(adapter, tmp_path / "poet.tflite", rank=rank, name="Der Dichter")
    found = read_adapter_file(tmp_path / "poet.tflite")
    assert (found.name, found.rank, found.base_digest) == ("Der Dichter", rank, BASE_DIGEST)
    tensors = found.tensors()
    assert {name: tensor.shape for name, tensor in tensors.items()} == found.shapes
    factors = adapter.method.runtime_factors(adapter)
    assert len(tensors) == 2 * len(factors)
    for (target, layer), (a, b) in factors.items():
        padded_a, padded_b = (tensors[runtime_name(target, part, layer)] for part in "ab")
        needed = a.shape[1]
        np.testing.assert_array_equal(padded_a[:, :needed], a)
        np.testing.assert_array_equal(padded_b[:needed], b)
        assert padded_a.shape[1] == padded_b.shape[0] == rank
        assert not padded_a[:, needed:].any() and not padded_b[needed:].any()


@pytest.mark.parametrize(("own", "expected"), [(1, 16), (4, 16), (5, 32), (8, 32)])
def test_the_smallest_rank_that_fits_is_found(own: int, expected: int) -> None:
    assert required_rank(small(own)) == expected


def test_a_rank_that_is_too_large_is_refused_with_a_remedy() -> None:
    with pytest.raises(InputError, match=r"needs rank 36 .*at most 32; .*pocketgemma graft"):
        required_rank(small(9))


def test_a_base_with_a_smaller_rank_is_refused(tmp_path: Path) -> None:
    adapter = small(5)
    with pytest.raises(InputError, match="has rank 20, but the base expects 16"):
        write_adapter(adapter, tmp_path / "poet.tflite", rank=16)


def test_equal_adapters_give_equal_files(adapter: Adapter, file: Path, tmp_path: Path) -> None:
    turned = replace(adapter, tensors=dict(list(adapter.tensors.items())[::-1]))
    write_adapter(turned, tmp_path / "again.tflite", rank=16, name="poet")
    assert (tmp_path / "again.tflite").read_bytes() == file.read_bytes()


def test_an_adapter_without_tensors_is_valid(base: LoraBase, tmp_path: Path) -> None:
    write_adapter_file(tmp_path / "none.tflite", {}, rank=16, base_digest=BASE_DIGEST, name="none")
    assert check_adapter_file(tmp_path / "none.tflite", base).shapes == {}
    assert (tmp_path / "none.tflite").stat().st_size == BLOCK


def test_a_complete_adapter_of_the_base_is_accepted(file: Path, base: LoraBase) -> None:
    assert check_adapter_file(file, base).name == "poet"


@pytest.mark.parametrize("bytes_left", [0, 3, 200, 5000, BLOCK - 1, BLOCK, -1, -BLOCK])
def test_a_truncated_file_is_refused(file: Path, base: LoraBase, bytes_left: int) -> None:
    file.write_bytes(file.read_bytes()[:bytes_left])
    with pytest.raises(InputError, match=r"poet\.tflite: (not a|truncated|damaged)") as caught:
        check_adapter_file(file, base)
    assert "\n" not in str(caught.value)


def test_any_changed_byte_is_detected(file: Path, base: LoraBase) -> None:
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    for place in [*range(0, 4000, 97), *random.integers(0, len(whole), 60).tolist(), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x41
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"poet\.tflite"):
            check_adapter_file(file, base)


def test_other_files_are_refused(base: LoraBase, tmp_path: Path) -> None:
    (tmp_path / "notes.tflite").write_text("remember the milk")
    with pytest.raises(InputError, match=r"not a \.tflite file"):
        check_adapter_file(tmp_path / "notes.tflite", base)
    (tmp_path / "model.tflite").write_bytes(b"\x20\0\0\0TFL3" + bytes(60))
    with pytest.raises(InputError, match="damaged"):
        check_adapter_file(tmp_path / "model.tflite", base)
    with pytest.raises(InputError, match="No such file"):
        check_adapter_file(tmp_path / "nowhere.tflite", base)


def other_layers(base: LoraBase) -> LoraBase:
    kept = {name: shape for name, shape in base.shapes.items() if parse_runtime_name(name)[2] == 0}  # type: ignore[index]
    return replace(base, shapes=kept)


def other_width(base: LoraBase) -> LoraBase:
    name = runtime_name("output", "b", 1)
    return replace(base, shapes=dict(base.shapes) | {name: (16, 32)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda base: replace(base, base_digest="0" * 64),
            "belongs to another base: it was trained on ba5eba5e",
        ),
        (lambda base: replace(base, rank=32), "has rank 16, .* accepts rank 32"),
        (other_layers, "lora_atten_k_a_prime_weight_1 has shape .*expects no such tensor"),
        (other_width, r"lora_atten_o_b_prime_weight_1 has shape \(16, 192\), .* expects \(16, 32\)"),
    ],
)
def test_another_base_is_refused(
    file: Path, base: LoraBase, change: Callable[[LoraBase], LoraBase], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        check_adapter_file(file, change(base))


def test_a_model_that_takes_no_adapters_is_refused_with_a_remedy(file: Path, tmp_path: Path) -> None:
    plain = write_container(tmp_path / "plain.litertlm", model=b"\0\0\0\0TFL3" + bytes(400))
    assert lora_base(plain) is None
    with pytest.raises(InputError, match=r"does not accept adapters; .*pocketgemma graft"):
        check_adapter_file(file, plain)


AT_MOST_8 = (
    "9 in each of 4 heads is rank 36 at run time, but the runtime accepts at most 32; set finetune.rank to "
    "at most 8, or convert.adapters: merged"
)
NEVER = "is rank 64 at run time, but the runtime accepts at most 32; set convert.adapters: merged"


@pytest.mark.parametrize(
    ("heads", "rank", "targets", "refused"),
    [
        (4, 8, ("query",), ""),
        (4, 9, ("query",), AT_MOST_8),
        (4, 32, ("output",), ""),
        (4, 33, ("output",), "set finetune.rank to at most 32"),
        (4, 32, ("key",), ""),
        (64, 1, ("query",), NEVER),
        (
            4,
            1,
            ("query", "up"),
            "the adapter changes up, but the runtime accepts adapters only for query, key",
        ),
    ],
)
def test_settings_that_the_runtime_does_not_take_are_refused_before_training_and_no_others(
    heads: int, rank: int, targets: tuple[str, ...], refused: str
) -> None:
    shape, settings = replace(SHAPE, query_heads=heads), MethodSettings(rank, 1.0, targets)
    if not refused:
        check_runtime_settings(shape, settings)
        return
    with pytest.raises(InputError) as caught:
        check_runtime_settings(shape, settings)
    assert refused in str(caught.value)
