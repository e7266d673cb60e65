"""What a preset folder holds: whether it is a Gemma that the stages can take, with its weights and tokenizer all there.

A preset comes in two forms: a KerasHub preset (config.json with a class name, model.weights.h5, assets/tokenizer) and a
Hugging Face folder (config.json with a model type, safetensors, tokenizer.model). Both are read here without loading either
library.
"""

from pathlib import Path
from typing import Any

from pipeline.cache import sha256_of_weights
from pipeline.digests import digest_of_json
from pipeline.errors import InputError
from pipeline.formats.safetensors import read_safetensors
from pipeline.gemma.shapes import Family, GemmaShape, read_json, read_shape, section
from pipeline.gemma.tokenizer import Tokenizer, tokenizer_file

SUPPORTED_FAMILIES: tuple[Family, ...] = ("gemma3",)
"""The families that every stage can take today, text only."""

KERAS_HUB_PRESETS = {
    "gemma3_270m": "kaggle://keras/gemma3/keras/gemma3_270m",
    "gemma3_instruct_270m": "kaggle://keras/gemma3/keras/gemma3_instruct_270m",
    "function_gemma_instruct_270m": "kaggle://keras/function-gemma/keras/function_gemma_instruct_270m",
    "gemma3_1b": "kaggle://keras/gemma3/keras/gemma3_1b",
    "gemma3_instruct_1b": "kaggle://keras/gemma3/keras/gemma3_instruct_1b",
    "gemma3_4b_text": "kaggle://keras/gemma3/keras/gemma3_4b_text",
    "gemma3_instruct_4b_text": "kaggle://keras/gemma3/keras/gemma3_instruct_4b_text",
}
"""Short names of the presets in KerasHub 0.32 that the stages can take, and where they lie."""

PATTERNS = (
    "*.json",
    "*.safetensors",
    "*.weights.h5",
    "*.spm",
    "tokenizer.model",
    "*.jinja",
    "README.md",
    "LICENSE*",
    "NOTICE*",
)
"""Files that make up a preset. Pickles (.bin, .pt, .ckpt) run code when they are read and are never among them."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack")


def check_preset(preset: Path) -> GemmaShape:
    """Whether a folder holds a Gemma that every stage can take, with its weights and its tokenizer.

    Raises:
        InputError: another family or a vision tower; no, incomplete, cut off or pickled weights; no or a wrong tokenizer.
    """
    shape = read_shape(preset)
    if shape.family not in SUPPORTED_FAMILIES:
        raise InputError(
            f"{preset}: is a {shape.family}; the stages take {', '.join(SUPPORTED_FAMILIES)} so far, "
            f"for example {KERAS_HUB_PRESETS['gemma3_instruct_270m']}"
        )
    if shape.vision:
        raise InputError(
            f"{preset}: has a vision tower; the stages take text-only presets so far, "
            f"for example {KERAS_HUB_PRESETS['gemma3_instruct_4b_text']}"
        )
    files = weight_files(preset)
    held = sum(_elements(path) for path in files)
    if held < shape.parameters:
        raise InputError(
            f"{preset}: its weights hold {held:,} numbers, config.json asks for {shape.parameters:,}; the preset is incomplete"
        )
    tokenizer = Tokenizer.of_preset(preset)
    if tokenizer.vocabulary_size > shape.vocabulary:
        raise InputError(
            f"{tokenizer.path}: has {tokenizer.vocabulary_size:,} pieces, the model's embedding {shape.vocabulary:,} rows: "
            "this tokenizer belongs to another model"
        )
    return shape


def preset_files(preset: Path) -> list[Path]:
    """The files of a folder that belong to a preset: those of PATTERNS at its top and below assets/."""
    found = {path for pattern in PATTERNS for path in preset.glob(pattern)}
    found |= {path for pattern in PATTERNS for path in (preset / "assets").rglob(pattern)}
    return sorted(path for path in found if path.is_file())


def weight_files(preset: Path) -> list[Path]:
    """The files that hold a preset's weights: one, or all the shards that its index names.

    Raises:
        InputError: there are none, a shard is missing, or there are only pickles.
    """
    for single, index in (
        ("model.weights.h5", "model.weights.json"),
        ("model.safetensors", "model.safetensors.index.json"),
    ):
        if (preset / single).is_file():
            return [preset / single]
        if (preset / index).is_file():
            return _shards(preset / index)
    pickles = sorted(path.name for pattern in PICKLES for path in preset.glob(pattern))
    if pickles:
        raise InputError(
            f"{preset}: holds its weights only as pickles ({', '.join(pickles[:3])}), which run code when they are read; "
            "take a preset with safetensors or .weights.h5"
        )
    raise InputError(
        f"{preset}: holds no weights (looked for model.weights.h5 and model.safetensors, whole or in shards)"
    )


def _shards(index: Path) -> list[Path]:
    names: set[str] = set()
    for value in section(index, read_json(index), "weight_map").values():
        names.update(value if isinstance(value, list) else [value])
    missing = sorted(name for name in names if Path(name).name != name or not (index.parent / name).is_file())
    if missing or not names:
        raise InputError(
            f"{index}: names shards that are not there: {', '.join(missing) or 'none named'}; the preset is incomplete"
        )
    return [index.parent / name for name in sorted(names)]


def _elements(path: Path) -> int:
    """How many numbers a weight file holds; reads no weight, only the file's directory.

    Raises:
        InputError: the file is cut off or not what its name says.
    """
    return read_safetensors(path).elements if path.suffix == ".safetensors" else _h5_elements(path)


def _h5_elements(path: Path) -> int:
    import h5py

    elements = 0

    def add(_: str, item: Any) -> None:
        nonlocal elements
        if isinstance(item, h5py.Dataset):
            elements += item.size

    try:
        with h5py.File(path, "r") as file:
            file.visititems(add)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: not a whole HDF5 file ({' '.join(str(error).split())}); fetch it again"
        ) from None
    return elements


def preset_digest(preset: Path) -> str:
    """One sha256 for a base: over the names and digests of its weights, configuration and tokenizer, nothing else.

    Args:
        preset: a folder that `check_preset` accepted.
    """
    files = [preset / "config.json", tokenizer_file(preset), *weight_files(preset)]
    return digest_of_json({file.relative_to(preset).as_posix(): sha256_of_weights(file) for file in files})
