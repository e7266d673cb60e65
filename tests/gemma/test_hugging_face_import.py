"""Promise: a complete Hugging Face folder of a supported family becomes the folder that the stages read."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING, HEAD
from pipeline.gemma.hugging_face_import import import_hugging_face
from pipeline.gemma.presets import check_preset
from pipeline.gemma.tokenizer import Tokenizer
from tests.gemma.folders import MULTIMODAL, TOWERS, Config, Weights, prefixed, write_folder
from tests.support.presets import SHAPE, TRANSFORMERS_CONFIG, write_json
from tests.support.tokenizer_json import write_tokenizer_json


def test_a_text_only_folder_is_linked_as_it_is(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    imported = import_hugging_face(source, tmp_path / "target")
    assert (imported.shape, imported.left_out, imported.rebuilt_tokenizer) == (SHAPE, 0, False)
    assert (tmp_path / "target/model.safetensors").samefile(source / "model.safetensors")
    assert check_preset(tmp_path / "target") == SHAPE


@pytest.mark.parametrize(
    ("prefix", "towers"),
    [("language_model.model.", ""), ("model.language_model.", "model."), ("", "")],
    ids=["older", "newer", "none"],
)
def test_the_text_decoder_of_a_multimodal_folder_is_taken(
    tmp_path: Path, weights: Weights, prefix: str, towers: str
) -> None:
    others = {towers + name: values for name, values in TOWERS.items()} if prefix else {}
    config = MULTIMODAL if prefix else TRANSFORMERS_CONFIG
    source = write_folder(tmp_path / "source", prefixed(weights, prefix) | others, config)
    imported = import_hugging_face(source, tmp_path / "target")
    assert imported.left_out == len(others)
    assert check_preset(tmp_path / "target") == SHAPE
    found = load_file(tmp_path / "target/model.safetensors")
    assert found.keys() == weights.keys()
    for name, values in weights.items():
        np.testing.assert_array_equal(found[name], values)
    written = json.loads((tmp_path / "target/config.json").read_text(encoding="utf-8"))
    assert (written["model_type"], written["architectures"]) == ("gemma3_text", ["Gemma3ForCausalLM"])
    assert "vision_config" not in written


def test_shards_in_bfloat16_keep_their_type(tmp_path: Path, weights: Weights) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    source = write_folder(tmp_path / "source", TOWERS, MULTIMODAL)
    (source / "model.safetensors").unlink()
    tensors = {
        name: torch.from_numpy(values).bfloat16()
        for name, values in prefixed(weights, "language_model.model.").items()
    }
    names = list(tensors)
    files: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_torch({name: tensors[name] for name in part}, source / file)
        files |= dict.fromkeys(part, file)
    write_json(source / "model.safetensors.index.json", {"weight_map": files})
    import_hugging_face(source, tmp_path / "target")
    from safetensors.torch import load_file as load_torch

    found = load_torch(tmp_path / "target/model.safetensors")
    for name, values in tensors.items():
        assert torch.equal(found["model." + name.removeprefix("language_model.model.")], values)
    assert not (tmp_path / "target/model.safetensors.index.json").exists()


def test_a_copy_of_the_embedding_as_head_is_dropped(tmp_path: Path, weights: Weights) -> None:
    tied = weights | {HEAD: weights[EMBEDDING].copy()}
    import_hugging_face(write_folder(tmp_path / "source", tied, TRANSFORMERS_CONFIG), tmp_path / "target")
    assert load_file(tmp_path / "target/model.safetensors").keys() == weights.keys()


def test_stored_rope_frequencies_are_ignored(tmp_path: Path, weights: Weights) -> None:
    extra = weights | {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(4, np.float32)}
    import_hugging_face(write_folder(tmp_path / "source", extra, TRANSFORMERS_CONFIG), tmp_path / "target")
    assert load_file(tmp_path / "target/model.safetensors").keys() == weights.keys()


def test_a_tokenizer_json_alone_is_enough(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    original = Tokenizer.of_preset(source)
    ids = original.encode("Größe of gold")
    (source / "tokenizer.model").unlink()
    write_tokenizer_json(source / "tokenizer.json")
    assert import_hugging_face(source, tmp_path / "target").rebuilt_tokenizer
    assert Tokenizer.of_preset(tmp_path / "target").encode("Größe of gold") == ids


def test_added_tokens_count_where_tokenizer_model_lacks_them(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    before = (source / "tokenizer.model").read_bytes()
    write_tokenizer_json(source / "tokenizer.json", added={"<term>": 399})
    assert import_hugging_face(source, tmp_path / "target").rebuilt_tokenizer
    assert Tokenizer.of_preset(tmp_path / "target").encode("<term>") == [399]
    # The target must not share the file with the source.
    assert (source / "tokenizer.model").read_bytes() == before


def test_a_multimodal_configuration_says_untied_beside_its_text_part(
    tmp_path: Path, weights: Weights
) -> None:
    config = MULTIMODAL | {"tie_word_embeddings": False}
    source = write_folder(tmp_path / "source", prefixed(weights, "language_model.model."), config)
    with pytest.raises(InputError, match="tie_word_embeddings is False, expected True"):
        import_hugging_face(source, tmp_path / "target")


def test_a_token_in_place_of_an_unused_piece_counts(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    [*_, last] = range(Tokenizer.of_preset(source).vocabulary_size)
    write_tokenizer_json(source / "tokenizer.json")
    assert not import_hugging_face(source, tmp_path / "plain").rebuilt_tokenizer
    assert len(Tokenizer.of_preset(tmp_path / "plain").encode("<term>")) > 1
    write_tokenizer_json(source / "tokenizer.json", added={"<term>": last})
    assert import_hugging_face(source, tmp_path / "target").rebuilt_tokenizer
    assert Tokenizer.of_preset(tmp_path / "target").encode("<term>") == [last]


@pytest.mark.parametrize(
    "config",
    [
        # As published, without sizes.
        {
            "rope_theta": 1000000,
            "rope_local_base_freq": 10000,
            "rope_scaling": None,
            "query_pre_attn_scalar": 8,
            "sliding_window_pattern": 6,
        },
        {"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "attn_logit_softcapping": None},
        {"layer_types": ["sliding_attention", "sliding_attention"], "use_bidirectional_attention": False},
        {"layer_types": ["full_attention", "full_attention"]},
        {"num_attention_heads": 2, "query_pre_attn_scalar": 8.0, "rms_norm_eps": 1e-6},
        {
            "rope_parameters": {
                "full_attention": {"rope_theta": 1000000.0, "rope_type": "default"},
                "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
            }
        },
    ],
)
def test_what_published_configurations_say_is_accepted(
    tmp_path: Path, weights: Weights, config: Config
) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG | config)
    assert import_hugging_face(source, tmp_path / "target").shape == SHAPE


def test_a_nested_configuration_without_towers_becomes_a_flat_one(tmp_path: Path, weights: Weights) -> None:
    nested = {"model_type": "gemma3", "text_config": TRANSFORMERS_CONFIG}
    source = write_folder(tmp_path / "source", weights, nested)
    assert import_hugging_face(source, tmp_path / "target").left_out == 0
    written = json.loads((tmp_path / "target/config.json").read_text(encoding="utf-8"))
    assert "text_config" not in written and written["model_type"] == "gemma3_text"
    assert check_preset(tmp_path / "target") == SHAPE


def test_a_byte_order_mark_is_left_behind(tmp_path: Path, weights: Weights) -> None:
    source = write_folder(tmp_path / "source", weights, TRANSFORMERS_CONFIG)
    config = (source / "config.json").read_bytes()
    (source / "config.json").write_bytes(b"\xef\xbb\xbf" + config)
    assert import_hugging_face(source, tmp_path / "target").shape == SHAPE
    assert (tmp_path / "target" / "config.json").read_bytes() == config
