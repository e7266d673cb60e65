"""Promise: every matrix is compared completely, in every storage format: one wrong value, scale or row is
detected; and for roundings that move values further, another matrix is still not accepted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.families.names import EMBEDDING
from pipeline.formats.tflite_weights import WeightMatrix
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert import matrix_check as weights
from pipeline.litert.graft.weight_map import scale_dtype
from pipeline.litert.matrix_check import find_matrices, missing_matrices, surplus_matrices
from pipeline.quantization.rounding import LARGEST, Quantized, least_squares, nearest
from pipeline.quantization.schemes import SCHEMES, Scheme

RANDOM = np.random.default_rng(0)
A, B = EMBEDDING, "model.layers.0.mlp.gate_proj.weight"
MATRICES = {name: RANDOM.standard_normal((6, 64)).astype(np.float32) for name in (A, B)}


class Store:
    """A file of stored matrices in place of a converted model."""

    def __init__(self, path: Path, scheme: Scheme, matrices: dict[str, Quantized]) -> None:
        self.path, self.scheme = path, scheme
        self.content = bytearray()
        self.weights: dict[str, WeightMatrix] = {}
        for name, matrix in matrices.items():
            shape = (matrix.values.shape[0], matrix.values.shape[1])
            values = matrix.packed()
            weight = WeightMatrix(
                shape, matrix.bits, scheme.block_of(name), self._append(values), values.nbytes
            )
            if matrix.bits < 16:
                scales = matrix.scales.astype(scale_dtype(scheme.block_of(name)))
                weight.scales = {self._append(scales), self._append(scales)}
            self.weights[name] = weight
        self.write()

    def _append(self, array: NDArray[np.generic]) -> int:
        place = len(self.content)
        self.content += array.tobytes()
        return place

    def write(self) -> None:
        self.path.write_bytes(self.content)

    def missing(self, folder: Path, rounding: str = "nearest", base: Path | None = None) -> list[str]:
        before = PresetMatrices(base) if base else None
        return missing_matrices(self.path, PresetMatrices(folder), self.scheme, rounding, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file(MATRICES | {"norm": np.ones(8, np.float32)}, tmp_path / "model.safetensors")
    return tmp_path


def stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, matrices: dict[str, Quantized]
) -> Store:
    store = Store(folder / "model.litertlm", SCHEMES[recipe], matrices)
    monkeypatch.setattr(weights, "weight_matrices", lambda path: list(store.weights.values()))
    return store


@pytest.fixture(params=list(SCHEMES))
def store(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    scheme = SCHEMES[request.param]
    rounded = {
        name: nearest(MATRICES[name], scheme.bits_of(name), scheme.block_of(name)) for name in (B, A)
    }  # in another order than in the folder
    return stored(folder, monkeypatch, request.param, rounded)


def test_all_matrices_are_found_in_any_order(store: Store, folder: Path) -> None:
    assert store.missing(folder) == []


def test_a_missing_matrix_is_named(store: Store, folder: Path) -> None:
    del store.weights[B]
    assert store.missing(folder) == [B]


def test_a_matrix_in_other_bits_counts_as_missing(store: Store, folder: Path) -> None:
    store.scheme = SCHEMES["int8" if store.scheme.embedding_bits == 4 else "int4"]
    assert A in store.missing(folder)


def test_one_damaged_byte_is_detected(store: Store, folder: Path) -> None:
    weight = store.weights[A]
    store.content[weight.offset + weight.size - 1] ^= 0x40
    store.write()
    assert store.missing(folder) == [A]


def test_one_wrong_scale_in_one_signature_is_detected(store: Store, folder: Path) -> None:
    weight = store.weights[A]
    if not weight.scales:
        pytest.skip("floats have no scales")
    dtype = scale_dtype(weight.block)
    place = max(weight.scales) + 5 * dtype.itemsize
    scale = np.frombuffer(store.content, dtype, 1, place) * dtype.type(1.5)
    store.content[place : place + dtype.itemsize] = scale.tobytes()
    store.write()
    assert store.missing(folder) == [A]


def test_matrices_larger_than_a_piece_are_compared_completely(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PIECE", 128)
    assert store.missing(folder) == []
    weight = store.weights[A]
    store.content[weight.offset + weight.size - 1] ^= 0x40
    store.write()
    assert store.missing(folder) == [A]


FREE = [name for name, scheme in SCHEMES.items() if scheme.bits == 4]
CHANGE = {
    name: (0.1 * RANDOM.standard_normal((6, 2)) @ RANDOM.standard_normal((2, 64))).astype(np.float32)
    for name in (A, B)
}
"""An adapter's addition: smaller than a step of 4 bits."""


def rounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, matrices: dict[str, NDArray[np.float32]]
) -> Store:
    """As GPTQ could store it: integers that are not the nearest ones, scales that are not those of plain
    rounding."""
    scheme, random = SCHEMES[recipe], np.random.default_rng(1)
    found = {}
    for name, matrix in matrices.items():
        plain = least_squares(matrix, scheme.bits_of(name), scheme.block_of(name))
        moved = plain.values + random.choice(
            np.array([-1, 0, 1], np.int8), plain.values.shape, p=[0.05, 0.9, 0.05]
        )
        limit = LARGEST[plain.bits]
        found[name] = replace(plain, values=np.clip(moved, -limit, limit).astype(np.int8))
    return stored(folder, monkeypatch, recipe, found)


