"""LoRA keeps one meaning in all its forms: the layers, the merge, rows for a graft, the runtime's factors,
PEFT, and its file."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.families.registry import read_shape
from pipeline.formats.adapter_safetensors import write_adapter_safetensors
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter
from pipeline.tuning.lora_products import weight_delta
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD, LoraFactors
from pipeline.tuning.peft import write_peft
from pipeline.tuning.runtime_factors import rank_of
from tests.support.lora import random_adapter
from tests.tuning.conftest import EVERY_TARGET

RANK = 3


def queries(blocks: int = 6, **changes: Any) -> LoraFactors:
    """Random factors for the queries of the demo's base."""
    random = np.random.default_rng(0)
    pairs = {
        f"decoder_block_{block}.query": (
            random.normal(size=(4, 128, RANK)).astype(np.float32),
            random.normal(size=(RANK, 32)).astype(np.float32),
        )
        for block in range(blocks)
    }
    return replace(LoraFactors(RANK, 6.0, ("query",), pairs), **changes)


def as_matrix(target: str, kernel: np.ndarray) -> np.ndarray:
    """A Keras kernel as (in, out)."""
    return MATRICES[target].as_matrix(kernel).T


def test_an_adapter_of_another_shape_is_refused(base: Path) -> None:
    factors, name = queries(), "decoder_block_1.query"
    _, b = factors.pairs[name]
    other = replace(factors, pairs={**factors.pairs, name: (np.zeros((4, 64, RANK), np.float32), b)})
    backbone = load_causal_lm(base).backbone
    with pytest.raises(InputError, match=r"decoder_block_1\.query: .*shape \(4, 64, 32\).* another base"):
        list(METHOD.changes(other.adapter("base"), backbone))
    with pytest.raises(InputError, match=r"decoder_block_1\.query: .* A and B of shapes \(4, 64, 3\)"):
        METHOD.apply(other.adapter("base"), backbone)


def test_an_adapter_with_fewer_blocks_is_refused(base: Path) -> None:
    with pytest.raises(InputError, match="belongs to another base"):
        METHOD.apply(queries(blocks=5).adapter("base"), load_causal_lm(base).backbone)


def test_a_target_that_blocks_lack_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_causal_lm(base).backbone
    monkeypatch.setitem(MATRICES, "up", replace(MATRICES["up"], keras_layer="nothing"))
    with pytest.raises(PocketGemmaError, match=r"LoRA was added to 0 of 6 matrices \(up\)"):
        METHOD.attach(backbone, MethodSettings(2, 2.0, ("up",)))


def test_a_target_that_one_block_lacks_is_refused(base: Path) -> None:
    backbone = load_causal_lm(base).backbone
    backbone.get_layer("decoder_block_3").gating_ffw_2.name = "nothing"
    with pytest.raises(PocketGemmaError, match=r"LoRA was added to 5 of 6 matrices \(up\)"):
        METHOD.attach(backbone, MethodSettings(2, 2.0, ("up",)))


@pytest.mark.parametrize(
    ("missing", "extra", "message"),
    [
        ("decoder_block_2.query.lora_b", "", r"lacks decoder_block_2\.query\.lora_b"),
        ("", "decoder_block_2.query.magnitude", r"decoder_block_2\.query\.magnitude is not a LoRA tensor"),
    ],
)
def test_a_file_with_other_tensors_is_refused(tmp_path: Path, missing: str, extra: str, message: str) -> None:
    adapter = queries().adapter("base")
    tensors = {name: tensor for name, tensor in adapter.tensors.items() if name != missing}
    if extra:
        tensors[extra] = np.ones(3, np.float32)
    replace(adapter, tensors=tensors).save(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=message):
        load_adapter(tmp_path / "a.safetensors")


def test_a_header_without_a_rank_is_refused(tmp_path: Path) -> None:
    adapter = queries().adapter("base")
    write_adapter_safetensors(tmp_path / "a", METHOD.format, "base", {"alpha": 1.0}, adapter.tensors)
    with pytest.raises(InputError, match="its header lacks rank"):
        load_adapter(tmp_path / "a")


def demo_adapter(base: Path) -> Adapter:
    """Random A and B for all matrices of the demo's base."""
    shape = read_shape(base)
    return random_adapter(
        layers=shape.layers,
        hidden=shape.hidden,
        heads=shape.query_heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        ffn=shape.ffn,
        rank=2,
        targets=EVERY_TARGET,
    )


