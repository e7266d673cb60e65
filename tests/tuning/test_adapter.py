"""The adapter file is what the method's tensors say, byte for byte, and is read back whole."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.tuning.load import load_adapter
from pipeline.tuning.methods.lora import METHOD, LoraFactors
from pipeline.tuning.methods.quantization_aware import with_trained_scales

KNOWN = {
    "plain": "6e4beb99925a639ff43851fb6fbd3ef80021b750c891e8f8f93c273f7e948fe5",
    "scales": "0637eb1eacc957d2cdfb2cf405c155d9995a3c29b9fe9bfadee7bfaad7bf59e2",
}
"""sha256 of the two files below, as version 0.1.0 wrote them."""


def small() -> LoraFactors:
    pairs = {
        name: (
            np.arange(4 * 8 * 2, dtype=np.float32).reshape(4, 8, 2) + index,
            np.arange(2 * 4, dtype=np.float32).reshape(2, 4) - index,
        )
        for index, name in enumerate(("decoder_block_1.query", "decoder_block_0.query"))
    }
    return LoraFactors(2, 6.0, ("query",), pairs)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    adapter = small().adapter("abc")
    adapter.save(tmp_path / "a.safetensors")
    read = load_adapter(tmp_path / "a.safetensors")
    factors = LoraFactors.of(read)
    assert (read.method, read.base_digest) == (METHOD, "abc")
    assert (factors.rank, factors.alpha, factors.targets, factors.scale) == (2, 6.0, ("query",), 3.0)
    for name, (a, b) in small().pairs.items():
        np.testing.assert_array_equal(factors.pairs[name][0], a)
        np.testing.assert_array_equal(factors.pairs[name][1], b)


def test_the_order_of_the_tensors_does_not_change_the_bytes(tmp_path: Path) -> None:
    adapter = small().adapter("abc")
    adapter.save(tmp_path / "a.safetensors")
    replace(adapter, tensors=dict(reversed(list(adapter.tensors.items())))).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_bytes_are_those_of_earlier_versions(tmp_path: Path) -> None:
    plain = small().adapter("abc")
    scales = {"model.embed_tokens.weight.scales": np.full((8, 1), 0.5, np.float32)}
    for name, adapter in (("plain", plain), ("scales", with_trained_scales(plain, "int4", scales))):
        adapter.save(tmp_path / name)
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == KNOWN[name]
    assert b"recipe" not in (tmp_path / "plain").read_bytes()
