"""Promise: each matrix of a base is located in its converted file exactly once, by its own bytes; otherwise
it is named and refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.formats.tflite_weights import weight_matrices
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.weight_map import WeightMap, locate_matrices, recognize_recipe
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from tests.support.grafting import matrices_of, with_tensors, write_base, write_folder

UP = "model.layers.1.mlp.up_proj.weight"
GATE = "model.layers.1.mlp.gate_proj.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("weights") / "base")


@pytest.mark.parametrize("recipe", SCHEMES)
def test_every_matrix_is_found_with_all_copies_of_its_scales(
    folder: Path, tmp_path: Path, recipe: str
) -> None:
    base, scheme = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe), SCHEMES[recipe]
    weight_map = locate_matrices(base, PresetMatrices(folder).items(), scheme)
    assert weight_map.matrices.keys() == matrices_of(folder).keys()
    content = base.read_bytes()
    for name, location in weight_map.matrices.items():
        stored = nearest(matrices_of(folder)[name], scheme.bits_of(name), scheme.block_of(name))
        values, scales = (
            stored.packed().tobytes(),
            stored.scales.astype("<f2" if location.block else "<f4").tobytes(),
        )
        assert content[location.offset :].startswith(values)
        assert content.count(values) == 1
        # Blocks of both signatures share one tensor of scales; rows have theirs for each.
        assert len(location.scales) == (0 if location.bits >= 16 else 1 if location.block else 2)
        assert all(content[start:].startswith(scales) for start in location.scales)
        assert not scales or content.count(scales) == len(location.scales)


@pytest.mark.parametrize("recipe", SCHEMES)
def test_the_recipe_is_recognized_by_the_bytes(folder: Path, tmp_path: Path, recipe: str) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe)
    assert recognize_recipe(base, PresetMatrices(folder)) == recipe


def test_arrays_and_matrices_in_files_are_found_alike(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    from_files = locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int8"])
    assert locate_matrices(base, matrices_of(folder).items(), SCHEMES["int8"]).matrices == from_files.matrices


def test_a_file_of_other_weights_is_not_recognized(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    other = PresetMatrices(write_folder(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match=r"match none of the recipes int8, .* \(found 8 bits\)") as refused:
        recognize_recipe(base, other)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("part", ["first", "last", "scale"])
def test_a_matrix_that_differs_anywhere_is_named(folder: Path, tmp_path: Path, part: str) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4")
    location = locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int4"]).matrices[UP]
    size = location.shape[0] * location.shape[1] // 2
    at = {"first": location.offset, "last": location.offset + size - 1, "scale": location.scales[1]}[part]
    content = bytearray(base.read_bytes())
    content[at] ^= 1
    base.write_bytes(content)
    with pytest.raises(InputError, match=f"does not contain {UP} as int4 stores it"):
        locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int4"])


def test_equal_matrices_are_refused(folder: Path, tmp_path: Path) -> None:
    matrices = matrices_of(folder)
    matrices[UP] = matrices[GATE]
    base = write_base(tmp_path / "base.litertlm", matrices, "int8")
    with pytest.raises(InputError, match="at several offsets: equal matrices cannot be distinguished"):
        locate_matrices(base, matrices.items(), SCHEMES["int8"])


def test_two_names_for_one_stored_matrix_are_refused(folder: Path, tmp_path: Path) -> None:
    matrices = matrices_of(folder)
    base = write_base(tmp_path / "base.litertlm", {UP: matrices[UP]}, "int8")
    with pytest.raises(InputError, match=f"{GATE} equals {UP}"):
        locate_matrices(base, [(UP, matrices[UP]), (GATE, matrices[UP])], SCHEMES["int8"])


def test_another_shape_is_not_found(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    wider = with_tensors(folder, tmp_path / "wider", {UP: np.ones((96, 32), np.float32)})
    with pytest.raises(InputError, match=UP):
        locate_matrices(base, PresetMatrices(wider).items(), SCHEMES["int8"])


def test_a_saved_map_is_read_back_unchanged(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4_embedding_int8")
    weight_map = locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int4_embedding_int8"])
    weight_map.save(tmp_path / "map.json")
    assert WeightMap.load(tmp_path / "map.json") == weight_map
    weight_map.check_file(base)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        '{"format": "pocketgemma-weight-map-1", "recipe": "int8"}',
        '{"format": "pocketgemma-weight-map-1", "recipe": "int5"}',
    ],
)
def test_a_file_that_is_not_a_weight_map_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "map.json").write_text(content)
    with pytest.raises(
        InputError,
        match=r"map.json: damaged, or not a weight map of this version; delete it, and the next graft writes",
    ):
        WeightMap.load(tmp_path / "map.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("offset", "64"),
        ("offset", -1),
        ("shape", [32]),
        ("shape", None),
        ("scales", [None]),
        ("block", "32"),
        ("bits", 8.0),
    ],
)
def test_a_map_with_other_values_than_numbers_is_refused(
    folder: Path, tmp_path: Path, key: str, value: object
) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int8"]).save(tmp_path / "map.json")
    document = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    document["matrices"][UP][key] = value
    (tmp_path / "map.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="map.json: damaged, or not a weight map of this version; delete it"):
        WeightMap.load(tmp_path / "map.json")


def test_a_damaged_model_is_refused_or_read_within_the_file(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    content, random = base.read_bytes(), np.random.default_rng(0)
    begin = content.index(b"TFL3")
    refused = 0
    for location in random.integers(begin, begin + 8000, 200):
        damaged = bytearray(content)
        damaged[location] ^= 0xFF
        base.write_bytes(damaged)
        try:
            weights = weight_matrices(base)
        except InputError:
            refused += 1
            continue
        assert all(weight.offset + weight.size <= len(content) for weight in weights)
    assert refused
