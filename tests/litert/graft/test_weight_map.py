"""Promise: each matrix of a base is found in its converted file exactly once, by its own bytes, or named and refused."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.formats.tflite_weights import stored_weights
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.weight_map import Places, find_places, recognise
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from tests.support.grafting import matrices_of, with_tensors, write_base, write_folder

UP = "model.layers.1.mlp.up_proj.weight"
GATE = "model.layers.1.mlp.gate_proj.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("places") / "base")


@pytest.mark.parametrize("recipe", SCHEMES)
def test_every_matrix_is_found_with_all_places_of_its_scales(
    folder: Path, tmp_path: Path, recipe: str
) -> None:
    base, scheme = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe), SCHEMES[recipe]
    places = find_places(base, PresetMatrices(folder).items(), scheme)
    assert places.matrices.keys() == matrices_of(folder).keys()
    content = base.read_bytes()
    for name, place in places.matrices.items():
        stored = nearest(matrices_of(folder)[name], scheme.bits_of(name), scheme.block_of(name))
        values, scales = (
            stored.packed().tobytes(),
            stored.scales.astype("<f2" if place.block else "<f4").tobytes(),
        )
        assert content[place.offset :].startswith(values)
        assert content.count(values) == 1
        # Blocks of both signatures share one tensor of scales; rows have theirs for each.
        assert len(place.scales) == (0 if place.bits >= 16 else 1 if place.block else 2)
        assert all(content[start:].startswith(scales) for start in place.scales)
        assert not scales or content.count(scales) == len(place.scales)


@pytest.mark.parametrize("recipe", SCHEMES)
def test_the_recipe_is_recognised_by_the_bytes(folder: Path, tmp_path: Path, recipe: str) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe)
    assert recognise(base, PresetMatrices(folder)) == recipe


def test_arrays_are_found_as_well_as_what_is_read_from_files(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    from_files = find_places(base, PresetMatrices(folder).items(), SCHEMES["int8"])
    assert find_places(base, matrices_of(folder).items(), SCHEMES["int8"]).matrices == from_files.matrices


def test_a_file_of_other_weights_is_not_recognised(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    other = PresetMatrices(write_folder(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match=r"by none of the recipes int8, .* \(found 8 bits\)") as refused:
        recognise(base, other)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("part", ["first", "last", "scale"])
def test_a_matrix_that_differs_anywhere_is_named(folder: Path, tmp_path: Path, part: str) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4")
    place = find_places(base, PresetMatrices(folder).items(), SCHEMES["int4"]).matrices[UP]
    size = place.shape[0] * place.shape[1] // 2
    at = {"first": place.offset, "last": place.offset + size - 1, "scale": place.scales[1]}[part]
    content = bytearray(base.read_bytes())
    content[at] ^= 1
    base.write_bytes(content)
    with pytest.raises(InputError, match=f"{UP} is not in it as int4 would store it"):
        find_places(base, PresetMatrices(folder).items(), SCHEMES["int4"])


def test_equal_matrices_are_refused(folder: Path, tmp_path: Path) -> None:
    matrices = matrices_of(folder)
    matrices[UP] = matrices[GATE]
    base = write_base(tmp_path / "base.litertlm", matrices, "int8")
    with pytest.raises(InputError, match="at several places: equal matrices cannot be told apart"):
        find_places(base, matrices.items(), SCHEMES["int8"])


def test_matrices_that_the_file_holds_once_for_both_are_refused(folder: Path, tmp_path: Path) -> None:
    matrices = matrices_of(folder)
    base = write_base(tmp_path / "base.litertlm", {UP: matrices[UP]}, "int8")
    with pytest.raises(InputError, match=f"{GATE} is the same as {UP}"):
        find_places(base, [(UP, matrices[UP]), (GATE, matrices[UP])], SCHEMES["int8"])


def test_another_shape_is_not_found(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    wider = with_tensors(folder, tmp_path / "wider", {UP: np.ones((96, 32), np.float32)})
    with pytest.raises(InputError, match=UP):
        find_places(base, PresetMatrices(wider).items(), SCHEMES["int8"])


def test_the_map_is_the_same_from_its_file(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4_embedding_int8")
    places = find_places(base, PresetMatrices(folder).items(), SCHEMES["int4_embedding_int8"])
    places.save(tmp_path / "map.json")
    assert Places.load(tmp_path / "map.json") == places
    places.check(base)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "pocketgemma-places-1", "recipe": "int5"}'])
def test_what_is_no_map_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "map.json").write_text(content)
    with pytest.raises(InputError, match="not a map of matrices"):
        Places.load(tmp_path / "map.json")


def test_a_damaged_model_is_refused_or_read_within_the_file(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    content, random = base.read_bytes(), np.random.default_rng(0)
    begin = content.index(b"TFL3")
    refused = 0
    for place in random.integers(begin, begin + 8000, 200):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        base.write_bytes(damaged)
        try:
            weights = stored_weights(base)
        except InputError:
            refused += 1
            continue
        assert all(weight.offset + weight.size <= len(content) for weight in weights)
    assert refused
