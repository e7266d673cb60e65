"""Promise: a graft gives, byte for byte, the file that a conversion of the changed model gives; and nothing when it cannot."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import EMBEDDING
from pipeline.formats.litertlm import read_container, rewrite, stamp
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.compatibility import changes_beyond, fixed_by_conversion
from pipeline.litert.graft.weight_map import Places, find_places, pieces, recognise
from pipeline.litert.graft.writer import graft
from pipeline.quantization.rounding import Quantized, nearest
from pipeline.quantization.schemes import SCHEMES
from tests.support.grafting import matrices_of, with_tensors, write_base, write_folder
from tests.support.tiny_gemma import BUNDLE, converted, tiny_folder

UP = "model.layers.1.mlp.up_proj.weight"


def noise(matrices: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All of them changed, the embedding too."""
    random = np.random.default_rng(3)
    return {
        name: (matrix + 0.1 * random.standard_normal(matrix.shape)).astype(np.float32)
        for name, matrix in matrices.items()
    }


def rounded(folder: Path, places: Places) -> Iterator[tuple[str, Iterator[Quantized]]]:
    for name, matrix in PresetMatrices(folder).items():
        yield name, pieces(matrix, places.matrices[name].bits, places.matrices[name].block)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["int8", "int4", "int4_embedding_int8", "int4_block32"])
def test_it_equals_the_conversion_of_the_changed_model(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, recipe: str
) -> None:
    source = tiny_folder(tmp_path_factory)
    changed = with_tensors(source, tmp_path / "changed", noise(matrices_of(source)))
    assert changes_beyond(fixed_by_conversion(source), fixed_by_conversion(changed)) == []
    bundle = replace(BUNDLE, recipe=recipe, prefill_lengths=(32,))
    base = converted(tmp_path_factory, bundle)
    matrices = PresetMatrices(source)
    assert recognise(base, matrices) == recipe
    places = find_places(base, matrices.items(), SCHEMES[recipe])
    count = graft(base, places, tmp_path / "grafted.litertlm", rounded(changed, places))
    assert count == len(matrices.names()) == 15
    expected = converted(tmp_path_factory, bundle, changed)
    assert (tmp_path / "grafted.litertlm").read_bytes() == expected.read_bytes()
    assert expected.read_bytes() != base.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fp16", "fp32"])
def test_a_base_in_floats_takes_a_graft_and_gives_it_back(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, recipe: str
) -> None:
    source = tiny_folder(tmp_path_factory)
    changed = with_tensors(source, tmp_path / "changed", noise(matrices_of(source)))
    lengths = BUNDLE.prefill_lengths if recipe == "fp32" else (32,)
    base = converted(tmp_path_factory, replace(BUNDLE, recipe=recipe, prefill_lengths=lengths))
    places = find_places(base, PresetMatrices(source).items(), SCHEMES[recipe])
    graft(base, places, tmp_path / "grafted.litertlm", rounded(changed, places))
    find_places(tmp_path / "grafted.litertlm", PresetMatrices(changed).items(), SCHEMES[recipe])
    there = places.of_file(tmp_path / "grafted.litertlm")
    graft(tmp_path / "grafted.litertlm", there, tmp_path / "back.litertlm", rounded(source, places))
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
def places(base: Path, folder: Path) -> Places:
    return find_places(base, PresetMatrices(folder).items(), SCHEMES["int4"])


@pytest.mark.parametrize("recipe", SCHEMES)
def test_all_matrices_of_every_recipe_are_written_and_nothing_else(
    folder: Path, tmp_path: Path, recipe: str
) -> None:
    changed = with_tensors(folder, tmp_path / "changed", noise(matrices_of(folder)))
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe)
    places = find_places(base, PresetMatrices(folder).items(), SCHEMES[recipe])
    graft(base, places, tmp_path / "grafted.litertlm", rounded(changed, places))
    expected = write_base(tmp_path / "expected" / "base.litertlm", matrices_of(changed), recipe)
    rewrite(read_container(expected), tmp_path / "expected.litertlm")
    rewrite(read_container(tmp_path / "grafted.litertlm"), tmp_path / "again.litertlm")
    assert (tmp_path / "again.litertlm").read_bytes() == (tmp_path / "expected.litertlm").read_bytes()


