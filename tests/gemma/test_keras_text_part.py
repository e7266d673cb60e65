"""Promise: of a multimodal KerasHub preset the text decoder is taken bit for bit, and loads like others."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.families.config import read_json
from pipeline.families.names import is_tower_path
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.keras_text_part import write_text_part
from pipeline.gemma.presets import check_preset
from pipeline.gemma.tokenizer import tokenizer_file
from tests.support.finished_run import DEMO
from tests.support.random_presets import KERAS_CONFIGS, SIZES, write_tokenizer


def gemma3(models: Any, folder: Path) -> Any:
    """With a vision encoder and an image converter."""
    import keras_hub

    vision = models.Gemma3VisionEncoder(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=SIZES["hidden_dim"],
    )
    backbone = models.Gemma3Backbone(
        vocabulary_size=1024, vision_encoder=vision, **SIZES, **KERAS_CONFIGS["gemma3"] | {"image_size": 16}
    )
    preprocessor = models.Gemma3CausalLMPreprocessor(
        tokenizer=models.Gemma3Tokenizer(str(tokenizer_file(DEMO / "base"))),
        image_converter=keras_hub.layers.Gemma3ImageConverter(image_size=(16, 16)),
        sequence_length=64,
        max_images_per_prompt=1,
        num_vision_tokens_per_image=4,
    )
    return models.Gemma3CausalLM(backbone=backbone, preprocessor=preprocessor)


def gemma4(models: Any, folder: Path) -> Any:
    """With a vision encoder."""
    own = write_tokenizer("gemma4", folder.with_name("tokenizer"))
    vision = models.Gemma4VisionEncoder(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=1,
        num_heads=2,
        num_key_value_heads=2,
        head_dim=4,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=SIZES["hidden_dim"],
    )
    backbone = models.Gemma4Backbone(
        vocabulary_size=own.vocabulary_size,
        vision_encoder=vision,
        **SIZES,
        **KERAS_CONFIGS["gemma4"] | {"image_size": 16},
    )
    preprocessor = models.Gemma4CausalLMPreprocessor(
        tokenizer=models.Gemma4Tokenizer(str(own.path)), sequence_length=64
    )
    return models.Gemma4CausalLM(backbone=backbone, preprocessor=preprocessor)


@pytest.fixture(scope="module", params=[gemma3, gemma4], ids=["gemma3", "gemma4"])
def multimodal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A tiny Gemma with a vision encoder, written by KerasHub."""
    import keras_hub

    folder = tmp_path_factory.mktemp("multimodal") / "preset"
    request.param(keras_hub.models, folder).save_to_preset(str(folder))
    return folder


def values(path: Path) -> dict[str, np.ndarray]:
    found = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[...]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def test_the_text_decoder_is_taken_bit_for_bit(multimodal: Path, tmp_path: Path) -> None:
    left_out = write_text_part(multimodal, tmp_path / "text")
    assert not check_preset(tmp_path / "text").vision
    before, after = (values(folder / "model.weights.h5") for folder in (multimodal, tmp_path / "text"))
    assert len(before) - len(after) == left_out > 10
    assert all(("vision" in name) == (name not in after) for name in before)
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name])


def test_it_loads_with_its_tokenizer_and_saves_again(multimodal: Path, tmp_path: Path) -> None:
    write_text_part(multimodal, tmp_path / "text")
    model = load_causal_lm(tmp_path / "text", with_preprocessor=True)
    model.save_to_preset(str(tmp_path / "saved"))
    assert read_json(tmp_path / "saved/config.json")["config"]["vision_encoder"] is None
    before, after = (values(tmp_path / name / "model.weights.h5") for name in ("text", "saved"))
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])


def test_shards_keep_their_index(multimodal: Path, tmp_path: Path) -> None:
    write_text_part(multimodal, tmp_path / "one")
    model = load_causal_lm(tmp_path / "one")
    model.backbone.save_to_preset(str(tmp_path / "shards"), max_shard_size=0.0003)
    shards = list((tmp_path / "shards").glob("*.weights.h5"))
    assert len(shards) > 2
    assert write_text_part(tmp_path / "shards", tmp_path / "text") == 0
    assert read_json(tmp_path / "text/model.weights.json") == read_json(
        tmp_path / "shards/model.weights.json"
    )
    assert sorted(path.name for path in (tmp_path / "text").glob("*.weights.h5")) == sorted(
        path.name for path in shards
    )


@pytest.mark.parametrize(
    ("path", "tower"),
    [
        ("layers/gemma3_vision_encoder/layers/x/vars/0", True),
        ("/layers/gemma3_vision_encoder", True),
        ("layers/gemma3n_audio_encoder/vars/1", True),
        ("layers/gemma3_decoder_block/attention/query_dense/vars/0", False),
        ("layers/reversible_embedding/vars/0", False),
    ],
)
def test_paths_of_towers(path: str, tower: bool) -> None:
    assert is_tower_path(path) == tower
