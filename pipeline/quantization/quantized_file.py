"""A file of quantized matrices: the result of a rounding, to be grafted into a converted base.

A safetensors file. For each matrix it has the integers under the Hugging Face name, int8 (out, in), and the
scales under that name and `.scales`, float32 (out, blocks). The header records the bits of each matrix, and
facts about the rounding.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.quantization.rounding import LARGEST, Quantized

SCALES = ".scales"


def write_quantized(path: Path, matrices: Mapping[str, Quantized], facts: Mapping[str, Any]) -> None:
    """Write a file of quantized matrices.

    Args:
        path: the file to write.
        matrices: by Hugging Face name; 4 or 8 bits.
        facts: about the rounding, in JSON types.
    """
    tensors: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(matrix.values, np.int8) for name, matrix in matrices.items()
    }
    tensors |= {
        name + SCALES: np.ascontiguousarray(matrix.scales, np.float32) for name, matrix in matrices.items()
    }
    bits = {name: matrix.bits for name, matrix in matrices.items()}
    save_file(tensors, path, {"bits": json.dumps(bits), "facts": json.dumps(dict(facts))})


def read_quantized(path: Path) -> Iterator[tuple[str, Quantized]]:
    """The matrices of a file, one at a time, ordered by name.

    Raises:
        InputError: no such file, not a file of quantized matrices, or integers that exceed their bits.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            bits = json.loads((file.metadata() or {})["bits"])
            for name, width in sorted(bits.items()):
                values, scales = file.get_tensor(name), file.get_tensor(name + SCALES)
                if (
                    values.dtype != np.int8
                    or scales.dtype != np.float32
                    or (len(scales), values.shape[1] % scales.shape[1]) != (len(values), 0)
                    or np.abs(values.astype(np.int16)).max(initial=0) > LARGEST[width]
                ):
                    raise InputError(f"{path}: {name} is not a {width}-bit matrix; run the conversion again")
                yield name, Quantized(values, scales, width)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a file of quantized matrices") from None
    except (SafetensorError, KeyError, ValueError, IndexError, TypeError, AttributeError):
        raise InputError(
            f"{path}: damaged, or not a file of quantized matrices; run the conversion again"
        ) from None


def read_facts(path: Path) -> dict[str, Any]:
    """The facts that a file records about its rounding.

    Raises:
        InputError: no such file, or not a file of quantized matrices.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            return dict(json.loads(file.metadata()["facts"]))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a file of quantized matrices") from None
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise InputError(
            f"{path}: damaged, or not a file of quantized matrices; run the conversion again"
        ) from None
