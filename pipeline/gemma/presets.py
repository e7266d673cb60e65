"""Preset folders: whether one is a supported Gemma with complete weights and tokenizer.

A preset is either a KerasHub preset (config.json with a class name, model.weights.h5, assets/tokenizer) or a
Hugging Face folder (config.json with a model type, safetensors, tokenizer.model). Both are read here without
loading either library.
"""

import os
import shutil
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache import sha256_of_weights
from pipeline.digests import digest_of_json
from pipeline.errors import InputError
from pipeline.families.config import read_json, section
from pipeline.families.family import GemmaShape
from pipeline.families.registry import read_family, read_shape, supported_families
from pipeline.foreign import LFS_POINTER, refuse_pointer
from pipeline.formats.safetensors import read_safetensors, widen
from pipeline.gemma.tokenizer import Tokenizer, tokenizer_file

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
"""Files that belong to a preset. Pickles (.bin, .pt, .ckpt) run code when they are read, so they never do."""

WEIGHTS = (
    ("model.weights.h5", "model.weights.json"),
    ("model.safetensors", "model.safetensors.index.json"),
)
"""Names of weights in one file, and of the index of sharded ones."""

VALUES_AT_A_TIME = 1 << 24
"""Values of a weight that are checked at a time."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack")


def check_preset(preset: Path) -> GemmaShape:
    """Check that a folder is a Gemma that every stage supports, with complete weights and tokenizer.

    Raises:
        InputError: unsupported family or vision tower; missing, incomplete, truncated or pickled weights;
            missing or wrong tokenizer.
    """
    shape = check_family(preset)
    if shape.vision:
        raise InputError(
            f"{preset}: has a vision tower; use a text-only preset, for example "
            f"{example_preset(text_only=True)}"
        )
    files = weight_files(preset)
    held = sum(_elements(path) for path in files)
    if held < shape.parameters:
        raise InputError(
            f"{preset}: incomplete: its weights contain {held:,} values, but config.json requires "
            f"{shape.parameters:,}; download it again"
        )
    tokenizer = Tokenizer.of_preset(preset)
    if tokenizer.vocabulary_size > shape.vocabulary:
        raise InputError(
            f"{tokenizer.path}: belongs to another model: it has {tokenizer.vocabulary_size:,} pieces, "
            f"but the embedding has {shape.vocabulary:,} rows"
        )
    return shape


def check_family(preset: Path) -> GemmaShape:
    """Check that a folder is of a family that every stage supports; reads only config.json.

    Raises:
        InputError: it is not; says what to use instead.
    """
    refusal = read_family(preset).refusal
    if refusal:
        raise InputError(f"{preset}: {refusal}")
    return read_shape(preset)


def example_preset(*, text_only: bool = False) -> str:
    """The address of a preset to suggest; with `text_only`, one whose family also has presets with a vision
    tower."""
    family = next(family for family in supported_families() if family.example)
    return family.presets[family.example_text if text_only else family.example]


def preset_files(preset: Path) -> list[Path]:
    """The files in a folder that belong to a preset: those that match PATTERNS at the top level and below
    assets/."""
    found = {path for pattern in PATTERNS for path in preset.glob(pattern)}
    found |= {path for pattern in PATTERNS for path in (preset / "assets").rglob(pattern)}
    return sorted(path for path in found if path.is_file())


def link_preset(source: Path, target: Path, *, without: Sequence[str] = ()) -> None:
    """Put the files of a preset into another folder, as hard links if the file system allows it, else as
    copies. JSON loses a byte order mark, which the model libraries do not read.

    Args:
        source: the preset.
        target: may exist.
        without: patterns of names that are left out.
    """
    for file in preset_files(source):
        if any(file.match(pattern) for pattern in without):
            continue
        published = target / file.relative_to(source)
        published.parent.mkdir(parents=True, exist_ok=True)
        real = file.resolve()  # The cache of Hugging Face contains symbolic links.
        if file.suffix == ".json" and (content := real.read_bytes()).startswith(BOM_UTF8):
            published.write_bytes(content.removeprefix(BOM_UTF8))
            continue
        try:
            os.link(real, published)
        except OSError:
            shutil.copyfile(real, published)


def weight_files(preset: Path) -> list[Path]:
    """The files with a preset's weights: one, or all shards that its index lists.

    Raises:
        InputError: there are none, a shard is missing, or there are only pickles.
    """
    for single, _ in WEIGHTS:
        if (preset / single).is_file():
            return [preset / single]
    index = weight_index(preset)
    if index is not None:
        return _shards(index)
    pickles = sorted(path.name for pattern in PICKLES for path in preset.glob(pattern))
    if pickles:
        raise InputError(
            f"{preset}: its weights are only available as pickles ({', '.join(pickles[:3])}), which run code "
            "when they are read; "
            "use a preset with safetensors or .weights.h5"
        )
    raise InputError(
        f"{preset}: no weights (looked for model.weights.h5 and model.safetensors, whole or sharded)"
    )


def weight_index(preset: Path) -> Path | None:
    """The file that lists the shards of a preset's weights; None if they are one file."""
    if any((preset / single).is_file() for single, _ in WEIGHTS):
        return None
    return next((preset / index for _, index in WEIGHTS if (preset / index).is_file()), None)


