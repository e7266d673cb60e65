"""Promise: a model is rounded alike whether its weights are in memory or in a folder, from which only the
current layer is read."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import PocketGemmaError
from pipeline.formats.safetensors import copy_tensors, float_tensors
from pipeline.quantization.roundings import ROUNDINGS
from pipeline.quantization.schemes import SCHEMES
from tests.quantization.random_models import EXAMPLES, make_model


@pytest.fixture(scope="module", params=["gemma2", "gemma3_text"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model, and a folder with its weights."""
    model, path = make_model(request.param), tmp_path_factory.mktemp(request.param)
    model.save_pretrained(path)
    return model, path


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["int4", "int4_block32_embedding_int8"])
def test_weights_of_a_folder_give_the_same_integers(folder: tuple[Any, Path], recipe: str) -> None:
    from pipeline.quantization.calibrator import calibrate
    from pipeline.quantization.stored_weights import open_model

    model, path = folder
    stored, weights = open_model(path)
    found = calibrate(stored, EXAMPLES, SCHEMES[recipe], ROUNDINGS["gptq"], weights)
    wanted = calibrate(copy.deepcopy(model), EXAMPLES, SCHEMES[recipe], ROUNDINGS["gptq"])
    assert found.keys() == wanted.keys()
    for name in found:
        assert np.array_equal(found[name].values, wanted[name].values)
        assert np.array_equal(found[name].scales, wanted[name].scales)


def test_a_layer_has_weights_only_while_it_is_read(folder: tuple[Any, Path]) -> None:
    import torch

    from pipeline.quantization.stored_weights import open_model

    stored, weights = open_model(folder[1])
    layers = list(stored.model.layers)
    weights.read(layers[1])
    loaded = [all(not each.is_meta for each in layer.parameters()) for layer in layers]
    assert loaded == [False, True, False]
    original = folder[0].model.layers[1].state_dict()
    assert all(torch.equal(original[name], tensor) for name, tensor in layers[1].state_dict().items())
    weights.release(layers[1])
    assert all(each.is_meta for layer in layers for each in layer.parameters())
    assert not stored.get_input_embeddings().weight.is_meta


def test_a_missing_tensor_is_named(folder: tuple[Any, Path], tmp_path: Path) -> None:
    from pipeline.quantization.stored_weights import open_model

    lost = "model.layers.1.mlp.down_proj.weight"
    (tmp_path / "config.json").write_bytes((folder[1] / "config.json").read_bytes())
    tensors = float_tensors(folder[1] / "model.safetensors")
    copy_tensors(
        {name: each for name, each in tensors.items() if name != lost}, tmp_path / "model.safetensors"
    )
    model, weights = open_model(tmp_path)
    with pytest.raises(PocketGemmaError, match=f"has no tensor {lost}"):
        weights.read(model.model.layers[1])
