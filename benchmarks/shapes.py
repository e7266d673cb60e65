"""Models in the shapes of real Gemmas with random weights, to measure size and time without a license or a
download.

    python benchmarks/shapes.py 270m FOLDER [--dtype float32|bfloat16] [--seed 0]

Writes a Hugging Face folder (config.json, model.safetensors, tokenizer.model, ...) that converts like a real
one. Weights are normal with standard deviation 0.02, drawn block by block, so that a model of any size needs
little memory. The answers are noise; sizes, times and memory are those of the real model.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.families.family import GemmaShape
from pipeline.families.gemma3 import GEMMA3
from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer, tokenizer_file

ROOT = Path(__file__).resolve().parents[1]
DEMO_BASE = ROOT / "pipeline" / "demo" / "base"
VOCABULARY = 262144
DEVIATION = 0.02
BLOCK = 1 << 22
"""Weights drawn at a time: 16 MB in float32."""

SHAPES = {
    # From the config.json of google/gemma-3-270m, google/gemma-3-1b-pt and google/gemma-3-4b-pt.
    "270m": GemmaShape(GEMMA3, 18, 640, 4, 1, 256, 2048, VOCABULARY, sliding_window=512),
    "1b": GemmaShape(GEMMA3, 26, 1152, 4, 1, 256, 6912, VOCABULARY, sliding_window=512),
    "4b": GemmaShape(GEMMA3, 34, 2560, 8, 4, 256, 10240, VOCABULARY, sliding_window=1024),
}
FULL_ATTENTION_EVERY = 6
"""Gemma 3: five layers with a sliding window, then one with full attention."""


def weight_shapes(shape: GemmaShape) -> dict[str, tuple[int, ...]]:
    """Hugging Face's names of all weights of a Gemma 3 and their shapes; matrices are (out, in)."""
    query, kv = shape.query_heads * shape.head_dim, shape.kv_heads * shape.head_dim
    block: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (query, shape.hidden),
        "self_attn.k_proj": (kv, shape.hidden),
        "self_attn.v_proj": (kv, shape.hidden),
        "self_attn.o_proj": (shape.hidden, query),
        "mlp.gate_proj": (shape.ffn, shape.hidden),
        "mlp.up_proj": (shape.ffn, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.ffn),
        "self_attn.q_norm": (shape.head_dim,),
        "self_attn.k_norm": (shape.head_dim,),
        "input_layernorm": (shape.hidden,),
        "post_attention_layernorm": (shape.hidden,),
        "pre_feedforward_layernorm": (shape.hidden,),
        "post_feedforward_layernorm": (shape.hidden,),
    }
    names = {
        "model.embed_tokens.weight": (shape.vocabulary, shape.hidden),
        "model.norm.weight": (shape.hidden,),
    }
    for layer in range(shape.layers):
        names |= {f"model.layers.{layer}.{name}.weight": size for name, size in block.items()}
    return names


def random_weights(
    shapes: dict[str, tuple[int, ...]], seed: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every weight in flat pieces of at most 16 MB, float32, in the order of `shapes`."""
    for index, (name, size) in enumerate(shapes.items()):
        random = np.random.default_rng([seed, index])
        left = math.prod(size)
        while left:
            piece = random.standard_normal(min(left, BLOCK), dtype=np.float32)
            piece *= np.float32(DEVIATION)
            left -= piece.size
            yield name, piece


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of float32 values rounded to bfloat16, to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> 16).astype(np.uint16)


def write_safetensors(path: Path, shapes: dict[str, tuple[int, ...]], dtype: str, seed: int) -> None:
    """Stream random weights into a safetensors file: eight bytes with the header's length, the header, the
    tensors."""
    kind, width = {"float32": ("F32", 4), "bfloat16": ("BF16", 2)}[dtype]
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, size in shapes.items():
        begin, end = end, end + math.prod(size) * width
        header[name] = {"dtype": kind, "shape": list(size), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, piece in random_weights(shapes, seed):
            file.write((piece if dtype == "float32" else bfloat16(piece)).tobytes())


def write_tokenizer(path: Path, vocabulary: int) -> Tokenizer:
    """The demo's tokenizer, padded to the size of a real Gemma's vocabulary with pieces that occur in no
    text."""
    from sentencepiece import sentencepiece_model_pb2

    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(tokenizer_file(DEMO_BASE).read_bytes())
    lowest = min(piece.score for piece in model.pieces)
    for index in range(vocabulary - len(model.pieces)):
        # SentencePiece produces a piece by merging two others; no two pieces concatenate to one that begins
        # with this character.
        model.pieces.add(piece=f"☷{index:06d}", score=lowest - 1 - index)
    path.write_bytes(model.SerializeToString())
    return Tokenizer(path, CHAT)


def write_folder(shape: GemmaShape, folder: Path, dtype: str, seed: int) -> None:
    """The Hugging Face folder of a Gemma 3 with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder / "tokenizer.model", shape.vocabulary)
    write_safetensors(folder / "model.safetensors", weight_shapes(shape), dtype, seed)
    ids = {"bos_token_id": tokenizer.bos_id, "pad_token_id": tokenizer.pad_id}
    layers = [
        "sliding_attention" if (layer + 1) % FULL_ATTENTION_EVERY else "full_attention"
        for layer in range(shape.layers)
    ]
    config = {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "head_dim": shape.head_dim,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": shape.hidden,
        "initializer_range": DEVIATION,
        "intermediate_size": shape.ffn,
        "layer_types": layers,
        "max_position_embeddings": 32768,
        "num_attention_heads": shape.query_heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "query_pre_attn_scalar": shape.head_dim,
        "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10000.0,
        "rope_theta": 1000000.0,
        "sliding_window": shape.sliding_window,
        "tie_word_embeddings": True,
        "dtype": dtype,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
        "eos_token_id": tokenizer.stop_ids[0],
    }
    tokens = {"bos_token": CHAT.bos, "eos_token": CHAT.eos, "unk_token": CHAT.unk, "pad_token": CHAT.pad}
    settings = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False}
    for name, document in {
        "config.json": config | ids,
        "generation_config.json": ids | {"eos_token_id": list(tokenizer.stop_ids)},
        "tokenizer_config.json": tokens | settings | {"chat_template": CHAT.template},
        "special_tokens_map.json": tokens
        | {"additional_special_tokens": [CHAT.start_of_turn, CHAT.end_of_turn]},
    }.items():
        (folder / name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("folder", type=Path, help="output folder; must not contain a model")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if (options.folder / "model.safetensors").exists():
        parser.error(f"{options.folder} already holds a model")
    started = time.monotonic()
    write_folder(SHAPES[options.shape], options.folder, options.dtype, options.seed)
    size = (options.folder / "model.safetensors").stat().st_size
    print(f"{options.folder}: {size / 1e9:.2f} GB of {options.dtype} in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