def test_only_what_is_given_changes(base: Path, places: Places, folder: Path, tmp_path: Path) -> None:
    new = noise(matrices_of(folder))[UP]
    graft(base, places, tmp_path / "out.litertlm", [(UP, nearest(new, 4))])
    before, after = (np.fromfile(path, np.uint8) for path in (base, tmp_path / "out.litertlm"))
    place = places.matrices[UP]
    allowed = np.zeros(before.size, bool)
    for start, size in [(place.offset, place.shape[0] * place.row_bytes)] + [
        (start, 4 * place.shape[0]) for start in place.scales
    ]:
        allowed[start : start + size] = True
    identity = read_container(base).id_place
    assert identity is not None
    allowed[identity : identity + 36] = True
    assert ((before != after) & ~allowed).sum() == 0
    assert ((before != after) & allowed).sum() > 500


def test_the_id_is_that_of_the_content(base: Path, places: Places, folder: Path, tmp_path: Path) -> None:
    graft(base, places, tmp_path / "same.litertlm", rounded(folder, places))
    assert (tmp_path / "same.litertlm").read_bytes() == base.read_bytes()
    graft(base, places, tmp_path / "other.litertlm", [(UP, nearest(noise(matrices_of(folder))[UP], 4))])
    ids = {read_container(tmp_path / f"{name}.litertlm").system["uuid"] for name in ("same", "other")}
    assert len(ids) == 2


def refuse(base: Path, places: Places, changed: object, message: str) -> None:
    """It says why in one line and leaves nothing behind."""
    output = base.parent / "out.litertlm"
    with pytest.raises(PocketGemmaError, match=message) as refused:
        graft(base, places, output, changed)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert [path.name for path in base.parent.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize("damage", ["cut off", "one bit"])
def test_a_base_that_changed_since_its_map_is_refused(
    base: Path, places: Places, folder: Path, damage: str
) -> None:
    content = bytearray(base.read_bytes())
    if damage == "cut off":
        del content[-100:]
    else:
        content[-100] ^= 1
    base.write_bytes(content)
    refuse(base, places, rounded(folder, places), "not the file that the map of its matrices was made of")


def test_a_missing_base_is_refused(base: Path, places: Places) -> None:
    base.unlink()
    refuse(base, places, [], "No such file")


def test_what_does_not_fit_is_refused(base: Path, places: Places, folder: Path) -> None:
    matrix = matrices_of(folder)[UP]
    refuse(
        base,
        places,
        [("model.layers.7.mlp.up_proj.weight", nearest(matrix, 4))],
        "has no matrix model.layers.7",
    )
    refuse(base, places, [(UP, nearest(matrix, 8))], "32 columns in 8 bits .*, the base has 32 in 4 bits")
    refuse(base, places, [(UP, nearest(matrix[:, :16].copy(), 4))], "16 columns in 4 bits")
    refuse(base, places, [(UP, nearest(matrix[:-1], 4))], "has 63 rows, the base 64")
    refuse(base, places, [(UP, [nearest(matrix, 4), nearest(matrix[:1], 4)])], "more rows than the base's 64")
    refuse(base, places, [(UP, nearest(matrix, 4))] * 2, "given twice")


def test_nothing_is_left_when_the_matrices_end_in_an_error(base: Path, places: Places, folder: Path) -> None:
    def broken() -> Iterator[tuple[str, Quantized]]:
        yield UP, nearest(matrices_of(folder)[UP], 4)
        raise InputError("the disk is gone")

    refuse(base, places, broken(), "the disk is gone")


def test_scales_that_cannot_be_stored_are_refused(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4_block32")
    places = find_places(base, PresetMatrices(folder).items(), SCHEMES["int4_block32"])
    stored = nearest(matrices_of(folder)[UP], 4, 32)
    finer = replace(stored, scales=stored.scales * np.float32(1.0001))
    refuse(base, places, [(UP, finer)], "cannot be stored as float16 without loss")


def test_what_a_graft_does_not_carry_is_named(folder: Path, tmp_path: Path) -> None:
    norm = "model.layers.0.input_layernorm.weight"
    other = with_tensors(
        folder, tmp_path / "norm", {norm: np.ones(32, np.float32)} | noise(matrices_of(folder))
    )
    assert changes_beyond(fixed_by_conversion(folder), fixed_by_conversion(other)) == [norm]
    wider = with_tensors(folder, tmp_path / "wider", {UP: np.ones((96, 32), np.float32)})
    assert changes_beyond(fixed_by_conversion(folder), fixed_by_conversion(wider)) == [UP]
    untied = with_tensors(folder, tmp_path / "untied", {"lm_head.weight": matrices_of(folder)[EMBEDDING]})
    (untied / "tokenizer.model").write_bytes(b"another")
    assert changes_beyond(fixed_by_conversion(folder), fixed_by_conversion(untied)) == [
        "lm_head.weight",
        "tokenizer.model",
    ]
