"""Where each matrix of a base lies in its converted file: the map that a graft needs.

The converter stores a matrix as `rounding.nearest` gives it, in one place, and its scales once for every signature that computes
with it. So a matrix is found by its own bytes, exactly once, or not at all.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import sha256_of_weights
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING
from pipeline.formats.tflite_weights import StoredWeight, stored_weights
from pipeline.gemma.matrices import PresetMatrices
from pipeline.machine import keep_freed_memory
from pipeline.parallel import in_threads
from pipeline.quantization.rounding import PIECE, Quantized, nearest
from pipeline.quantization.schemes import SCHEMES, Scheme

FORMAT = "pocketgemma-places-1"

Rounding = Callable[[NDArray[np.float32], int, int | None], Quantized]
"""As `rounding.nearest`: a matrix, its bits and its block."""


class Rows(Protocol):
    """A matrix (out, in) whose slices are float32: an array, or one that is read when it is sliced."""

    @property
    def shape(self) -> Any: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Place:
    """Where a matrix lies.

    Attributes:
        shape: (out, in).
        bits: 4, 8, 16 or 32.
        block: how many numbers of a row share a scale; None: the whole row does.
        offset: its first byte in the file.
        scales: the first bytes of all places of its scales; none for floats.
    """

    shape: tuple[int, int]
    bits: int
    block: int | None
    offset: int
    scales: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return self.shape[1] * self.bits // 8


@dataclass(frozen=True)
class Places:
    """The map of one file.

    Attributes:
        recipe: how the file stores matrices, a name in SCHEMES.
        bytes: size of the file.
        sha256: of the file.
        matrices: place of each matrix by its Hugging Face name.
    """

    recipe: str
    bytes: int
    sha256: str
    matrices: Mapping[str, Place]

    @property
    def scheme(self) -> Scheme:
        return SCHEMES[self.recipe]

    def of_file(self, path: Path) -> "Places":
        """The same map for another file of the same layout: one that was grafted."""
        return replace(self, bytes=path.stat().st_size, sha256=sha256_of_file(path))

    def check(self, path: Path) -> None:
        """Whether the map is this file's.

        Raises:
            InputError: no such file, or it is not the one that the map was made of.
        """
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if size != self.bytes or sha256_of_weights(path) != self.sha256:
            raise InputError(
                f"{path}: not the file that the map of its matrices was made of ({size:,} bytes, the map's has {self.bytes:,}, or "
                "other content): cut off or changed since; copy or convert it again, or delete the map"
            )

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps({"format": FORMAT} | asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Places":
        """Read what `save` wrote.

        Raises:
            InputError: not readable as such.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("format") != FORMAT or document["recipe"] not in SCHEMES:
                raise ValueError("another format")
            matrices = {
                name: Place(**(entry | {"shape": tuple(entry["shape"]), "scales": tuple(entry["scales"])}))
                for name, entry in document.pop("matrices").items()
            }
            return cls(**document, matrices=matrices)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a map of matrices ({error}); delete it") from None


def find_places(litertlm: Path, matrices: Iterable[tuple[str, Rows]], scheme: Scheme) -> Places:
    """Find every matrix in a converted file.

    Args:
        litertlm: what the converter made of these matrices.
        matrices: Hugging Face names and matrices; an array, or what `PresetMatrices.items` gives.
        scheme: how they were stored.

    Raises:
        InputError: a matrix is not there as the scheme stores it, or not once: names the matrix.
    """
    keep_freed_memory()
    recipe = next(name for name, known in SCHEMES.items() if known == scheme)
    weights = stored_weights(litertlm)
    order: list[str] = []

    def numbered() -> Iterator[tuple[str, Rows]]:
        for name, matrix in matrices:
            order.append(name)
            yield name, matrix

    def find(item: tuple[str, Rows]) -> tuple[str, StoredWeight]:
        name, matrix = item
        hits = [
            weight
            for weight in _candidates(weights, name, matrix, scheme)
            if _holds(litertlm, weight, matrix)
        ]
        if not hits:
            raise InputError(
                f"{litertlm}: {name} is not in it as {recipe} would store it; converted from other weights, or rounded otherwise"
            )
        if len(hits) > 1:
            raise InputError(f"{litertlm}: {name} is at several places: equal matrices cannot be told apart")
        return name, hits[0]

    found = dict(in_threads(find, numbered()))
    places: dict[str, Place] = {}
    taken: dict[int, str] = {}
    for name in order:
        weight = found[name]
        if weight.offset in taken:
            raise InputError(
                f"{litertlm}: {name} is the same as {taken[weight.offset]}: equal matrices cannot be told apart"
            )
        taken[weight.offset] = name
        places[name] = Place(
            weight.shape, weight.bits, weight.block, weight.offset, tuple(sorted(weight.scales))
        )
    return Places(recipe, litertlm.stat().st_size, sha256_of_file(litertlm), places)


def recognise(litertlm: Path, matrices: PresetMatrices) -> str:
    """By which recipe a .litertlm stores a base's matrices, told by the bytes of the embedding and of one other matrix.

    Args:
        litertlm: for example a published file of a known Gemma.
        matrices: that Gemma's.

    Returns:
        A name in SCHEMES.

    Raises:
        InputError: by none of them.
    """
    weights = stored_weights(litertlm)
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
        f"{litertlm}: stores these matrices by none of the recipes {', '.join(SCHEMES)} (found {stored}): made from other weights, "
        "or rounded otherwise; convert the base here"
    )


def scale_dtype(block: int | None) -> np.dtype[Any]:
    """LiteRT keeps the scales of rows as float32, those of blocks as float16."""
    return np.dtype("<f2") if block else np.dtype("<f4")


def pieces(matrix: Rows, bits: int, block: int | None, rounding: Rounding = nearest) -> Iterator[Quantized]:
    """A matrix as it is stored, some rows at a time, as many as stay in the processor's cache."""
    rows, columns = matrix.shape
    step = max(1, PIECE // columns)
    return (rounding(matrix[start : start + step], bits, block) for start in range(0, rows, step))


def _candidates(weights: list[StoredWeight], name: str, matrix: Rows, scheme: Scheme) -> list[StoredWeight]:
    wanted = (tuple(matrix.shape), scheme.bits_of(name), scheme.block_of(name))
    return [weight for weight in weights if (weight.shape, weight.bits, weight.block) == wanted]


def _begins(path: Path, weight: StoredWeight, matrix: Rows) -> bool:
    """Whether the first rows are stored there."""
    return next(_matches(path, weight, matrix))


def _holds(path: Path, weight: StoredWeight, matrix: Rows) -> bool:
    """Whether the whole matrix is stored there, with its scales at every place."""
    return all(_matches(path, weight, matrix))


def _matches(path: Path, weight: StoredWeight, matrix: Rows) -> Iterator[bool]:
    """For some rows after the other, whether they are stored there."""
    values_before, scales_before = 0, 0
    for piece in pieces(matrix, weight.bits, weight.block):
        wanted = piece.packed()
        stored = np.fromfile(path, np.uint8, wanted.size, offset=weight.offset + values_before)
        scales = piece.scales.astype(scale_dtype(weight.block)).reshape(-1)
        yield np.array_equal(stored, wanted) and all(
            np.array_equal(np.fromfile(path, scales.dtype, scales.size, offset=place + scales_before), scales)
            for place in weight.scales
        )
        values_before += wanted.nbytes
        scales_before += scales.nbytes
