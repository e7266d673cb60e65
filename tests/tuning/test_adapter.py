"""The adapter file is whole or refused, and belongs to one base."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.errors import InputError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import attach

RANK = 3


def small_adapter(**changes: object) -> Adapter:
    random = np.random.default_rng(0)
    tensors = {
        f"decoder_block_{block}.query": (
            random.normal(size=(4, 128, RANK)).astype(np.float32),
            random.normal(size=(RANK, 32)).astype(np.float32),
        )
        for block in range(6)
    }
    values = {"rank": RANK, "alpha": 6.0, "targets": ("query",), "base_digest": "abc", "tensors": tensors}
    return Adapter(**values | changes)  # type: ignore[arg-type]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    adapter = small_adapter()
    adapter.save(tmp_path / "a.safetensors")
    read = Adapter.load(tmp_path / "a.safetensors")
    assert (read.rank, read.alpha, read.targets, read.base_digest, read.scale) == (
        RANK,
        6.0,
        ("query",),
        "abc",
        2.0,
    )
    for name, (a, b) in adapter.tensors.items():
        np.testing.assert_array_equal(read.tensors[name][0], a)
        np.testing.assert_array_equal(read.tensors[name][1], b)


def test_the_same_tensors_give_the_same_bytes(tmp_path: Path) -> None:
    adapter = small_adapter()
    backwards = small_adapter(tensors=dict(reversed(adapter.tensors.items())))
    adapter.save(tmp_path / "a.safetensors")
    backwards.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_scales_are_read_back_and_an_ordinary_adapter_does_not_mention_them(tmp_path: Path) -> None:
    plain, rounded = tmp_path / "plain.safetensors", tmp_path / "rounded.safetensors"
    small_adapter().save(plain)
    assert b"recipe" not in plain.read_bytes()
    assert (Adapter.load(plain).recipe, dict(Adapter.load(plain).scales)) == ("", {})
    scales = {"model.embed_tokens.weight": np.full((8, 1), 0.5, np.float32)}
    small_adapter(recipe="int4", scales=scales).save(rounded)
    read = Adapter.load(rounded)
    assert read.recipe == "int4"
    assert read.tensors.keys() == small_adapter().tensors.keys()
    np.testing.assert_array_equal(
        read.scales["model.embed_tokens.weight"], scales["model.embed_tokens.weight"]
    )


def test_scales_of_an_unknown_recipe_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    small_adapter(recipe="int3", scales={"x": np.ones((8, 1), np.float32)}).save(path)
    with pytest.raises(InputError, match="1 tensors of scales for the recipe 'int3'"):
        Adapter.load(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    small_adapter().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        Adapter.load(path)


def test_a_missing_file_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Adapter.load(tmp_path / "none.safetensors")
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not a pocketgemma-lora-1 file"):
        Adapter.load(tmp_path / "x.safetensors")


def test_an_a_without_its_b_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    small_adapter().save(path)
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    arrays = load_file(path)
    del arrays["decoder_block_2.query.lora_b"]
    save_file(arrays, path, metadata=metadata)
    with pytest.raises(InputError, match=r"lacks decoder_block_2\.query\.lora_b"):
        Adapter.load(path)


def test_an_adapter_of_another_shape_is_refused(base: Path) -> None:
    adapter = small_adapter()
    name = "decoder_block_1.query"
    _, b = adapter.tensors[name]
    tensors = dict(adapter.tensors) | {name: (np.zeros((4, 64, RANK), np.float32), b)}
    with pytest.raises(InputError, match=r"decoder_block_1\.query: the adapter's A and B are \(4, 64, 3\)"):
        attach(small_adapter(tensors=tensors), load_causal_lm(base).backbone)


def test_an_adapter_with_fewer_blocks_is_refused(base: Path) -> None:
    tensors = dict(list(small_adapter().tensors.items())[:-1])
    with pytest.raises(InputError, match="belongs to another base"):
        attach(small_adapter(tensors=tensors), load_causal_lm(base).backbone)
