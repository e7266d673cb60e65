"""The weight map: the location of each of a base's matrices in its converted file. A graft needs it.

The converter stores a matrix as `rounding.nearest` gives it, once, and its scales once for every signature
that computes with it. So a matrix is found by its own bytes, exactly once, or not at all.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import sha256_of_weights
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING
from pipeline.foreign import read_json_object
from pipeline.formats.tflite_weights import WeightMatrix, weight_matrices
from pipeline.gemma.matrices import PresetMatrices
from pipeline.machine import keep_freed_memory
from pipeline.parallel import in_threads
from pipeline.quantization.rounding import PIECE, Quantized, nearest
from pipeline.quantization.roundings import RoundMatrix
from pipeline.quantization.schemes import SCHEMES, Scheme

FORMAT = "pocketgemma-weight-map-1"


class Rows(Protocol):
    """A matrix (out, in) whose slices are float32: an array, or a matrix that is read when it is sliced."""

    @property
    def shape(self) -> Any: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class WeightLocation:
    """Where a file holds a matrix.

    Attributes:
        shape: (out, in).
        bits: 4, 8, 16 or 32.
        block: how many values of a row share a scale; None: the whole row does.
        offset: of the matrix's first byte, in bytes from the start of the file.
        scales: offsets of all copies of its scales; empty for floats.
    """

    shape: tuple[int, int]
    bits: int
    block: int | None
    offset: int
    scales: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Size of one row without its scales."""
        return self.shape[1] * self.bits // 8


