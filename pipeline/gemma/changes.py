"""What two presets differ in: a graft carries matrices, so everything else must be equal."""

import json
from pathlib import Path

import numpy as np

from pipeline.gemma.matrices import HUGGING_FACE_NAME, StoredTensor, stored_tensors
from pipeline.gemma.presets import weight_files

BESIDE = ("config.json", "tokenizer.model")
"""What else decides the converted file."""


def changes_beyond(base: Path, merged: Path) -> list[str]:
    """What a graft of the matrices of `merged` onto the converted `base` would leave out.

    Args:
        base: Hugging Face folder that was converted.
        merged: Hugging Face folder whose matrices are to be grafted.

    Returns:
        Names of tensors other than the matrices (norms, an untied lm_head) that differ or are in one only, of matrices of another
        shape, and of files (configuration, tokenizer) that differ; empty when a graft carries everything.

    Raises:
        InputError: a folder holds no weights, or a damaged file.
    """
    before, after = _tensors(base), _tensors(merged)
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        matrix = HUGGING_FACE_NAME.fullmatch(name) is not None
        if old is None or new is None or old.shape != new.shape or not (matrix or _equal(old, new)):
            found.append(name)
    return found + [name for name in BESIDE if _content(base / name) != _content(merged / name)]


def _tensors(folder: Path) -> dict[str, StoredTensor]:
    return {name: tensor for path in weight_files(folder) for name, tensor in stored_tensors(path).items()}


def _equal(old: StoredTensor, new: StoredTensor) -> bool:
    return np.array_equal(old.read(0, old.shape[0]), new.read(0, new.shape[0]))


def _content(path: Path) -> object:
    if not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else path.read_bytes()
