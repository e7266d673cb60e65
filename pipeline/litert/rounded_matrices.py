"""The matrices that a graft writes, each rounded as the recipe and the adapter require."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.weight_map import quantized_pieces
from pipeline.quantization.calibration import quantize_calibrated
from pipeline.quantization.quantized_file import read_quantized
from pipeline.quantization.rounding import Quantized
from pipeline.quantization.roundings import NEAREST, TRAINED, find_rounding
from pipeline.quantization.schemes import SCHEMES
from pipeline.run.files import LogFiles
from pipeline.tuning.adapter import Adapter

RoundedMatrices = Iterable[tuple[str, Quantized | Iterable[Quantized]]]
"""Hugging Face names and rounded matrices, each whole or some rows at a time."""

Examples = Callable[[], EncodedExamples]
"""Reads the training examples; called only if a rounding calibrates on them."""


def merged_matrices(
    folder: Path, adapter: Adapter, recipe: str, rounding: str, examples: Examples, logs: LogFiles
) -> RoundedMatrices:
    """The matrices of a merged model that differ from those of its converted base.

    Args:
        folder: the Hugging Face folder of base and adapter.
        adapter: as trained; after quantization-aware training it brings the scales of all matrices.
        recipe: a name in SCHEMES.
        rounding: `nearest` gives the matrices with an adapter; any other rounding gives all.
        examples: for a rounding that calibrates.
        logs: for the log of the calibration, and for its result until it is read.
    """
    merged, deltas, chosen = PresetMatrices(folder), adapter.method.deltas(adapter), find_rounding(rounding)
    if chosen is TRAINED:
        return ((name, deltas.quantized(name, merged.read(name))) for name in merged.names())
    if chosen.needs_calibration:
        return _calibrated(folder, recipe, rounding, examples, logs)
    names = list(deltas.matrices) if chosen is NEAREST else merged.names()
    return _rounded(merged, names, recipe, rounding)


def base_matrices(preset: Path, recipe: str, rounding: str) -> RoundedMatrices:
    """The base's own matrices that differ from those of its converted base, which are rounded to nearest.

    Args:
        preset: folder of the base.
        recipe: a name in SCHEMES.
        rounding: `nearest` gives none; any other rounding, which must need neither calibration nor training,
            gives all.
    """
    matrices = PresetMatrices(preset)
    return () if rounding == NEAREST.name else _rounded(matrices, matrices.names(), recipe, rounding)


def _rounded(
    matrices: PresetMatrices, names: Iterable[str], recipe: str, rounding: str
) -> Iterator[tuple[str, Iterable[Quantized]]]:
    scheme, of_weights = SCHEMES[recipe], find_rounding(rounding).of_weights
    assert of_weights
    for name in names:
        bits, block = scheme.bits_of(name), scheme.block_of(name)
        yield name, quantized_pieces(matrices[name], bits, block, of_weights)


def _calibrated(
    folder: Path, recipe: str, rounding: str, examples: Examples, logs: LogFiles
) -> Iterator[tuple[str, Quantized]]:
    quantize_calibrated(folder, examples(), recipe, rounding, logs.rounded, logs.rounding)
    yield from read_quantized(logs.rounded)
    logs.rounded.unlink()