@dataclass(frozen=True)
class WeightMap:
    """The locations of all matrices in one file.

    Attributes:
        recipe: how the file stores matrices, a name in SCHEMES.
        bytes: size of the file.
        sha256: of the file.
        matrices: location of each matrix by its Hugging Face name.
    """

    recipe: str
    bytes: int
    sha256: str
    matrices: Mapping[str, WeightLocation]

    @property
    def scheme(self) -> Scheme:
        return SCHEMES[self.recipe]

    def for_file(self, path: Path) -> "WeightMap":
        """The same map for another file of the same layout, such as a grafted one."""
        return replace(self, bytes=path.stat().st_size, sha256=sha256_of_file(path))

    def check_file(self, path: Path) -> None:
        """Check that this map was made from a file's current content.

        Raises:
            InputError: the file is missing, or its size or content differs from what the map records.
        """
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if size != self.bytes or sha256_of_weights(path) != self.sha256:
            raise InputError(
                f"{path}: does not match its weight map, which records {self.bytes:,} bytes (the file has "
                f"{size:,}) and a sha256: "
                "the file was truncated or changed; copy or convert it again, or delete the weight map"
            )

    def save(self, path: Path) -> None:
        """Write the map as JSON."""
        path.write_text(json.dumps({"format": FORMAT} | asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "WeightMap":
        """Read a file that `save` wrote.

        Raises:
            InputError: the file cannot be read, or is not a weight map.
        """
        try:
            document = read_json_object(path)
            if document.pop("format", None) != FORMAT or document["recipe"] not in SCHEMES:
                raise ValueError
            matrices = {name: _location(entry) for name, entry in document.pop("matrices").items()}
            if type(document["bytes"]) is not int or not isinstance(document["sha256"], str):
                raise ValueError
            return cls(**document, matrices=matrices)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        except (InputError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{path}: damaged, or not a weight map of this version; delete it, and the next graft writes "
                "it again"
            ) from None


def _location(entry: Mapping[str, Any]) -> WeightLocation:
    """An entry of a file.

    Raises:
        ValueError, KeyError, TypeError: it is not as `save` writes it.
    """
    (rows, columns), scales = entry["shape"], tuple(entry["scales"])
    block = entry["block"]
    numbers = [rows, columns, entry["bits"], entry["offset"], *scales, *([] if block is None else [block])]
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError
    return WeightLocation((rows, columns), entry["bits"], block, entry["offset"], scales)


def locate_matrices(litertlm: Path, matrices: Iterable[tuple[str, Rows]], scheme: Scheme) -> WeightMap:
    """Find every matrix in a converted file.

    Args:
        litertlm: the file that the converter made from these matrices.
        matrices: Hugging Face names and matrices; arrays, or what `PresetMatrices.items` gives.
        scheme: how the file stores them.

    Raises:
        InputError: the file does not hold a matrix as the scheme stores it, or holds it more than once; names
            the matrix.
    """
    keep_freed_memory()
    recipe = next(name for name, known in SCHEMES.items() if known == scheme)
    weights = weight_matrices(litertlm)
    order: list[str] = []

    def numbered() -> Iterator[tuple[str, Rows]]:
        for name, matrix in matrices:
            order.append(name)
            yield name, matrix

    def find(item: tuple[str, Rows]) -> tuple[str, WeightMatrix]:
        name, matrix = item
        hits = [
            weight
            for weight in _candidates(weights, name, matrix, scheme)
            if _holds(litertlm, weight, matrix)
        ]
        if not hits:
            raise InputError(
                f"{litertlm}: does not contain {name} as {recipe} stores it: it was converted from "
                "other weights or rounded differently"
            )
        if len(hits) > 1:
            raise InputError(
                f"{litertlm}: contains {name} at several offsets: equal matrices cannot be distinguished"
            )
        return name, hits[0]

    found = dict(in_threads(find, numbered()))
    locations: dict[str, WeightLocation] = {}
    taken: dict[int, str] = {}
    for name in order:
        weight = found[name]
        if weight.offset in taken:
            raise InputError(
                f"{litertlm}: {name} equals {taken[weight.offset]}: equal matrices cannot be distinguished"
            )
        taken[weight.offset] = name
        locations[name] = WeightLocation(
            weight.shape, weight.bits, weight.block, weight.offset, tuple(sorted(weight.scales))
        )
    return WeightMap(recipe, litertlm.stat().st_size, sha256_of_file(litertlm), locations)


def recognize_recipe(litertlm: Path, matrices: PresetMatrices) -> str:
    """Find out which recipe a .litertlm stores a base's matrices by, from the bytes of the embedding and of
    one other matrix.

    Args:
        litertlm: for example a published file of a known Gemma.
        matrices: that Gemma's matrices.

    Returns:
        A name in SCHEMES.

    Raises:
        InputError: none of the recipes gives the bytes in the file.
    """
    weights = weight_matrices(litertlm)
    other = next(name for name in matrices.names() if name != EMBEDDING)
    for recipe, scheme in SCHEMES.items():
        if all(
            any(
                _begins(litertlm, weight, matrices[name])
                for weight in _candidates(weights, name, matrices[name], scheme)
            )
            for name in (EMBEDDING, other)
        ):
            return recipe
    stored = ", ".join(sorted({f"{weight.bits} bits" for weight in weights})) or "no matrices"
    raise InputError(
        f"{litertlm}: its matrices match none of the recipes {', '.join(SCHEMES)} (found {stored}): it was "
        "converted from other weights or rounded differently; convert the base with PocketGemma"
    )


def scale_dtype(block: int | None) -> np.dtype[Any]:
    """LiteRT stores the scales of rows as float32 and those of blocks as float16."""
    return np.dtype("<f2") if block else np.dtype("<f4")


def quantized_pieces(
    matrix: Rows, bits: int, block: int | None, rounding: RoundMatrix = nearest
) -> Iterator[Quantized]:
    """Round a matrix some rows at a time: as many as fit in the processor's cache."""
    rows, columns = matrix.shape
    step = max(1, PIECE // columns)
    return (rounding(matrix[start : start + step], bits, block) for start in range(0, rows, step))


def _candidates(weights: list[WeightMatrix], name: str, matrix: Rows, scheme: Scheme) -> list[WeightMatrix]:
    wanted = (tuple(matrix.shape), scheme.bits_of(name), scheme.block_of(name))
    return [weight for weight in weights if (weight.shape, weight.bits, weight.block) == wanted]


def _begins(path: Path, weight: WeightMatrix, matrix: Rows) -> bool:
    """Whether the matrix's first rows are stored there."""
    return next(_matches(path, weight, matrix))


def _holds(path: Path, weight: WeightMatrix, matrix: Rows) -> bool:
    """Whether the whole matrix is stored there, with all copies of its scales."""
    return all(_matches(path, weight, matrix))


def _matches(path: Path, weight: WeightMatrix, matrix: Rows) -> Iterator[bool]:
    """For each piece of some rows, whether it is stored there."""
    values_before, scales_before = 0, 0
    for piece in quantized_pieces(matrix, weight.bits, weight.block):
        wanted = piece.packed()
        stored = np.fromfile(path, np.uint8, wanted.size, offset=weight.offset + values_before)
        scales = piece.scales.astype(scale_dtype(weight.block)).reshape(-1)
        yield np.array_equal(stored, wanted) and all(
            np.array_equal(
                np.fromfile(path, scales.dtype, scales.size, offset=offset + scales_before), scales
            )
            for offset in weight.scales
        )
        values_before += wanted.nbytes
        scales_before += scales.nbytes