@pytest.mark.parametrize("recipe", FREE)
def test_integers_that_are_not_the_nearest_pass_only_as_another_rounding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    store = rounded(folder, monkeypatch, recipe, MATRICES)
    assert store.missing(folder, "gptq") == []
    assert store.missing(folder, "nearest") == [A, B]


@pytest.mark.parametrize("recipe", FREE)
def test_least_squares_is_held_to_its_own_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    scheme = SCHEMES[recipe]
    best = {
        name: least_squares(matrix, scheme.bits_of(name), scheme.block_of(name))
        for name, matrix in MATRICES.items()
    }
    assert stored(folder, monkeypatch, recipe, best).missing(folder, "least_squares") == []
    coarse = best | {B: replace(best[B], scales=best[B].scales * np.float32(1.5))}
    assert stored(folder, monkeypatch, recipe, coarse).missing(folder, "least_squares") == [B]


@pytest.mark.parametrize("recipe", FREE)
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_scaled_matrix_is_not_accepted_as_a_rounding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, factor: float
) -> None:
    store = rounded(folder, monkeypatch, recipe, MATRICES | {B: MATRICES[B] * np.float32(factor)})
    assert store.missing(folder, "gptq") == [B]


@pytest.mark.parametrize("recipe", FREE)
def test_another_matrix_at_the_same_offset_is_detected(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    store = rounded(folder, monkeypatch, recipe, MATRICES | {B: MATRICES[A]})
    assert store.missing(folder, "gptq") == [B]


@pytest.mark.parametrize("recipe", FREE)
def test_one_wrong_row_is_detected(folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str) -> None:
    matrix = MATRICES[B].copy()
    matrix[4] = -matrix[4]
    store = rounded(folder, monkeypatch, recipe, MATRICES | {B: matrix})
    assert store.missing(folder, "gptq") == [B]


@pytest.mark.parametrize("recipe", FREE)
def test_a_lost_adapter_smaller_than_a_step_is_detected(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    base = tmp_path_factory.mktemp("base")
    save_file(MATRICES, base / "model.safetensors")
    tuned = {name: MATRICES[name] + CHANGE[name] for name in MATRICES}
    save_file(tuned, folder / "model.safetensors")
    whole = rounded(folder, monkeypatch, recipe, tuned)
    assert whole.missing(folder, "gptq", base) == []
    dropped = rounded(folder, monkeypatch, recipe, tuned | {B: MATRICES[B]})
    assert dropped.missing(folder, "gptq") == []
    assert dropped.missing(folder, "gptq", base) == [B]
    twice = rounded(folder, monkeypatch, recipe, tuned | {B: tuned[B] + CHANGE[B]})
    assert twice.missing(folder, "gptq", base) == [B]


def preserved(
    stored: NDArray[np.float32], wanted: NDArray[np.float32], steps: float, row_error: float
) -> bool:
    piece = weights.Piece(wanted, stored, np.full_like(wanted, steps))
    return weights._rows_preserved(iter([piece]), row_limit=1.0, row_error=row_error)


def test_a_row_beyond_the_limit_is_right_if_most_of_its_energy_is_kept() -> None:
    """As GPTQ leaves a few rows of a Gemma 3 270M: errors above a step in a larger row."""
    random = np.random.default_rng(1)
    wanted = random.standard_normal((100, 256)).astype(np.float32)
    stored = wanted.copy()
    noise = random.standard_normal(256).astype(np.float32)
    stored[7] = 0.6 * (wanted[7] + 0.8 * noise)  # errors of 0.6 of its size, 1.2 steps of 0.5
    assert preserved(stored, wanted, 0.5, row_error=0.75)
    assert not preserved(stored, wanted, 0.5, row_error=0.0)
    stored[7] = noise
    assert not preserved(stored, wanted, 0.5, row_error=0.75)


def test_a_rounding_may_shorten_a_matrix_by_its_error_and_no_more() -> None:
    """Integers that minimize the error are shorter than what they stand for, by the energy of the error."""
    random = np.random.default_rng(2)
    wanted = random.standard_normal((100, 256)).astype(np.float32)
    coarse = 1.22 * np.clip(np.rint(wanted / 1.22), -1, 1)  # three values: 19 % of the energy is lost
    shorter = float(np.vdot(coarse, wanted) / np.vdot(wanted, wanted))
    assert 0.7 < shorter < 0.95
    assert preserved(coarse.astype(np.float32), wanted, 1.0, row_error=0.0)
    assert not preserved(np.float32(0.9) * wanted, wanted, 1.0, row_error=0.0)
    assert not preserved(np.float32(1.1) * wanted, wanted, 1.0, row_error=0.0)


def test_a_matrix_beside_those_of_the_model_is_found(store: Store, folder: Path) -> None:
    def found() -> list[tuple[int, int]]:
        places = find_matrices(store.path, PresetMatrices(folder), store.scheme)
        assert set(places) == {A, B}
        return surplus_matrices(store.path, places)

    assert found() == []
    # As when a factor is multiplied into one of the two copies of a tied embedding.
    copy = store.weights[A]
    store.weights["copy"] = replace(copy, offset=store._append(np.zeros(copy.size, np.uint8)))
    store.write()
    assert found() == [copy.shape]
