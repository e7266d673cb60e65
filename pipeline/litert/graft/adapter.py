"""Graft an adapter onto a converted base: `pocketgemma graft`. It needs none of the packages that train or
convert."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import cache_root, sha256_of_weights
from pipeline.errors import InputError
from pipeline.gemma.matrices import Matrix, PresetMatrices
from pipeline.gemma.presets import preset_digest
from pipeline.litert.graft.weight_map import (
    WeightLocation,
    WeightMap,
    locate_matrices,
    quantized_pieces,
    recognize_recipe,
)
from pipeline.litert.graft.writer import graft
from pipeline.machine import PeakMemory
from pipeline.quantization.rounding import PIECE, Quantized, nearest, with_scales
from pipeline.quantization.roundings import NEAREST, find_rounding
from pipeline.quantization.schemes import SCHEMES
from pipeline.run.finished import finished_stage_of
from pipeline.run.outputs import check_output
from pipeline.tuning.deltas import Deltas, Rows
from pipeline.tuning.load import adapter_files, load_deltas
from pipeline.tuning.values import check_merged

MAP_SUFFIX = ".weight-map.json"


@dataclass(frozen=True)
class Report:
    """The result of a graft.

    Attributes:
        recipe: how the base stores matrices.
        recognized: whether the recipe was recognized now; otherwise the weight map next to the base records
            it.
        kind: the adapter's format, PocketGemma or PEFT.
        matrices: how many were written.
        bytes: size of the new file.
        search_seconds: for locating the matrices; 0 with a weight map.
        seconds: for everything else.
        peak_memory_bytes: of this process.
        declared_base: the name that a PEFT adapter records of its base; it cannot be compared.
    """

    recipe: str
    recognized: bool
    kind: str
    matrices: int
    bytes: int
    search_seconds: float
    seconds: float
    peak_memory_bytes: int
    declared_base: str = ""

    def __str__(self) -> str:
        how = (
            f"recognized; matrices located in {self.search_seconds:.1f} s"
            if self.recognized
            else "from its weight map"
        )
        return (
            f"recipe of the base: {self.recipe} ({how})\n"
            f"wrote {self.matrices} matrices from a {self.kind} adapter in {self.seconds:.1f} s: "
            f"{self.bytes / 1e6:.1f} MB, "
            f"peak memory {self.peak_memory_bytes / 1e6:.0f} MB"
            + (
                f"\nthe adapter names {self.declared_base} as its base; the preset must be that model"
                if self.declared_base
                else ""
            )
        )


class Merged:
    """W0 + delta, some rows at a time, float32: the same sums as in the merge stage.

    Attributes:
        shape: (out, in).

    Args:
        place: the adapter and the matrix, for messages.
    """

    def __init__(self, place: str, base: Matrix, delta: Rows | None) -> None:
        self.shape = base.shape
        self._place = place
        self._base = base
        self._delta = delta

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, _ = rows.indices(self.shape[0])
        part = self._base[start:stop]
        if self._delta is None:
            return part
        merged = part + self._delta(start, part)
        check_merged(self._place, merged)
        return merged


def graft_adapter(
    base: Path, adapter: Path, preset: Path, output: Path, rounding: str = NEAREST.name
) -> Report:
    """Merge an adapter into a converted base.

    The base's weight map is read from the file next to it (FILE.weight-map.json). If there is none, the
    recipe is recognized by the bytes, the matrices are located, and the weight map is saved there; for a base
    in the result of a finished stage, in the cache.

    Args:
        base: the converted base, PocketGemma's or a published one, a .litertlm.
        adapter: PocketGemma's or PEFT's, as `deltas` reads it.
        preset: folder of the base's weights, KerasHub's or Hugging Face's.
        output: the .litertlm to write.
        rounding: nearest, or least_squares, which rounds and writes all matrices of the model. An adapter
            from quantization-aware training has its own scales for all of them.

    Raises:
        InputError: the adapter belongs to another base, the base was not converted from the preset by a known
            recipe, it does not match its weight map, or a file cannot be read or written; or the output is
            one of the other files.
    """
    check_output(output, [base, _map_beside(base), *adapter_files(adapter), preset], "--out")
    with PeakMemory() as memory:
        started = time.monotonic()
        additions, matrices = load_deltas(adapter), PresetMatrices(preset)
        _check_shapes(adapter, additions, matrices)
        beginning = time.monotonic()
        weight_map, recognized = _weight_map(base, matrices)
        searched = time.monotonic() - beginning if recognized else 0.0
        if additions.scales and weight_map.scheme != SCHEMES[additions.recipe]:
            raise InputError(
                f"{adapter}: was trained for {additions.recipe}, but {base} is {weight_map.recipe}; use a "
                "base with the same recipe"
            )
        every = bool(additions.scales) or rounding != NEAREST.name
        names = matrices.names() if every else list(additions.matrices)
        with ThreadPoolExecutor(1) as pool:
            digest = pool.submit(preset_digest, preset) if additions.base_digest else None
            changed = _changed(adapter, additions, matrices, weight_map, names, rounding)
            written = graft(
                base,
                weight_map,
                output,
                _and_then(changed, lambda: _check_base(adapter, additions, preset, digest)),
            )
    return Report(
        weight_map.recipe,
        recognized,
        additions.kind,
        written,
        output.stat().st_size,
        searched,
        time.monotonic() - started - searched,
        memory.peak_bytes,
        additions.declared_base,
    )


def _check_shapes(adapter: Path, additions: Deltas, matrices: PresetMatrices) -> None:
    for name, (shape, _) in additions.matrices.items():
        if name not in matrices.names() or matrices.shape(name) != shape:
            held = matrices.shape(name) if name in matrices.names() else "no such matrix"
            raise InputError(
                f"{adapter}: {name} has shape {shape}, but {matrices.folder} has {held}: the adapter belongs "
                "to another base"
            )


def _check_base(adapter: Path, additions: Deltas, preset: Path, digest: Future[str] | None) -> None:
    if digest is not None and digest.result() != additions.base_digest:
        raise InputError(
            f"{adapter}: was not trained on {preset}; pass the preset that it was trained on with --preset"
        )


def _weight_map(base: Path, matrices: PresetMatrices) -> tuple[WeightMap, bool]:
    """The weight map next to the base or in the cache, or a new one, and whether it is new."""
    path = _map_beside(base)
    if not path.is_file() and finished_stage_of(base):
        path = _cached_map(base)
    if path.is_file():
        return WeightMap.load(path), False
    weight_map = locate_matrices(base, matrices.items(), SCHEMES[recognize_recipe(base, matrices)])
    with suppress(OSError):  # in a read-only folder, the matrices are located each time
        weight_map.save(path)
    return weight_map, True


def _map_beside(base: Path) -> Path:
    return base.with_name(base.name + MAP_SUFFIX)


def _cached_map(base: Path) -> Path:
    """Where the weight map of a base is kept whose folder may not be changed."""
    folder = cache_root() / "weight-maps"
    folder.mkdir(exist_ok=True)
    return folder / f"{sha256_of_weights(base)}.json"


def _changed(
    adapter: Path,
    additions: Deltas,
    matrices: PresetMatrices,
    weight_map: WeightMap,
    names: list[str],
    rounding: str,
) -> Iterator[tuple[str, Iterator[Quantized]]]:
    for name in names:
        location = weight_map.matrices.get(name)
        if location is None:
            raise InputError(
                f"{matrices.folder}: {name} is not in the weight map of the base; delete the weight map"
            )
        place = f"{adapter}: {name}"
        yield name, _checked(place, _pieces(place, additions, matrices, name, location, rounding))


def _checked(place: str, pieces: Iterator[Quantized]) -> Iterator[Quantized]:
    """The pieces of a matrix, without numpy's warnings about what is refused here.

    Raises:
        InputError: a value or a scale is beyond the type that stores it.
    """
    while True:
        with np.errstate(over="ignore", invalid="ignore"):
            piece = next(pieces, None)
        if piece is None:
            return
        check_merged(place, piece.values)
        check_merged(place, piece.scales)
        yield piece


def _pieces(
    place: str,
    additions: Deltas,
    matrices: PresetMatrices,
    name: str,
    location: WeightLocation,
    rounding: str,
) -> Iterator[Quantized]:
    addition = additions.matrices.get(name)
    merged = Merged(place, matrices[name], addition[1]() if addition else None)
    if name not in additions.scales:
        of_weights = find_rounding(rounding).of_weights if location.bits < 16 else nearest
        assert of_weights
        yield from quantized_pieces(merged, location.bits, location.block, of_weights)
        return
    scales = additions.scales[name]
    step = max(1, PIECE // merged.shape[1])
    for start in range(0, merged.shape[0], step):
        yield with_scales(merged[start : start + step], scales[start : start + step], location.bits)


def _and_then(
    items: Iterator[tuple[str, Iterator[Quantized]]], check: Callable[[], None]
) -> Iterator[tuple[str, Iterator[Quantized]]]:
    """The items, then a check: it runs in parallel with the work on them, and if it fails, the result is not
    published."""
    yield from items
    check()