def _shards(index: Path) -> list[Path]:
    names: set[str] = set()
    for tensor, value in section(index, read_json(index), "weight_map").items():
        files = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) for name in files):
            raise InputError(
                f"{index}: weight_map names {value!r:.60} as the file of {tensor}, expected a name; download "
                "it again"
            )
        names.update(files)
    missing = sorted(name for name in names if Path(name).name != name or not (index.parent / name).is_file())
    if missing or not names:
        raise InputError(
            f"{index}: missing shards: {', '.join(missing) or 'none listed'}; download the preset again"
        )
    return [index.parent / name for name in sorted(names)]


def _elements(path: Path) -> int:
    """Number of values in a weight file; reads only the file's directory, no weights.

    Raises:
        InputError: the file is truncated, or its content does not match its name.
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
        with path.open("rb") as start:
            refuse_pointer(path, start.read(len(LFS_POINTER)), "weights")
        with h5py.File(path, "r") as file:
            file.visititems(add)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: not a complete HDF5 file ({' '.join(str(error).split())}); download it again"
        ) from None
    return elements


def check_weights(preset: Path) -> None:
    """Check that no weight in the HDF5 files of a KerasHub preset is quantized, NaN or infinite; reads all of
    them.

    Raises:
        InputError: one is; names the file and the weight.
    """
    import h5py

    def check(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or not item.shape:
            return
        step = max(1, VALUES_AT_A_TIME // max(1, item.size // item.shape[0]))
        for start in range(0, item.shape[0], step):
            values = item[start : start + step]
            if values.dtype.itemsize == 1:  # integers, or Keras's float8
                raise InputError(
                    f"{path}: {name} is stored as {values.dtype}: the preset is quantized; use the "
                    "unquantized one, and convert.recipe to quantize the result"
                )
            # Keras stores bfloat16 as two opaque bytes.
            wide = widen(values.view(np.uint16)) if values.dtype.kind == "V" else values
            if wide.dtype.kind == "f" and not np.isfinite(wide).all():
                raise InputError(f"{path}: {name} contains NaN or infinite values; download it again")

    for path in weight_files(preset):
        with h5py.File(path, "r") as file:
            file.visititems(check)


def preset_digest(preset: Path) -> str:
    """One sha256 for a base, over the names and digests of its weights, configuration and tokenizer.

    Args:
        preset: a folder that `check_preset` accepted.
    """
    files = [preset / "config.json", tokenizer_file(preset), *weight_files(preset)]
    return digest_of_json({file.relative_to(preset).as_posix(): sha256_of_weights(file) for file in files})
