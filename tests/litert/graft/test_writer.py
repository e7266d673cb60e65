"""Promise: a graft gives, byte for byte, the file that a conversion of the changed model gives; a graft that
fails leaves no file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.formats.litertlm import read_container
from pipeline.formats.litertlm_writer import rewrite, stamp
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.compatibility import changes_outside_matrices, fixed_content
from pipeline.litert.graft.weight_map import WeightMap, locate_matrices, quantized_pieces, recognize_recipe
from pipeline.litert.graft.writer import graft
from pipeline.quantization.rounding import Quantized, nearest
from pipeline.quantization.schemes import SCHEMES
from tests.support.grafting import matrices_of, with_tensors, write_base, write_folder
from tests.support.tiny_gemma import SPEC, converted, tiny_folder

UP = "model.layers.1.mlp.up_proj.weight"


def noise(matrices: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All of them changed, including the embedding."""
    random = np.random.default_rng(3)
    return {
        name: (matrix + 0.1 * random.standard_normal(matrix.shape)).astype(np.float32)
        for name, matrix in matrices.items()
    }


def rounded(folder: Path, weight_map: WeightMap) -> Iterator[tuple[str, Iterator[Quantized]]]:
    for name, matrix in PresetMatrices(folder).items():
        yield name, quantized_pieces(matrix, weight_map.matrices[name].bits, weight_map.matrices[name].block)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [name for name, scheme in SCHEMES.items() if scheme.integers])
def test_it_equals_the_conversion_of_the_changed_model(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, recipe: str
) -> None:
    source = tiny_folder(tmp_path_factory)
    changed = with_tensors(source, tmp_path / "changed", noise(matrices_of(source)))
    assert changes_outside_matrices(fixed_content(source), fixed_content(changed)) == []
    spec = replace(SPEC, recipe=recipe, prefill_lengths=(32,))
    base = converted(tmp_path_factory, spec)
    matrices = PresetMatrices(source)
    assert recognize_recipe(base, matrices) == recipe
    weight_map = locate_matrices(base, matrices.items(), SCHEMES[recipe])
    count = graft(base, weight_map, tmp_path / "grafted.litertlm", rounded(changed, weight_map))
    assert count == len(matrices.names()) == 15
    expected = converted(tmp_path_factory, spec, changed)
    assert (tmp_path / "grafted.litertlm").read_bytes() == expected.read_bytes()
    assert expected.read_bytes() != base.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fp16", "fp32"])
def test_a_float_base_is_grafted_and_restored(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, recipe: str
) -> None:
    source = tiny_folder(tmp_path_factory)
    changed = with_tensors(source, tmp_path / "changed", noise(matrices_of(source)))
    lengths = SPEC.prefill_lengths if recipe == "fp32" else (32,)
    base = converted(tmp_path_factory, replace(SPEC, recipe=recipe, prefill_lengths=lengths))
    weight_map = locate_matrices(base, PresetMatrices(source).items(), SCHEMES[recipe])
    graft(base, weight_map, tmp_path / "grafted.litertlm", rounded(changed, weight_map))
    locate_matrices(tmp_path / "grafted.litertlm", PresetMatrices(changed).items(), SCHEMES[recipe])
    there = weight_map.for_file(tmp_path / "grafted.litertlm")
    graft(tmp_path / "grafted.litertlm", there, tmp_path / "back.litertlm", rounded(source, weight_map))
    assert (tmp_path / "back.litertlm").read_bytes() == base.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder")


@pytest.fixture
def base(folder: Path, tmp_path: Path) -> Path:
    path = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4")
    stamp(path)
    return path


@pytest.fixture
def weight_map(base: Path, folder: Path) -> WeightMap:
    return locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int4"])


@pytest.mark.parametrize("recipe", SCHEMES)
def test_all_matrices_of_every_recipe_are_written_and_nothing_else(
    folder: Path, tmp_path: Path, recipe: str
) -> None:
    changed = with_tensors(folder, tmp_path / "changed", noise(matrices_of(folder)))
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe)
    weight_map = locate_matrices(base, PresetMatrices(folder).items(), SCHEMES[recipe])
    graft(base, weight_map, tmp_path / "grafted.litertlm", rounded(changed, weight_map))
    expected = write_base(tmp_path / "expected" / "base.litertlm", matrices_of(changed), recipe)
    rewrite(read_container(expected), tmp_path / "expected.litertlm")
    rewrite(read_container(tmp_path / "grafted.litertlm"), tmp_path / "again.litertlm")
    assert (tmp_path / "again.litertlm").read_bytes() == (tmp_path / "expected.litertlm").read_bytes()


