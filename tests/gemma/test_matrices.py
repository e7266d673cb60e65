"""Promise: matrices read without a model library are, to the bit, those of the model, in whatever form the
preset is stored."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING, MATRICES, hugging_face_name
from pipeline.gemma.matrices import PresetMatrices
from tests.support.tokenizers import make_tokenizer

NAMES = 1 + 2 * 7
"""The embedding, and seven matrices in each of two layers."""


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One random Gemma as a KerasHub preset whole, in shards and in bfloat16, and as Hugging Face folders of
    the first and the last."""
    import keras_hub

    from pipeline.gemma.causal_lm import load_causal_lm
    from pipeline.gemma.hugging_face import write_hugging_face

    root = tmp_path_factory.mktemp("presets")
    backbone = keras_hub.models.Gemma3Backbone(
        vocabulary_size=400,
        image_size=None,
        num_layers=2,
        num_query_heads=2,
        num_key_value_heads=1,
        hidden_dim=16,
        intermediate_dim=32,
        head_dim=8,
        use_post_ffw_norm=True,
        use_post_attention_norm=True,
        dtype="float32",
    )
    model = keras_hub.models.Gemma3CausalLM(backbone=backbone, preprocessor=None)
    model.save_to_preset(str(root / "keras"))
    model.save_to_preset(str(root / "shards"), max_shard_size=30e3 / 1024**3)
    load_causal_lm(root / "keras", "bfloat16").save_to_preset(str(root / "keras_bf16"))
    tokenizer = make_tokenizer(root)
    for source, target in (("keras", "huggingface"), ("keras_bf16", "huggingface_bf16")):
        write_hugging_face(load_causal_lm(root / source), tokenizer, root / target)
    return {path.name: path for path in root.iterdir() if path.is_dir()}


def same(one: Path, other: Path) -> bool:
    a, b = PresetMatrices(one), PresetMatrices(other)
    assert len(a.names()) == NAMES
    assert a.names() == b.names()
    return all(np.array_equal(a.read(name), b.read(name)) for name in a.names())


@pytest.mark.parametrize("form", ["keras", "shards"])
def test_a_kerashub_preset_reads_as_the_hugging_face_folder_made_of_it(
    presets: dict[str, Path], form: str
) -> None:
    assert len(list(presets["shards"].glob("*.h5"))) > 1
    assert same(presets[form], presets["huggingface"])


def test_a_bfloat16_preset_is_widened_without_loss(presets: dict[str, Path]) -> None:
    assert same(presets["keras_bf16"], presets["huggingface_bf16"])
    assert not same(presets["keras_bf16"], presets["huggingface"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_safetensors_in_shards_are_widened_without_loss(
    presets: dict[str, Path], tmp_path: Path, dtype: str
) -> None:
    import json

    import torch
    from safetensors.torch import load_file, save_file

    tensors = {
        name: tensor.to(getattr(torch, dtype))
        for name, tensor in load_file(presets["huggingface"] / "model.safetensors").items()
    }
    weight_map: dict[str, str] = {}
    for number, part in enumerate((list(tensors)[::2], list(tensors)[1::2])):
        save_file({name: tensors[name] for name in part}, tmp_path / f"model-{number}.safetensors")
        weight_map |= dict.fromkeys(part, f"model-{number}.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    matrices = PresetMatrices(tmp_path)
    assert len(matrices.names()) == NAMES
    assert all(
        np.array_equal(matrices.read(name), tensors[name].float().numpy()) for name in matrices.names()
    )


@pytest.mark.parametrize("form", ["keras", "huggingface"])
def test_rows_and_shapes_are_those_of_the_whole(presets: dict[str, Path], form: str) -> None:
    matrices = PresetMatrices(presets[form])
    for name, matrix in matrices.items():
        whole = matrices.read(name)
        assert matrices.shape(name) == matrix.shape == whole.shape
        assert np.array_equal(matrix[3:7], whole[3:7])
        assert matrix[3:7].flags.c_contiguous
        assert whole.dtype == np.float32


def test_our_names_are_hugging_faces(presets: dict[str, Path]) -> None:
    assert hugging_face_name("decoder_block_1.down") == "model.layers.1.mlp.down_proj.weight"
    assert hugging_face_name("decoder_block_0.query") in PresetMatrices(presets["huggingface"]).names()
    assert PresetMatrices(presets["keras"]).names()[0] == EMBEDDING
    with pytest.raises(InputError, match=r"decoder_block_1\.norm: not a matrix"):
        hugging_face_name("decoder_block_1.norm")


def test_a_kernel_becomes_the_matrix_that_multiplies_alike() -> None:
    random = np.random.default_rng(0)
    hidden = random.standard_normal(16).astype(np.float32)
    query = random.standard_normal((2, 16, 8)).astype(np.float32)  # (heads, hidden, head_dim)
    heads = np.einsum("i,nih->nh", hidden, query)
    np.testing.assert_allclose(MATRICES["query"].as_matrix(query) @ hidden, heads.reshape(-1), rtol=1e-4)
    output = random.standard_normal((2, 8, 16)).astype(np.float32)  # (heads, head_dim, hidden)
    np.testing.assert_allclose(
        MATRICES["output"].as_matrix(output) @ heads.reshape(-1),
        np.einsum("nh,nhi->i", heads, output),
        rtol=1e-4,
    )
    down = random.standard_normal((32, 16)).astype(np.float32)  # (in, out)
    np.testing.assert_allclose(
        MATRICES["down"].as_matrix(down) @ np.ones(32, np.float32), down.sum(axis=0), rtol=1e-4
    )


def test_a_missing_matrix_is_named(presets: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"no matrix model\.layers\.9\.mlp\.up_proj\.weight"):
        PresetMatrices(presets["keras"]).read("model.layers.9.mlp.up_proj.weight")


@pytest.mark.parametrize("form", ["keras", "huggingface"])
def test_a_cut_off_file_is_refused(presets: dict[str, Path], form: str, tmp_path: Path) -> None:
    shutil.copytree(presets[form], tmp_path / "preset")
    (path,) = [*tmp_path.glob("preset/*.h5"), *tmp_path.glob("preset/*.safetensors")]
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="not a whole|truncated"):
        PresetMatrices(tmp_path / "preset")
