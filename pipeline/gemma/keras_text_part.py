"""The text decoder of a multimodal KerasHub preset, as a preset of its own."""

import json
from pathlib import Path
from typing import Any

from pipeline.families.config import read_json
from pipeline.families.names import is_tower_path
from pipeline.gemma.presets import link_preset, weight_files, weight_index

WITHOUT_TOWERS = {
    "config.json": ("vision_encoder", "image_size", "audio_encoder"),
    "preprocessor.json": ("image_converter", "audio_converter", "video_converter"),
}
"""Files of a preset that are written again, and the keys of their `config` that are null in a text preset."""

LEFT_OUT = (*WITHOUT_TOWERS, "task.json", "*_converter.json", "*.weights.h5", "*.weights.json")
"""Patterns of files that are not linked. KerasHub makes a task without task.json."""


def write_text_part(source: Path, target: Path) -> int:
    """Write the text decoder of a preset as a preset without towers; weights are copied bit for bit.

    Args:
        source: a multimodal KerasHub preset.
        target: created here.

    Returns:
        The number of weights of towers for images or sound, which are left out.

    Raises:
        InputError: no weights, or a damaged file.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name, keys in WITHOUT_TOWERS.items():
        if (source / name).is_file():
            document = read_json(source / name)
            document["config"] |= {key: None for key in keys if key in document["config"]}
            _write(target / name, document)
    link_preset(source, target, without=LEFT_OUT)
    left_out = sum(_copy_weights(path, target / path.name) for path in weight_files(source))
    index = weight_index(source)
    if index is not None:
        listing = read_json(index)
        listing["weight_map"] = {
            name: files for name, files in listing["weight_map"].items() if not is_tower_path(name)
        }
        _write(target / index.name, listing)
    return left_out


def _copy_weights(source: Path, target: Path) -> int:
    """Copy an HDF5 file without the weights of towers; returns their number."""
    import h5py

    left_out = 0
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:

        def copy(name: str, item: Any) -> None:
            nonlocal left_out
            if is_tower_path(name):
                left_out += isinstance(item, h5py.Dataset)
            elif isinstance(item, h5py.Dataset):
                old.copy(item, new.require_group(name.rpartition("/")[0]), name.rpartition("/")[2])
            else:
                new.require_group(name).attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
    return left_out


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=4) + "\n", encoding="utf-8")