def test_only_the_given_matrices_change(
    base: Path, weight_map: WeightMap, folder: Path, tmp_path: Path
) -> None:
    new = noise(matrices_of(folder))[UP]
    graft(base, weight_map, tmp_path / "out.litertlm", [(UP, nearest(new, 4))])
    before, after = (np.fromfile(path, np.uint8) for path in (base, tmp_path / "out.litertlm"))
    location = weight_map.matrices[UP]
    allowed = np.zeros(before.size, bool)
    for start, size in [(location.offset, location.shape[0] * location.row_bytes)] + [
        (start, 4 * location.shape[0]) for start in location.scales
    ]:
        allowed[start : start + size] = True
    identity = read_container(base).id_offset
    assert identity is not None
    allowed[identity : identity + 36] = True
    assert ((before != after) & ~allowed).sum() == 0
    assert ((before != after) & allowed).sum() > 500


def test_the_id_is_that_of_the_content(
    base: Path, weight_map: WeightMap, folder: Path, tmp_path: Path
) -> None:
    graft(base, weight_map, tmp_path / "same.litertlm", rounded(folder, weight_map))
    assert (tmp_path / "same.litertlm").read_bytes() == base.read_bytes()
    graft(base, weight_map, tmp_path / "other.litertlm", [(UP, nearest(noise(matrices_of(folder))[UP], 4))])
    ids = {read_container(tmp_path / f"{name}.litertlm").system["uuid"] for name in ("same", "other")}
    assert len(ids) == 2


def refuse(base: Path, weight_map: WeightMap, changed: object, message: str) -> None:
    """The error is one line, and nothing is left behind."""
    output = base.parent / "out.litertlm"
    with pytest.raises(PocketGemmaError, match=message) as refused:
        graft(base, weight_map, output, changed)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert [path.name for path in base.parent.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize("damage", ["cut off", "one bit"])
def test_a_base_that_changed_since_its_map_is_refused(
    base: Path, weight_map: WeightMap, folder: Path, damage: str
) -> None:
    content = bytearray(base.read_bytes())
    if damage == "cut off":
        del content[-100:]
    else:
        content[-100] ^= 1
    base.write_bytes(content)
    refuse(base, weight_map, rounded(folder, weight_map), "does not match its weight map")


def test_a_missing_base_is_refused(base: Path, weight_map: WeightMap) -> None:
    base.unlink()
    refuse(base, weight_map, [], "No such file")


def test_what_does_not_fit_is_refused(base: Path, weight_map: WeightMap, folder: Path) -> None:
    matrix = matrices_of(folder)[UP]
    refuse(
        base,
        weight_map,
        [("model.layers.7.mlp.up_proj.weight", nearest(matrix, 4))],
        "matrix model.layers.7",
    )
    refuse(base, weight_map, [(UP, nearest(matrix, 8))], "32 columns in 8 bits .*, the base has 32 in 4 bits")
    refuse(base, weight_map, [(UP, nearest(matrix[:, :16].copy(), 4))], "16 columns in 4 bits")
    refuse(base, weight_map, [(UP, nearest(matrix[:-1], 4))], "has 63 rows, the base has 64")
    refuse(
        base, weight_map, [(UP, [nearest(matrix, 4), nearest(matrix[:1], 4)])], "more rows than the base's 64"
    )
    refuse(base, weight_map, [(UP, nearest(matrix, 4))] * 2, "given twice")


def test_nothing_is_left_when_the_matrices_end_in_an_error(
    base: Path, weight_map: WeightMap, folder: Path
) -> None:
    def broken() -> Iterator[tuple[str, Quantized]]:
        yield UP, nearest(matrices_of(folder)[UP], 4)
        raise InputError("the disk is gone")

    refuse(base, weight_map, broken(), "the disk is gone")


def test_scales_that_cannot_be_stored_are_refused(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4_block32")
    weight_map = locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int4_block32"])
    stored = nearest(matrices_of(folder)[UP], 4, 32)
    finer = replace(stored, scales=stored.scales * np.float32(1.0001))
    refuse(base, weight_map, [(UP, finer)], "cannot be stored as float16 without loss")
