"""Promise: a text Gemma 4 of either form is read as transformers and KerasHub build it; variants that are
built differently are refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from pipeline.errors import InputError
from pipeline.families.gemma4 import CHAT, FULL, GEMMA4, LOCAL
from pipeline.families.names import tensor_shapes
from pipeline.families.registry import read_family, read_shape
from pipeline.formats.safetensors import read_safetensors
from pipeline.gemma.hugging_face_import import import_hugging_face
from pipeline.gemma.presets import check_preset, weight_files
from tests.support.random_presets import write_transformers_folder

E2B: dict[str, Any] = {
    "model_type": "gemma4_text",
    "vocab_size": 262144,
    "hidden_size": 1536,
    "intermediate_size": 6144,
    "num_hidden_layers": 35,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "global_head_dim": 512,
    "hidden_size_per_layer_input": 256,
    "vocab_size_per_layer_input": 262144,
    "num_kv_shared_layers": 20,
    "use_double_wide_mlp": True,
    "sliding_window": 512,
    "layer_types": [FULL if (layer + 1) % 5 == 0 else LOCAL for layer in range(35)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_transformers_folder("gemma4", tmp_path_factory.mktemp("gemma4") / "hf", dtype="float32")


def written(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def config_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))


def test_the_tensors_are_those_that_transformers_writes(folder: Path) -> None:
    found = {
        name: tensor.shape
        for path in weight_files(folder)
        for name, tensor in read_safetensors(path).tensors.items()
    }
    shape = read_shape(folder)
    assert tensor_shapes(shape) == found
    lacking = [layer for layer in range(4) if "key" not in {each.name for each in shape.matrices_in(layer)}]
    assert lacking == [2, 3]
    assert [shape.in_layer(layer).head_dim for layer in range(4)] == [32, 64, 32, 64]
    assert [shape.in_layer(layer).ffn for layer in range(4)] == [128, 128, 256, 256]


def test_parameters_are_counted_as_transformers_counts_them(tmp_path: Path) -> None:
    import torch
    import transformers

    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**E2B))
    # The scalar of a layer is a buffer there.
    counted = sum(weight.numel() for weight in model.parameters()) + E2B["num_hidden_layers"]
    assert read_shape(written(tmp_path, E2B)).parameters == counted


def test_a_multimodal_folder_gives_its_text_model(folder: Path, tmp_path: Path) -> None:
    text = config_of(folder)
    assert "global_head_dim" not in text, "this version of transformers writes the widths layer by layer"
    source = written(
        tmp_path / "source",
        {"model_type": "gemma4", "text_config": text, "vision_config": {}, "audio_config": {}},
    )
    weights = {
        name.replace("model.", "model.language_model.", 1): values
        for path in weight_files(folder)
        for name, values in load_file(path).items()
    }
    tower = weights["model.language_model.norm.weight"]
    save_file(weights | {"model.vision_tower.encoder.weight": tower}, source / "model.safetensors")
    (source / "tokenizer.model").write_bytes((folder / "tokenizer.model").read_bytes())
    imported = import_hugging_face(source, tmp_path / "target")
    assert imported.left_out == 1
    assert read_family(tmp_path / "target") is GEMMA4
    assert check_preset(tmp_path / "target") == read_shape(folder)
    assert config_of(tmp_path / "target")["global_head_dim"] == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enable_moe_block": True}, "a mixture of experts; this Gemma 4 is not supported, use E2B or E4B"),
        ({"attention_k_eq_v": True}, "keys and values are the same projection; "),
        ({"hidden_size_per_layer_input": 0}, "no per-layer embeddings; "),
        (
            {"layer_types": [FULL, "chunked_attention"]},
            "layer_types is .*, expected 35 times full_attention or",
        ),
        ({"layer_types": None}, "layer_types is None, expected 35 times"),
        ({"num_hidden_layers": None}, "num_hidden_layers is None, expected a positive integer"),
    ],
)
def test_a_model_that_is_built_differently_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_shape(written(tmp_path, E2B | change))


def test_turns_are_written_as_the_model_was_trained() -> None:
    text = CHAT.render_prompt(
        [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Hello."}]
    )
    # From Google's page on Gemma 4's prompt format.
    assert text == (
        "<|turn>system\nYou are a helpful assistant.<turn|>\n<|turn>user\nHello.<turn|>\n<|turn>model\n"
    )
    assert CHAT.stop_tokens == ("<eos>", "<turn|>")
