"""A Gemma of random numbers as a Hugging Face folder, and a .litertlm that stores it as the converter would,
made without it."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from pipeline.formats.tflite_weights import weight_matrices
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from tests.support.litertlm import write_container
from tests.support.presets import TRANSFORMERS_CONFIG, write_json
from tests.support.tflite import Constant, write_tflite
from tests.support.tokenizers import write_tokenizer

HIDDEN, HEADS, HEAD_DIM, FFN, VOCABULARY = 32, 2, 32, 64, 400
SHAPES = {
    "self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
    "self_attn.k_proj": (HEAD_DIM, HIDDEN),
    "self_attn.v_proj": (HEAD_DIM, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
    "mlp.gate_proj": (FFN, HIDDEN),
    "mlp.up_proj": (FFN, HIDDEN),
    "mlp.down_proj": (HIDDEN, FFN),
}
TYPES = {4: "INT4", 8: "INT8", 16: "FLOAT16", 32: "FLOAT32"}


def write_folder(folder: Path, seed: int = 0) -> Path:
    """Two layers and norms."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(2):
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in SHAPES.items()}
        shapes[f"model.layers.{layer}.input_layernorm.weight"] = (HIDDEN,)
    folder.mkdir(parents=True)
    tensors = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    sizes = {"hidden_size": HIDDEN, "head_dim": HEAD_DIM, "intermediate_size": FFN}
    write_json(folder / "config.json", TRANSFORMERS_CONFIG | sizes)
    write_tokenizer(folder / "tokenizer.model")
    return folder


def with_tensors(source: Path, folder: Path, changed: Mapping[str, np.ndarray]) -> Path:
    """A copy of a Hugging Face folder with other tensors."""
    shutil.copytree(source, folder)
    tensors = load_file(source / "model.safetensors") | dict(changed)
    save_file(
        {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / "model.safetensors"
    )
    return folder


def matrices_of(folder: Path) -> dict[str, np.ndarray]:
    tensors = load_file(folder / "model.safetensors")
    return {name: tensor for name, tensor in tensors.items() if tensor.ndim == 2}


def write_base(path: Path, matrices: Mapping[str, np.ndarray], recipe: str) -> Path:
    """A .litertlm with these matrices, each used by two signatures."""
    scheme, constants = SCHEMES[recipe], []
    rounded = {
        name: nearest(matrix, scheme.bits_of(name), scheme.block_of(name))
        for name, matrix in matrices.items()
    }
    for name, stored in rounded.items():
        bits, block = scheme.bits_of(name), scheme.block_of(name)
        constants.append(
            Constant(
                (name, name),
                matrices[name].shape,
                TYPES[bits],
                stored.packed().tobytes(),
                scales=stored.scales.size,
                block=block,
                outside=True,
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    signatures = {key: {"tokens": ((1, 1), "INT32")} for key in ("prefill_8", "decode")}
    model = write_tflite(path.with_suffix(".tflite"), constants, signatures)
    write_container(path, model=model.read_bytes())
    shapes = {matrix.shape for matrix in matrices.values()}
    weights = sorted(
        (weight for weight in weight_matrices(path) if weight.shape in shapes),
        key=lambda weight: weight.offset,
    )
    with path.open("r+b") as file:
        for weight, stored in zip(weights, rounded.values(), strict=True):
            for place in weight.scales:
                file.seek(place)
                file.write(stored.scales.astype("<f2" if weight.block else "<f4").tobytes())
    return path
