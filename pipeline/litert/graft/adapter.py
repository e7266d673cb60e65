"""An adapter onto a converted base: `pocketgemma graft`. Needs none of the packages that train or convert."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.gemma.matrices import Matrix, PresetMatrices
from pipeline.gemma.presets import preset_digest
from pipeline.litert.graft.weight_map import Place, Places, Rounding, find_places, pieces, recognise
from pipeline.litert.graft.writer import graft
from pipeline.machine import PeakMemory
from pipeline.quantization.rounding import PIECE, Quantized, least_squares, nearest, with_scales
from pipeline.quantization.schemes import SCHEMES
from pipeline.tuning.deltas import Deltas, Rows, deltas

ROUNDINGS: dict[str, Rounding] = {"nearest": nearest, "least_squares": least_squares}

MAP_SUFFIX = ".places.json"


@dataclass(frozen=True)
class Report:
    """What was done.

    Attributes:
        recipe: how the base stores matrices.
        recognised: whether that was found out now; else the map beside the base said it.
        kind: whose adapter.
        matrices: how many were written.
        bytes: size of the new file.
        search_seconds: for finding the matrices; 0 with a map.
        seconds: for everything else.
        peak_memory_bytes: of this process.
    """

    recipe: str
    recognised: bool
    kind: str
    matrices: int
    bytes: int
    search_seconds: float
    seconds: float
    peak_memory_bytes: int

    def __str__(self) -> str:
        how = (
            f"recognised, its matrices found in {self.search_seconds:.1f} s"
            if self.recognised
            else "by the map beside it"
        )
        return (
            f"the base is {self.recipe} ({how})\n"
            f"{self.matrices} matrices written with {self.kind}'s adapter in {self.seconds:.1f} s: {self.bytes / 1e6:.1f} MB, "
            f"peak memory {self.peak_memory_bytes / 1e6:.0f} MB"
        )


class Merged:
    """W0 + delta, some rows at a time, float32: the same sums as in the merge stage.

    Attributes:
        shape: (out, in).
    """

    def __init__(self, base: Matrix, delta: Rows | None) -> None:
        self.shape = base.shape
        self._base = base
        self._delta = delta

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, _ = rows.indices(self.shape[0])
        part = self._base[start:stop]
        return part if self._delta is None else part + self._delta(start, stop)


def graft_adapter(base: Path, adapter: Path, preset: Path, output: Path, rounding: str = "nearest") -> Report:
    """Merge an adapter into a converted base.

    The map of the base's matrices is taken from beside it (FILE.places.json); if there is none, the recipe is recognised by the
    bytes, the matrices are found, and the map is kept there.

    Args:
        base: the converted base, ours or a published one, a .litertlm.
        adapter: ours or PEFT's, as `deltas` takes it.
        preset: folder of the base's weights, KerasHub's or Hugging Face's.
        output: the .litertlm to write.
        rounding: nearest, or least_squares, which then writes all matrices of the model anew. An adapter that was trained
            quantisation-aware brings its own scales for all of them.

    Raises:
        InputError: the adapter belongs to another base, the base was not converted from the preset by a known recipe, or its
            map is not its own; a file that cannot be read or written.
    """
    if output.resolve() == base.resolve():
        raise InputError(f"{output}: is the base itself; give another file")
    with PeakMemory() as memory:
        started = time.monotonic()
        additions, matrices = deltas(adapter), PresetMatrices(preset)
        _check_shapes(adapter, additions, matrices)
        beginning = time.monotonic()
        places, recognised = _places(base, matrices)
        searched = time.monotonic() - beginning if recognised else 0.0
        if additions.scales and places.scheme != SCHEMES[additions.recipe]:
            raise InputError(
                f"{adapter}: was trained for {additions.recipe}, {base} is {places.recipe}; take a base of that recipe"
            )
        every = bool(additions.scales) or rounding != "nearest"
        names = matrices.names() if every else list(additions.matrices)
        with ThreadPoolExecutor(1) as pool:
            digest = pool.submit(preset_digest, preset) if additions.base_digest else None
            changed = _changed(additions, matrices, places, names, rounding)
            written = graft(
                base,
                places,
                output,
                _and_then(changed, lambda: _check_base(adapter, additions, preset, digest)),
            )
    return Report(
        places.recipe,
        recognised,
        additions.kind,
        written,
        output.stat().st_size,
        searched,
        time.monotonic() - started - searched,
        memory.peak_bytes,
    )


def _check_shapes(adapter: Path, additions: Deltas, matrices: PresetMatrices) -> None:
    for name, (shape, _) in additions.matrices.items():
        if name not in matrices.names() or matrices.shape(name) != shape:
            held = matrices.shape(name) if name in matrices.names() else "no such matrix"
            raise InputError(
                f"{adapter}: {name} is {shape}, {matrices.folder} has {held}: the adapter belongs to another base"
            )


def _check_base(adapter: Path, additions: Deltas, preset: Path, digest: Future[str] | None) -> None:
    if digest is not None and digest.result() != additions.base_digest:
        raise InputError(
            f"{adapter}: was trained on another base than {preset}; give the preset of that training"
        )


def _places(base: Path, matrices: PresetMatrices) -> tuple[Places, bool]:
    """The map beside the base, or one made now, and whether it was made now."""
    path = base.with_name(base.name + MAP_SUFFIX)
    if path.is_file():
        return Places.load(path), False
    places = find_places(base, matrices.items(), SCHEMES[recognise(base, matrices)])
    with suppress(OSError):  # in a folder that may only be read, the map is made anew each time
        places.save(path)
    return places, True


def _changed(
    additions: Deltas, matrices: PresetMatrices, places: Places, names: list[str], rounding: str
) -> Iterator[tuple[str, Iterator[Quantized]]]:
    for name in names:
        place = places.matrices.get(name)
        if place is None:
            raise InputError(f"{matrices.folder}: {name} is not in the map of the base; delete the map")
        yield name, _pieces(additions, matrices, name, place, rounding)


def _pieces(
    additions: Deltas, matrices: PresetMatrices, name: str, place: Place, rounding: str
) -> Iterator[Quantized]:
    addition = additions.matrices.get(name)
    merged = Merged(matrices[name], addition[1]() if addition else None)
    if name not in additions.scales:
        yield from pieces(
            merged, place.bits, place.block, ROUNDINGS[rounding] if place.bits < 16 else nearest
        )
        return
    scales = additions.scales[name]
    step = max(1, PIECE // merged.shape[1])
    for start in range(0, merged.shape[0], step):
        yield with_scales(merged[start : start + step], scales[start : start + step], place.bits)


def _and_then(
    items: Iterator[tuple[str, Iterator[Quantized]]], check: Callable[[], None]
) -> Iterator[tuple[str, Iterator[Quantized]]]:
    """The items, and a check at their end, which runs beside the work on them and keeps its result from being published."""
    yield from items
    check()
