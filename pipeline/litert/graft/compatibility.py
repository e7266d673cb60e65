"""What a graft leaves as it is: it writes matrices only, so everything else must be equal in the base and in
the merged model."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.digests import digest_of_json
from pipeline.families.names import is_matrix
from pipeline.formats.safetensors import float_tensors
from pipeline.gemma.presets import weight_files

OTHER_FILES = ("config.json", "tokenizer.model")
"""The files besides the weights that determine the converted file."""


def fixed_content(folder: Path) -> dict[str, str]:
    """What a converted file takes from a Hugging Face folder and a graft does not change.

    Args:
        folder: the Hugging Face folder.

    Returns:
        For each matrix, its shape. For every other tensor (norms, an untied lm_head), for the configuration
        and for the tokenizer, a digest of the content.

    Raises:
        InputError: the folder has no weights, or a file is damaged.
    """
    found = {}
    for path in weight_files(folder):
        for name, tensor in float_tensors(path).items():
            if is_matrix(name):
                found[name] = " x ".join(map(str, tensor.shape))
            else:
                values = tensor.read(0, tensor.shape[0])
                found[name] = f"{tensor.shape} {hashlib.sha256(values.tobytes()).hexdigest()}"
    for name in OTHER_FILES:
        path = folder / name
        if path.suffix == ".json" and path.is_file():
            found[name] = digest_of_json(json.loads(path.read_text(encoding="utf-8")))
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def changes_outside_matrices(base: Mapping[str, str], merged: Mapping[str, str]) -> list[str]:
    """Names of what differs between two models and a graft cannot write; empty if a graft writes every
    difference.

    Args:
        base: `fixed_content` of the model from which the base was converted.
        merged: `fixed_content` of the merged model.
    """
    return sorted(name for name in base.keys() | merged.keys() if base.get(name) != merged.get(name))
