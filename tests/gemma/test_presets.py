import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.family import GemmaShape
from pipeline.families.registry import FAMILIES, known_presets, read_shape
from pipeline.gemma.presets import check_preset, check_weights, preset_files, weight_files
from tests.support.presets import (
    KERAS_CONFIG,
    SHAPE,
    TRANSFORMERS_CONFIG,
    write_h5,
    write_json,
    write_keras_preset,
    write_safetensors,
    write_transformers_folder,
)


@pytest.fixture
def keras_preset(tmp_path: Path) -> Path:
    return write_keras_preset(tmp_path / "keras")


@pytest.fixture
def transformers_folder(tmp_path: Path) -> Path:
    return write_transformers_folder(tmp_path / "transformers")


GEMMA_3N_REFUSED = (
    "^[^ ]*: Gemma 3n is not supported; use Gemma 4 E2B, kaggle://keras/gemma4/keras/gemma4_instruct_2b$"
)

Seven = tuple[int, int, int, int, int, int, int]

# Shapes from the published configurations; parameter counts as KerasHub 0.32 lists them for its presets.
PUBLISHED: list[tuple[str, Seven, int]] = [
    ("gemma", (18, 2048, 8, 1, 256, 16384, 256000), 2_506_172_416),
    ("gemma", (28, 3072, 16, 16, 256, 24576, 256000), 8_537_680_896),
    ("gemma2", (26, 2304, 8, 4, 256, 9216, 256000), 2_614_341_888),
    ("gemma2", (42, 3584, 16, 8, 256, 14336, 256000), 9_241_705_984),
    ("gemma2", (46, 4608, 32, 16, 128, 36864, 256000), 27_227_128_320),
    ("vaultgemma", (26, 1152, 4, 4, 256, 6912, 256000), 1_038_741_120),
    ("gemma3", (18, 640, 4, 1, 256, 2048, 262144), 268_098_176),
    ("gemma3", (26, 1152, 4, 1, 256, 6912, 262144), 999_885_952),
    ("gemma3", (34, 2560, 8, 4, 256, 10240, 262144), 3_880_099_328),
    ("gemma3", (48, 3840, 16, 8, 256, 15360, 262144), 11_765_788_416),
    ("gemma3", (62, 5376, 32, 16, 128, 21504, 262144), 27_009_002_240),
]


@pytest.mark.parametrize(("family", "shape", "parameters"), PUBLISHED)
def test_parameters_equal_the_published_counts(family: str, shape: Seven, parameters: int) -> None:
    assert GemmaShape(FAMILIES[family], *shape).parameters == parameters


def test_parameters_of_families_with_per_layer_embeddings_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="gemma3n"):
        _ = GemmaShape(FAMILIES["gemma3n"], 30, 2048, 8, 2, 256, 8192, 262400).parameters


def test_both_forms_of_preset_tell_the_same_shape(keras_preset: Path, transformers_folder: Path) -> None:
    assert check_preset(keras_preset) == check_preset(transformers_folder) == SHAPE


def test_gemma_2_is_told_from_gemma_and_its_gate_is_counted_once(tmp_path: Path) -> None:
    config = KERAS_CONFIG["config"] | {"use_post_ffw_norm": False, "use_sliding_window_attention": False}
    del config["sliding_window_size"]
    document = KERAS_CONFIG | {"class_name": "GemmaBackbone", "registered_name": "keras_hub>GemmaBackbone"}
    write_json(tmp_path / "config.json", document | {"config": config})
    assert (read_shape(tmp_path).family.name, read_shape(tmp_path).ffn) == ("gemma", 16)
    write_json(tmp_path / "config.json", document | {"config": config | {"use_post_ffw_norm": True}})
    assert (read_shape(tmp_path).family.name, read_shape(tmp_path).ffn) == ("gemma2", 16)


def test_a_multimodal_configuration_tells_its_text_decoder(tmp_path: Path) -> None:
    # As google/gemma-3-4b-it has it: what equals the defaults is left out.
    text = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}
    write_json(tmp_path / "config.json", {"model_type": "gemma3", "text_config": text, "vision_config": {}})
    shape = read_shape(tmp_path)
    assert (shape.layers, shape.query_heads, shape.kv_heads, shape.vocabulary, shape.vision) == (
        34,
        8,
        4,
        262208,
        True,
    )
    with pytest.raises(InputError, match="vision tower"):
        check_preset(tmp_path)


