"""The report on a bare .tflite, and on each .tflite in another file."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.formats.tflite import IDENTIFIER, Tflite
from pipeline.formats.tflite import Tensor as TfliteTensor
from pipeline.formats.tflite_model import LanguageModel, language_model, read_language_model
from pipeline.inspect.facts import Model, Report, Signature, Tensor


def report_tflite(path: Path, tflite: Tflite) -> Report:
    """All about a .tflite that was read."""
    model = model_facts("model", language_model(tflite))
    return Report("tflite", path.name, path.stat().st_size, sha256_of_file(path), models=(model,))


def read_model(data: memoryview, name: str, where: str, notes: list[str]) -> LanguageModel | None:
    """A .tflite in another file; None, and a note, when it is not a plain .tflite.

    Raises:
        InputError: damaged or truncated.
    """
    if data[4:8] == IDENTIFIER:
        return read_language_model(data, f"{where}, its {name}")
    notes.append(f"{name} is not a plain .tflite (it starts with {bytes(data[:8])!r}): not inspected")
    return None


def model_facts(name: str, model: LanguageModel) -> Model:
    """What the report lists about a model under a name."""
    tflite = model.tflite
    return Model(
        name=name,
        bytes=tflite.bytes,
        signatures=tuple(
            Signature(
                each.name, _tensors(tflite.inputs(each).items()), _tensors(tflite.outputs(each).items())
            )
            for each in tflite.signatures
        ),
        matrices=model.matrices,
        totals=model.totals,
        prefill_lengths=model.prefill_lengths,
        context_length=model.context_length,
        kv_cache_bytes=model.kv_cache_bytes,
        lora_rank=model.lora_rank,
    )


def unknown_model(name: str, size: int) -> Model:
    """What the report lists about a model of some bytes that cannot be read."""
    return Model(name, size, (), (), (), (), None, 0, None)


def _tensors(named: Iterable[tuple[str, TfliteTensor]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, tensor.shape, tensor.dtype) for name, tensor in named)