def test_rows_for_a_graft_are_what_merging_adds_to_the_bit(base: Path) -> None:
    adapter = demo_adapter(base)
    deltas = METHOD.deltas(adapter)
    assert len(deltas.matrices) == 42
    for change in METHOD.changes(adapter, load_causal_lm(base).backbone):
        target = parse_adapter_name(change.name)[1]
        shape, prepare = deltas.matrices[hugging_face_name(change.name)]
        whole, rows = MATRICES[target].as_matrix(change.delta()), prepare()
        assert whole.shape == shape
        nothing = np.zeros(shape, np.float32)
        np.testing.assert_array_equal(rows(0, nothing), whole)
        np.testing.assert_array_equal(rows(5, nothing[5:9]), whole[5:9])


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 1), (8, 4), (1, 1)])
@pytest.mark.parametrize("alpha", [2.0, 5.0])
def test_the_product_of_the_runtimes_factors_is_keras_own(heads: int, kv_heads: int, alpha: float) -> None:
    adapter = random_adapter(layers=3, hidden=24, heads=heads, kv_heads=kv_heads, head_dim=6, rank=2)
    plain = replace(LoraFactors.of(adapter), alpha=alpha)
    factors = METHOD.runtime_factors(plain.adapter("base"))
    assert METHOD.has_runtime_form
    assert set(factors) == {
        (target, layer) for target in ("query", "key", "value", "output") for layer in range(3)
    }
    for (target, layer), (a, b) in factors.items():
        expected = weight_delta(*plain.pairs[f"decoder_block_{layer}.{target}"], plain.scale)
        np.testing.assert_allclose(a @ b, as_matrix(target, expected), atol=1e-6)


def test_the_rank_for_the_runtime_counts_the_heads() -> None:
    adapter = random_adapter(layers=1, hidden=24, heads=4, kv_heads=2, head_dim=6, rank=3)
    factors = METHOD.runtime_factors(adapter)
    ranks = {target: a.shape[1] for (target, _), (a, _) in factors.items()}
    assert ranks == {"query": 12, "key": 6, "value": 6, "output": 3}
    assert rank_of(factors) == 12


def test_peft_merges_the_same_matrices(base: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import Gemma3ForCausalLM

    from pipeline.gemma.hugging_face import write_hugging_face
    from pipeline.gemma.matrices import PresetMatrices
    from pipeline.gemma.tokenizer import Tokenizer

    adapter = demo_adapter(base)
    write_peft(adapter, tmp_path / "peft")
    write_hugging_face(load_causal_lm(base), Tokenizer.of_preset(base), tmp_path / "base")
    plain = Gemma3ForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    merged: Any = PeftModel.from_pretrained(plain, str(tmp_path / "peft")).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    before, after = PresetMatrices(tmp_path / "base"), PresetMatrices(tmp_path / "merged")
    deltas = METHOD.deltas(adapter).matrices
    changed = {name for name in before.names() if not np.array_equal(before.read(name), after.read(name))}
    assert changed == set(deltas)
    for name, (_, prepare) in deltas.items():
        w0 = before.read(name)
        np.testing.assert_allclose(after.read(name), w0 + prepare()(0, w0), rtol=0, atol=4e-6)
    # The same bytes a second time.
    write_peft(adapter, tmp_path / "again")
    for path in sorted((tmp_path / "peft").iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    shutil.rmtree(tmp_path / "merged")


@pytest.mark.parametrize("targets", [("query", "value"), EVERY_TARGET])
def test_the_cost_is_what_training_counts_and_writes(base: Path, targets: tuple[str, ...]) -> None:
    settings = MethodSettings(4, 8.0, targets)
    backbone = load_causal_lm(base).backbone
    attachment = METHOD.attach(backbone, settings)
    cost = METHOD.cost(read_shape(base), settings)
    assert cost.parameters == sum(variable.value.numel() for variable in backbone.trainable_variables)
    adapter = METHOD.collect(attachment, "base")
    assert cost.adapter_bytes == sum(tensor.nbytes for tensor in adapter.tensors.values())


def test_the_formula_names_the_scale() -> None:
    assert METHOD.formula(queries().adapter("base")) == "W0 + 2·A·B"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": float("inf")}, "alpha is inf, expected a number other than 0"),
        ({"alpha": 0}, "alpha is 0, expected a number other than 0"),
        ({"alpha": "6"}, "alpha is '6', expected a number other than 0"),
        ({"rank": 2}, r"its rank is 2, but decoder_block_0\.query has A of \(4, 128, 3\) and B of \(3, 32\)"),
        ({"targets": ["value"]}, r"its targets are \['value'\], but it has tensors for query"),
        ({"targets": "query"}, "its targets are 'query', but it has tensors for query"),
    ],
)
def test_a_header_that_contradicts_the_tensors_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    adapter = queries().adapter("base")
    path = tmp_path / "adapter.safetensors"
    write_adapter_safetensors(
        path, METHOD.format, "base", {**adapter.settings, **settings}, dict(adapter.tensors)
    )
    with pytest.raises(InputError, match=message):
        load_adapter(path)
