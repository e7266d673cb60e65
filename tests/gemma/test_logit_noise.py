"""Promise: two right implementations of a model differ by about the rounding error of float32, whatever the
model; each way of computing something else is many times that."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.gemma.causal_lm import load_causal_lm, matrix_layers
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.logit_noise import SequenceNoise, keras_logits, logit_noise, worst_of
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.sections.merge import MergeSection
from tests.support.finished_run import DEMO

BASE = DEMO / "base"
LIMIT = MergeSection().max_logit_noise
CLEAR = 3
"""A fault must be beyond the limit by this factor, so that no machine's rounding hides it."""

Config = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> Any:
    return load_causal_lm(BASE)


@pytest.fixture(scope="module")
def right(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("right") / "hf"
    write_hugging_face(model, Tokenizer.of_preset(BASE), folder)
    return folder


@pytest.fixture(scope="module")
def sequences(model: Any) -> list[list[int]]:
    tokenizer = Tokenizer.of_preset(BASE)
    question = tokenizer.prompt_ids([{"role": "user", "content": "Which element has the symbol Au?"}])
    length = model.backbone.sliding_window_size + 40
    return [question, np.random.default_rng(0).integers(0, 1024, length).tolist()]


def worst(model: Any, folder: Path, sequences: list[list[int]]) -> float:
    return max(each.ratio for each in logit_noise(keras_logits(model, sequences), folder, sequences))


@pytest.mark.slow
def test_a_right_export_differs_by_rounding(model: Any, right: Path, sequences: list[list[int]]) -> None:
    noise = logit_noise(keras_logits(model, sequences), right, sequences)
    assert [each.tokens for each in noise] == [len(ids) for ids in sequences]
    for each in noise:
        # Rounding, and not zero: the two do compute separately.
        assert 0 < each.rounding < 1e-3
        assert 0.2 < each.ratio < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_the_yardstick_grows_with_the_model(
    right: Path, sequences: list[list[int]], tmp_path: Path, scale: float
) -> None:
    """Logits that are thirty times as large differ thirty times as much, and are as right."""
    model = load_causal_lm(BASE)
    norm = model.backbone.get_layer("final_normalization").scale
    norm.assign((1 + np.asarray(norm)) * scale - 1)
    write_hugging_face(model, Tokenizer.of_preset(BASE), tmp_path / "hf")
    assert 0.2 < worst(model, tmp_path / "hf", sequences) < LIMIT


def _layers(kind: str) -> Callable[[Config], Config]:
    return lambda config: {"layer_types": [kind] * len(config["layer_types"])}


CONFIGS: dict[str, Callable[[Config], Config]] = {
    "window off by one": lambda config: {"sliding_window": config["sliding_window"] - 1},
    "no window": _layers("full_attention"),
    "window in every layer": _layers("sliding_attention"),
    "epsilon of the norms": lambda config: {"rms_norm_eps": 1e-4},
    "scale of attention": lambda config: {"query_pre_attn_scalar": config["head_dim"] + 1},
    "activation": lambda config: {"hidden_activation": "gelu"},
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", CONFIGS)
def test_a_wrong_configuration_is_beyond_the_limit(
    fault: str, model: Any, right: Path, sequences: list[list[int]], tmp_path: Path
) -> None:
    folder = _copy(right, tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    changed = CONFIGS[fault](config)
    assert all(config[key] != value for key, value in changed.items())
    (folder / "config.json").write_text(json.dumps(config | changed), encoding="utf-8")
    assert worst(model, folder, sequences) > CLEAR * LIMIT


@pytest.mark.parametrize("kind", ["sliding_attention", "full_attention"])
def test_a_wrong_rotary_base_is_beyond_the_limit(
    kind: str, model: Any, right: Path, sequences: list[list[int]], tmp_path: Path
) -> None:
    folder = _copy(right, tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["rope_parameters"][kind]["rope_theta"] *= 1.01
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert worst(model, folder, sequences) > CLEAR * LIMIT


def _copy(folder: Path, target: Path) -> Path:
    import shutil

    return shutil.copytree(folder, target)


def scale_a_matrix(backbone: Any) -> None:
    layer = dict(matrix_layers(backbone, "gate"))["decoder_block_3.gate"]
    layer._kernel.assign(layer._kernel * 1.001)


def change_a_norm(backbone: Any) -> None:
    scale = backbone.get_layer("decoder_block_2").pre_attention_norm.scale
    values = np.array(scale)
    values[7] += 0.01
    scale.assign(values)


def swap_two_layers(backbone: Any) -> None:
    layers = dict(matrix_layers(backbone, "key"))
    first, second = layers["decoder_block_1.key"]._kernel, layers["decoder_block_4.key"]._kernel
    values = np.array(first)
    first.assign(second)
    second.assign(values)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [scale_a_matrix, change_a_norm, swap_two_layers])
def test_a_wrong_weight_is_beyond_the_limit(
    damage: Callable[[Any], None], right: Path, sequences: list[list[int]]
) -> None:
    model = load_causal_lm(BASE)
    damage(model.backbone)
    assert worst(model, right, sequences) > CLEAR * LIMIT


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_sequence_whose_logits_are_no_numbers_is_the_worst_wherever_it_is(place: int) -> None:
    noise = [SequenceNoise(10, 2.0, 1.0), SequenceNoise(10, 3.0, 1.0)]
    assert worst_of(noise).ratio == 3
    noise.insert(place, SequenceNoise(10, math.nan, 1.0))
    assert math.isnan(worst_of(noise).ratio)
