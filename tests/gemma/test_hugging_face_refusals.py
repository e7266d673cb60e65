"""Promise: a Hugging Face folder that cannot be imported is refused in one line, before it is
used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING, HEAD, hugging_face_name
from pipeline.gemma.hugging_face_import import import_hugging_face
from pipeline.gemma.presets import check_preset
from tests.gemma.folders import Config, Weights, write_folder
from tests.support.presets import TRANSFORMERS_CONFIG, write_json

Damage = Callable[[Weights, Config], object]


def _weight(change: Callable[[Weights], object]) -> Damage:
    return lambda weights, config: change(weights)


def _config(**values: Any) -> Damage:
    return lambda weights, config: config.update(values)


UP = hugging_face_name("decoder_block_1.up")
REFUSED: list[tuple[str, Damage, str]] = [
    ("missing", _weight(lambda weights: weights.pop(UP)), f"its weights lack {UP}"),
    (
        "unknown",
        _weight(
            lambda weights: weights.update({"model.layers.0.self_attn.q_proj.bias": np.ones(4, np.float32)})
        ),
        "have model.layers.0.self_attn.q_proj.bias, unknown in gemma3",
    ),
    (
        "shape",
        _weight(lambda weights: weights.update({UP: weights[UP][:5].copy()})),
        r"has shape \(5, 16\), config",
    ),
    (
        "resized",
        _weight(lambda weights: weights.update({EMBEDDING: np.ones((404, 16), np.float32)})),
        r"has shape \(404, 16\), config.json requires \(400, 16\)",
    ),
    ("nan", _weight(lambda weights: weights[UP].__setitem__((3, 3), np.nan)), f"{UP} contains NaN"),
    (
        "int8",
        _weight(lambda weights: weights.update({UP: weights[UP].astype(np.int8)})),
        "stored as I8, expected F32",
    ),
    (
        "untied",
        _weight(lambda weights: weights.update({HEAD: weights[EMBEDDING] + np.float32(1)})),
        "differs from the embedding; use a model with a tied embedding",
    ),
    (
        "quantized",
        _config(quantization_config={"quant_method": "bitsandbytes"}),
        r"the weights are quantized \(bitsandbytes\)",
    ),
    (
        "rope base",
        _config(rope_theta=500000.0),
        "rope_theta is 500000.0, expected 1000000.0; KerasHub does not",
    ),
    (
        "rope type",
        _config(rope_scaling={"rope_type": "yarn", "factor": 4.0}),
        "rope_scaling has type 'yarn', expected 'default' or 'linear'",
    ),
    (
        "newer rope",
        _config(rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 5000.0}}),
        "sliding_attention.rope_theta is 5000.0, expected 10000.0",
    ),
    (
        "layers",
        _config(layer_types=["full_attention", "sliding_attention"]),
        r"layer_types\[0\] is 'full_attention'",
    ),
    (
        "activation",
        _config(hidden_activation="silu"),
        "hidden_activation is 'silu', expected 'gelu_pytorch_tanh'",
    ),
    (
        "bidirectional",
        _config(use_bidirectional_attention=True),
        "use_bidirectional_attention is True, expected False",
    ),
    ("quantized in a list", _config(quantization_config=["int8"]), "the weights are quantized"),
    (
        "fp8",
        _weight(
            lambda weights: weights.update(
                {UP: weights[UP].astype(np.int8), UP + "_scale_inv": np.ones((1, 1), np.float32)}
            )
        ),
        "the weights are quantized; use the unquantized model",
    ),
    (
        "bitsandbytes by name",
        _weight(
            lambda weights: weights.update(
                {UP: np.ones((64, 1), np.uint8), UP + ".absmax": np.ones(4, np.float32)}
            )
        ),
        "the weights are quantized; use the unquantized model",
    ),
    (
        "adapter attached",
        _weight(
            lambda weights: weights.update(
                {
                    UP.replace(".weight", ".base_layer.weight"): weights.pop(UP),
                    UP.replace(".weight", ".lora_A.default.weight"): np.ones((2, 16), np.float32),
                }
            )
        ),
        r"an adapter is still attached to the model; merge it \(in PEFT: merge_and_unload\)",
    ),
    (
        "adapter of the whole model",
        _weight(
            lambda weights: weights.update(
                {
                    f"base_model.model.{name.replace('.weight', '.base_layer.weight')}": weights.pop(name)
                    for name in list(weights)
                }
            )
        ),
        "an adapter is still attached to the model",
    ),
    (
        "pattern of layers",
        _config(sliding_window_pattern=2),
        "sliding_window_pattern is 2, expected 6; KerasHub does not support this variant of gemma3",
    ),
    ("saved pattern", _config(_sliding_window_pattern=1), "_sliding_window_pattern is 1, expected 6"),
    (
        "query scalar",
        _config(query_pre_attn_scalar=999),
        r"query_pre_attn_scalar is 999, expected 8 \(head_dim\) or 8 \(hidden_size / num_attention_heads\)",
    ),
    ("window as text", _config(sliding_window="64"), "sliding_window is '64', expected a whole number, 1 or"),
    ("negative window", _config(sliding_window=-1), "sliding_window is -1, expected a whole number, 1 or"),
    ("no window", _config(sliding_window=0), "sliding_window is 0, expected a whole number, 1 or more"),
    ("window missing", _config(sliding_window=None), "sliding_window is missing, expected a whole number"),
    (
        "few layer types",
        _config(layer_types=["sliding_attention"]),
        r"layer_types has 1 entries, expected 2 \(num_hidden_layers\)",
    ),
    ("layer types", _config(layer_types=5), "layer_types is 5, expected a list"),
    ("nested layer types", _config(layer_types=[[], []]), r"layer_types\[0\] is \[\], expected 'sliding_att"),
    ("rope as text", _config(rope_scaling="linear"), "rope_scaling is 'linear', expected an object"),
    ("rope as number", _config(rope_parameters=5), "rope_parameters is 5, expected an object"),
    (
        "rope of a kind",
        _config(rope_parameters={"full_attention": 5}),
        "rope_parameters.full_attention is 5, expected an object",
    ),
    ("rope base as text", _config(rope_theta="much"), "rope_theta is 'much', expected 1000000.0"),
    (
        "rope factor",
        _config(rope_scaling={"rope_type": "linear", "factor": "8"}),
        "rope_scaling.factor is '8', expected a number above 0",
    ),
    (
        "factor without type",
        _config(rope_scaling={"factor": 8.0}),
        "rope_scaling.factor is 8.0, expected 1.0 with the type 'default'",
    ),
    (
        "factor of no kind of layer",
        _config(rope_parameters={"rope_type": "linear", "factor": 8.0}),
        "rope_parameters.factor is 8.0, expected 1.0 with the type 'linear'",
    ),
    (
        "cap",
        _config(final_logit_softcapping="30"),
        "final_logit_softcapping is '30', expected a number above",
    ),
    (
        "layers",
        _config(num_hidden_layers=10**12),
        "num_hidden_layers is 1,000,000,000,000, expected at most 1,000 layers",
    ),
    (
        "twice",
        _weight(lambda weights: weights.update({"language_model." + UP: weights[UP].copy()})),
        f"has the same tensor twice, as language_model.{UP} and {UP}; save the model again",
    ),
    ("untied by config", _config(tie_word_embeddings=False), "tie_word_embeddings is False, expected True"),
]


@pytest.mark.parametrize(
    ("damage", "message"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_another_folder_is_refused(tmp_path: Path, weights: Weights, damage: Damage, message: str) -> None:
    config = dict(TRANSFORMERS_CONFIG)
    damage(weights, config)
    source = write_folder(tmp_path / "source", weights, config)
    with pytest.raises(InputError, match=message) as error:
        import_hugging_face(source, tmp_path / "target")
    assert str(source) in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "target").exists()


def test_added_tokens_without_a_tokenizer_json_are_refused(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    write_json(source / "added_tokens.json", {"<image_soft_token>": 262144})
    import_hugging_face(source, tmp_path / "target")
    write_json(source / "added_tokens.json", {"<image_soft_token>": 262144, "<term>": 399})
    with pytest.raises(InputError, match=r"'<term>' was added to the vocabulary, but tokenizer\.model lacks"):
        import_hugging_face(source, tmp_path / "other")


def test_a_git_lfs_pointer_is_named(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    (source / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="a Git LFS pointer, not the weights; run: git lfs pull"):
        import_hugging_face(source, tmp_path / "target")


def test_a_gemma_3n_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    # There are no sizes and no weights to read.
    document = {"model_type": "gemma3n", "text_config": {}, "vision_config": {}, "audio_config": {}}
    write_json(tmp_path / "config.json", document)
    with pytest.raises(InputError, match=r"Gemma 3n is not supported; use Gemma 4 E2B, kaggle://\S+$"):
        import_hugging_face(tmp_path, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("value", [5, None, [None]])
def test_an_index_that_names_no_file_is_refused(tmp_path: Path, weights: Weights, value: object) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    (source / "model.safetensors").rename(source / "a.safetensors")
    write_json(source / "model.safetensors.index.json", {"weight_map": {UP: value}})
    with pytest.raises(
        InputError, match=rf"index.json: weight_map names .* as the file of {UP}, expected a n"
    ):
        import_hugging_face(source, tmp_path / "target")


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    (source / "model.safetensors").rename(source / "a.safetensors")
    save_file({UP: weights[UP]}, source / "b.safetensors")
    write_json(
        source / "model.safetensors.index.json",
        {"weight_map": {EMBEDDING: "a.safetensors", UP: "b.safetensors"}},
    )
    with pytest.raises(InputError, match=rf"b.safetensors: contains {UP}, and so does a.safetensors"):
        import_hugging_face(source, tmp_path / "target")


@pytest.mark.parametrize("name", ["tokenizer.model", "tokenizer.json", "config.json"])
def test_any_file_may_be_a_git_lfs_pointer(tmp_path: Path, weights: Weights, name: str) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    (source / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(
        InputError, match=f"{name}: a Git LFS pointer, not the file itself; run: git lfs pull"
    ):
        import_hugging_face(source, tmp_path / "target")
        check_preset(tmp_path / "target")


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_json_that_is_nested_without_end_is_refused(tmp_path: Path, weights: Weights, name: str) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    (source / name).write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(
        InputError, match=f"{name}: not readable as JSON: its values are nested too deeply; copy"
    ):
        import_hugging_face(source, tmp_path / "target")