def test_gemma_3n_is_read_in_keras_hubs_words(tmp_path: Path) -> None:
    config = {
        "text_vocab_size": 262400,
        "text_hidden_size": 2048,
        "num_hidden_layers": 30,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 256,
        "intermediate_size": [8192] * 30,
        "sliding_window": 512,
        "vision_encoder_config": {},
    }
    document = {
        "class_name": "Gemma3nBackbone",
        "registered_name": "keras_hub>Gemma3nBackbone",
        "config": config,
    }
    write_json(tmp_path / "config.json", document)
    assert read_shape(tmp_path) == GemmaShape(
        FAMILIES["gemma3n"], 30, 2048, 8, 2, 256, 8192, 262400, 512, vision=True
    )
    with pytest.raises(InputError, match=GEMMA_3N_REFUSED):
        check_preset(tmp_path)


def changed(key: str, value: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "config.json").read_text())
        place = document.get("config", document)
        if value is None:
            del place[key]
        else:
            place[key] = value
        write_json(folder / "config.json", document)

    return change


def config_of(document: Any) -> Callable[[Path], object]:
    return lambda folder: write_json(folder / "config.json", document)


def removed(*names: str) -> Callable[[Path], object]:
    def remove(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def cut(name: str, share: float) -> Callable[[Path], object]:
    def cut_off(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return cut_off


def written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


KERAS_FAULTS = [
    (removed("config.json"), "no such file; is"),
    (written("config.json", b"{"), "not readable as JSON"),
    (written("config.json", b"[1]"), "expected a JSON object, found list"),
    (config_of({"architectures": ["Gemma"]}), "neither class_name"),
    (
        config_of(KERAS_CONFIG | {"class_name": "LlamaBackbone"}),
        "class_name is LlamaBackbone, expected one of GemmaBackbone",
    ),
    (
        config_of(KERAS_CONFIG | {"registered_name": "evil>Gemma3Backbone"}),
        "class_name is Gemma3Backbone, expected one of",
    ),
    (config_of(KERAS_CONFIG | {"config": None}), "config is missing"),
    (changed("num_layers", None), "num_layers is None, expected a positive integer"),
    (changed("hidden_dim", "16"), "hidden_dim is '16', expected a positive integer"),
    (changed("vision_encoder", {"class_name": "Gemma3VisionEncoder"}), "has a vision tower"),
    (changed("num_layers", 10**12), "num_layers is 1,000,000,000,000, expected at most 1,000 layers"),
    (changed("sliding_window_size", "64"), "sliding_window_size is '64', expected a positive integer"),
    (
        written("model.weights.h5", b"version https://git-lfs.github.com/spec/v1"),
        "a Git LFS pointer, not the",
    ),
    (changed("num_layers", 3), "incomplete: its weights contain"),
    (changed("vocabulary_size", 100), "belongs to another model"),
    (removed("model.weights.h5"), "no weights"),
    (cut("model.weights.h5", 0.5), "not a complete HDF5 file"),
    (written("model.weights.h5", b""), "not a complete HDF5 file"),
    (removed("assets"), r"no SentencePiece tokenizer \(looked for"),
    (written("assets/tokenizer/vocabulary.spm", b"nonsense"), "not a SentencePiece model"),
]


@pytest.mark.parametrize(
    ("damage", "message"), KERAS_FAULTS, ids=[message[:30] for _, message in KERAS_FAULTS]
)
def test_a_damaged_keras_preset_is_refused(
    keras_preset: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(keras_preset)
    with pytest.raises(InputError, match=message):
        check_preset(keras_preset)


TRANSFORMERS_FAULTS = [
    (
        config_of(TRANSFORMERS_CONFIG | {"model_type": "llama"}),
        "model_type is 'llama', expected one of gemma",
    ),
    (
        config_of(TRANSFORMERS_CONFIG | {"model_type": "gemma3n_text"}),
        GEMMA_3N_REFUSED,
    ),
    (removed("model.safetensors"), r"only available as pickles \(pytorch_model.bin\)"),
    (removed("model.safetensors", "pytorch_model.bin"), "no weights"),
    (cut("model.safetensors", 0.5), "truncated"),
    (cut("model.safetensors", 0.0001), "not a safetensors file"),
    (written("model.safetensors", b"<html>Please sign in</html>"), "not a safetensors file"),
    (written("model.safetensors", (2).to_bytes(8, "little") + b"{}"), "incomplete: its weights contain"),
    (written("model.safetensors", (2).to_bytes(8, "little") + b"[]"), "not a safetensors file"),
    (removed("tokenizer.model"), r"no SentencePiece tokenizer \(looked for"),
]


@pytest.mark.parametrize(
    ("damage", "message"), TRANSFORMERS_FAULTS, ids=[message[:30] for _, message in TRANSFORMERS_FAULTS]
)
def test_a_damaged_transformers_folder_is_refused(
    transformers_folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(transformers_folder)
    with pytest.raises(InputError, match=message):
        check_preset(transformers_folder)


def test_shards_are_found_through_their_index(transformers_folder: Path) -> None:
    (transformers_folder / "model.safetensors").unlink()
    half = SHAPE.parameters // 2
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name, elements in zip(names, (half, SHAPE.parameters - half), strict=True):
        write_safetensors(transformers_folder / name, elements)
    index = {"weight_map": {"a": names[0], "b": names[1], "c": names[0]}}
    write_json(transformers_folder / "model.safetensors.index.json", index)
    assert [path.name for path in weight_files(transformers_folder)] == names
    assert check_preset(transformers_folder) == SHAPE
    (transformers_folder / names[1]).unlink()
    with pytest.raises(InputError, match=f"missing shards: {names[1]}"):
        check_preset(transformers_folder)


def test_keras_shards_are_found_through_their_index(keras_preset: Path) -> None:
    (keras_preset / "model.weights.h5").unlink()
    names = ["model_00000.weights.h5", "model_00001.weights.h5"]
    for name in names:
        write_h5(keras_preset / name, SHAPE.parameters // 2 + 1)
    # Keras names one file or a list of files for each layer.
    write_json(
        keras_preset / "model.weights.json",
        {"weight_map": {"/layers/a": [names[0], names[1]], "/layers/b": names[1]}},
    )
    assert check_preset(keras_preset) == SHAPE
    (keras_preset / names[0]).unlink()
    with pytest.raises(InputError, match="missing shards"):
        check_preset(keras_preset)


def test_an_index_cannot_point_outside_the_preset(transformers_folder: Path) -> None:
    (transformers_folder / "model.safetensors").rename(transformers_folder.parent / "other.safetensors")
    write_json(
        transformers_folder / "model.safetensors.index.json", {"weight_map": {"a": "../other.safetensors"}}
    )
    with pytest.raises(InputError, match="missing shards"):
        check_preset(transformers_folder)


def test_pickles_and_strangers_are_not_part_of_a_preset(
    keras_preset: Path, transformers_folder: Path
) -> None:
    assert {path.relative_to(keras_preset).as_posix() for path in preset_files(keras_preset)} == {
        "config.json",
        "tokenizer.json",
        "model.weights.h5",
        "assets/tokenizer/vocabulary.spm",
    }
    assert {path.name for path in preset_files(transformers_folder)} == {
        "config.json",
        "model.safetensors",
        "tokenizer.model",
    }


def test_the_addresses_of_short_names_end_in_that_name() -> None:
    for name, address in known_presets().items():
        owner, _, framework, variation = address.removeprefix("kaggle://").split("/")
        assert (owner, framework, variation) == ("keras", "keras", name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_that_are_no_numbers_are_refused(keras_preset: Path, value: float, dtype: str) -> None:
    import h5py

    check_weights(keras_preset)
    path = keras_preset / "model.weights.h5"
    values = np.ones((70, 3), np.float32)
    values[65, 1] = value
    with h5py.File(path, "w") as file:
        stored = values if dtype == "float32" else (values.view(np.uint32) >> 16).astype(np.uint16).view("V2")
        file.create_dataset("layers/gemma3_decoder_block/vars/0", data=stored)
    with pytest.raises(InputError, match="decoder_block/vars/0 contains NaN or infinite values"):
        check_weights(keras_preset)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_quantized_keras_preset_is_refused(keras_preset: Path, dtype: str) -> None:
    import h5py

    with h5py.File(keras_preset / "model.weights.h5", "a") as file:
        del file["layers/token_embedding/vars/0"]
        file["layers/token_embedding/vars/0"] = np.ones((4, 2), dtype)
    with pytest.raises(InputError, match=f"vars/0 is stored as {dtype}: the preset is quantized"):
        check_weights(keras_preset)
