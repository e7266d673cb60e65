"""Adapters of Hugging Face's PEFT: read as additions to matrices or as factors for the runtime, and written
from ours."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import RUNTIME_TARGETS, parse_hugging_face_name
from pipeline.formats.peft import WEIGHTS, LoraPair, read_peft_folder, write_peft_folder
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas, Rows
from pipeline.tuning.runtime_factors import DORA_RESCALES, Factors, RuntimeFactors, refuse_other_matrices
from pipeline.tuning.values import check_finite, check_product, refuse_untrained, scaled
from pipeline.tuning.weight_decomposition import decomposed_rows


def read_peft(folder: Path) -> Deltas:
    """The additions of a PEFT adapter.

    Raises:
        InputError: not LoRA or DoRA for the matrices of a Gemma, or not trained.
    """
    found = read_peft_folder(folder)
    pairs = found.pairs()
    _check_values(folder, pairs)
    return Deltas(
        "PEFT",
        {name: ((pair.b.shape[0], pair.a.shape[1]), _rows(pair)) for name, pair in pairs.items()},
        declared_base=str(found.config.get("base_model_name_or_path") or ""),
    )


def peft_runtime_factors(folder: Path) -> RuntimeFactors:
    """A PEFT adapter in the form of the runtime's adapters: A and B transposed, the scale multiplied into B.

    Raises:
        InputError: not LoRA, it adapts a matrix that the runtime takes no adapter for, or a product is beyond
            float32.
    """
    found, others = {}, []
    pairs = read_peft_folder(folder).pairs()
    _check_values(folder, pairs)
    for name, (a, b, scale, magnitude) in pairs.items():
        if magnitude:
            raise InputError(f"{folder}: {DORA_RESCALES}")
        layer, target = parse_hugging_face_name(name) or (-1, name)
        if target not in RUNTIME_TARGETS:
            others.append(target)
            continue
        left, right = (np.ascontiguousarray(tensor.read_all().T) for tensor in (a, b))
        found[target, layer] = (left, scaled(right, scale))
        check_product(f"{folder / WEIGHTS}: {name}", *found[target, layer])
    refuse_other_matrices(others)
    return found


def write_peft(adapter: Adapter, folder: Path) -> None:
    """Write an adapter as PEFT's folder; PEFT then computes with the same matrices.

    Raises:
        InputError: PEFT has no form for the adapter's method.
        OSError: the folder cannot be written.
    """
    write_peft_folder(folder, adapter.method.peft_content(adapter))


def _check_values(folder: Path, pairs: Mapping[str, LoraPair]) -> None:
    """Check that the numbers can be those of a training.

    Raises:
        InputError: one is infinite or NaN, or every B is zero.
    """
    path = folder / WEIGHTS
    try:
        refuse_untrained(_finite(path, pairs))
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def _finite(path: Path, pairs: Mapping[str, LoraPair]) -> Iterator[Factors]:
    """A and B of each matrix, checked."""
    for name, pair in pairs.items():
        a, b = pair.a.read_all(), pair.b.read_all()
        check_finite(path, {f"A of {name}": a, f"B of {name}": b})
        if pair.magnitude:
            check_finite(path, {f"magnitude of {name}": pair.magnitude.read_all()})
        yield a, b


def _rows(pair: LoraPair) -> Callable[[], Rows]:
    def prepare() -> Rows:
        # Summed in float64 and rounded once, as for our own adapters: the last bit then does not depend on a
        # BLAS.
        left, right = (tensor.read_all().astype(np.float64) for tensor in (pair.b, pair.a))

        def added(start: int, base: NDArray[np.float32]) -> NDArray[np.float32]:
            return (left[start : start + len(base)] @ right * pair.scale).astype(np.float32)

        return decomposed_rows(added, pair.magnitude.read_all()) if pair.magnitude else added

    return prepare
