"""Merging adds exactly scale * A B, and anything else is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.causal_lm import load_causal_lm, matrix_layers, shape_of
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.keras_weights import KerasWeight, keras_weights
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.merge import merge, prove_merge
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD, LoraFactors
from tests.tuning.conftest import EVERY_TARGET

LIMIT = 1e-6
TOKENS = [2, *range(30, 60)]


@pytest.fixture(scope="module")
def adapter(base: Path) -> Adapter:
    """Random, all seven kinds of matrix, alpha unlike rank."""
    backbone = load_causal_lm(base).backbone
    empty = METHOD.collect(METHOD.attach(backbone, MethodSettings(4, 10.0, EVERY_TARGET)), "base")
    random = np.random.default_rng(1)
    tensors = {
        name: (0.05 * random.normal(size=tensor.shape)).astype(np.float32)
        for name, tensor in empty.tensors.items()
    }
    return replace(empty, tensors=tensors)


def logits(model: Any) -> np.ndarray:
    from keras import ops

    tokens = np.array([TOKENS], np.int32)
    return np.asarray(
        ops.convert_to_numpy(model({"token_ids": tokens, "padding_mask": np.ones_like(tokens)}))
    )


def tensors_of(backbone: Any) -> dict[str, KerasWeight]:
    return {weight.tensor: weight for weight in keras_weights(backbone, shape_of(backbone))}


def merged_model(base: Path, adapter: Adapter) -> Any:
    model = load_causal_lm(base)
    merge(model.backbone, adapter)
    return model


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_sum_that_is_not_finite_is_refused(base: Path, adapter: Adapter) -> None:
    large = replace(adapter, settings=dict(adapter.settings) | {"alpha": 1e308})
    with pytest.raises(InputError, match=r"decoder_block_0\.\w+: infinite or NaN after adding the adapter"):
        merged_model(base, large)


def test_the_merged_model_says_what_base_and_adapter_say(base: Path, adapter: Adapter) -> None:
    apart = load_causal_lm(base)
    before = logits(apart)
    METHOD.apply(adapter, apart.backbone)
    with_adapter = logits(apart)
    assert np.abs(with_adapter - before).max() > 0.1
    np.testing.assert_allclose(logits(merged_model(base, adapter)), with_adapter, atol=1e-4)


def test_the_proof_covers_every_adapted_matrix_and_every_other_weight(base: Path, adapter: Adapter) -> None:
    before, after = load_causal_lm(base).backbone, merged_model(base, adapter).backbone
    proof = prove_merge(before, tensors_of(after), adapter, LIMIT)
    assert len(proof.matrices) == 42
    assert proof.other_weights == len(before.variables) - 42
    assert proof.largest_deviation <= LIMIT
    assert all(matrix.delta_norm > 0 for matrix in proof.matrices)


def test_a_dropped_adapter_is_refused(base: Path, adapter: Adapter) -> None:
    backbone = load_causal_lm(base).backbone
    with pytest.raises(PocketGemmaError, match="no matrix differs from the base"):
        prove_merge(backbone, tensors_of(backbone), adapter, LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize("target", sorted(EVERY_TARGET))
def test_one_matrix_left_unmerged_is_refused(base: Path, adapter: Adapter, target: str) -> None:
    model = merged_model(base, adapter)
    _, unmerged = next(matrix_layers(load_causal_lm(base).backbone, target))
    name, layer = next(matrix_layers(model.backbone, target))
    layer.kernel.assign(unmerged.kernel)
    with pytest.raises(PocketGemmaError, match=f"{name}: W differs from W0"):
        prove_merge(load_causal_lm(base).backbone, tensors_of(model.backbone), adapter, LIMIT)


def test_a_scale_forgotten_is_refused(base: Path, adapter: Adapter) -> None:
    unscaled = replace(adapter, settings={**adapter.settings, "alpha": float(adapter.settings["rank"])})
    model = merged_model(base, unscaled)
    with pytest.raises(PocketGemmaError, match="42 faults"):
        prove_merge(load_causal_lm(base).backbone, tensors_of(model.backbone), adapter, LIMIT)


def test_any_other_weight_that_changed_by_a_bit_is_refused(base: Path, adapter: Adapter) -> None:
    model = merged_model(base, adapter)
    norm = model.backbone.get_layer("decoder_block_3").pre_ffw_norm.scale
    value = norm.numpy()
    value[5] = np.nextafter(value[5], np.float32(9))
    norm.assign(value)
    with pytest.raises(PocketGemmaError, match=r"decoder_block_3.*changed, although it has no adapter"):
        prove_merge(load_causal_lm(base).backbone, tensors_of(model.backbone), adapter, LIMIT)


def test_an_adapter_for_other_matrices_is_refused(base: Path, adapter: Adapter) -> None:
    factors = LoraFactors.of(adapter)
    pairs = {name: pair for name, pair in factors.pairs.items() if not name.endswith("0.query")}
    broken = replace(factors, pairs=pairs).adapter("base")
    with pytest.raises(InputError, match=r"decoder_block_0\.query is in only one of them"):
        merge(load_causal_lm(base).backbone, broken)


def test_an_export_with_lora_still_enabled_is_refused(base: Path, adapter: Adapter, tmp_path: Path) -> None:
    model = load_causal_lm(base)
    METHOD.apply(adapter, model.backbone)
    with pytest.raises(PocketGemmaError, match="would lose the adapter"):
        write_hugging_face(model, Tokenizer.of_preset(base), tmp_path / "hf")


def test_the_folder_names_both_stop_tokens_and_the_template(
    base: Path, adapter: Adapter, tmp_path: Path
) -> None:
    import transformers

    model = merged_model(base, adapter)
    tokenizer = Tokenizer.of_preset(base)
    write_hugging_face(model, tokenizer, tmp_path / "hf")
    generation = transformers.GenerationConfig.from_pretrained(tmp_path / "hf")
    assert tuple(generation.eos_token_id) == tokenizer.stop_ids
    config = transformers.AutoConfig.from_pretrained(tmp_path / "hf")
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (2, 1, 0)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    conversation = [{"role": "user", "content": "What is the symbol of gold?"}]
    ids = theirs.apply_chat_template(
        conversation, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    from pipeline.families.turns import CHAT

    assert list(ids) == [
        tokenizer.bos_id,
        *tokenizer.encode(CHAT.render_question("What is the symbol of gold?")),
    ]
