"""What two presets differ in: a graft carries matrices, so everything else must be equal."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.digests import digest_of_json
from pipeline.families.names import is_matrix
from pipeline.formats.safetensors import float_tensors
from pipeline.gemma.presets import weight_files

BESIDE = ("config.json", "tokenizer.model")
"""What else decides the converted file."""


def fixed_by_conversion(folder: Path) -> dict[str, str]:
    """What a converted file takes from a Hugging Face folder and a graft leaves as it is.

    Args:
        folder: the Hugging Face folder.

    Returns:
        Of each matrix its shape; of every other tensor (norms, an untied lm_head), of configuration and tokenizer a digest of the content.

    Raises:
        InputError: the folder holds no weights, or a damaged file.
    """
    found = {}
    for path in weight_files(folder):
        for name, tensor in float_tensors(path).items():
            if is_matrix(name):
                found[name] = " x ".join(map(str, tensor.shape))
            else:
                values = tensor.read(0, tensor.shape[0])
                found[name] = f"{tensor.shape} {hashlib.sha256(values.tobytes()).hexdigest()}"
    for name in BESIDE:
        path = folder / name
        if path.suffix == ".json" and path.is_file():
            found[name] = digest_of_json(json.loads(path.read_text(encoding="utf-8")))
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def changes_beyond(base: Mapping[str, str], merged: Mapping[str, str]) -> list[str]:
    """Names of what a graft onto the converted `base` would leave out of `merged`; both as `fixed_by_conversion` tells them.

    Empty when a graft carries everything.
    """
    return sorted(name for name in base.keys() | merged.keys() if base.get(name) != merged.get(name))
