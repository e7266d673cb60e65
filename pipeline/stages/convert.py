"""From the merged model to the files that phones run."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.data.tokenize import encode
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import hugging_face_name
from pipeline.families.registry import read_family, read_shape
from pipeline.formats.task import LEFT_OUT, bundle_task
from pipeline.gemma.causal_lm import load_causal_lm, use_backend
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.presets import preset_digest
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.conversion import Conversion, Rounded
from pipeline.litert.convert.export import Bundle
from pipeline.litert.graft.weight_map import pieces
from pipeline.litert.memory_estimate import describe_cost, memory_cost
from pipeline.litert.runtime.engine import probe
from pipeline.litert.runtime_adapters import required_rank, write_adapter
from pipeline.quantization.calibration import quantize_calibrated
from pipeline.quantization.quantized_file import read_quantized
from pipeline.quantization.rounding import least_squares
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.schema import Config
from pipeline.run.files import ConvertFiles
from pipeline.run.folder import Run
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.devices import choose_compute


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write model.litertlm; if asked for base.litertlm and model.task; adapter.tflite if the adapter stays apart. Open the models.

    Raises:
        InputError: the adapter cannot stay apart, or the model cannot be grafted but its rounding needs that.
        PocketGemmaError: the converter failed, or its result is not what was asked for.
    """
    settings = config.convert.model_dump() | {
        "description": Bundle.of(config).description,
        "chat_template": read_family(run.files.download.preset).chat.template,
    }
    if config.carries_base:
        settings["base"] = Bundle.of_base(config).description
    after = ("download", "prepare", "finetune", "merge")
    with run.stage("convert", settings=settings, after=after, force=force) as work:
        if work.up_to_date:
            return
        written, adapter = ConvertFiles(work.folder), Adapter.load(run.files.finetune.adapter)
        model = written.model
        if config.convert.adapters == "runtime":
            facts = _base_and_adapter(config, run, adapter, written)
        elif config.convert.graft:
            facts = _graft(config, run, adapter, model)
        else:
            facts = _conversion(config, run).full(model, keep=False)
        probe(model)
        if config.carries_base:
            facts |= {"base": _base(config, run, adapter, written.base)}
            probe(written.base)
        if "task" in config.convert.formats:
            bundle_task(model, written.task, run.files.logs.task)
            probe(written.task)
            console.print(f"  {written.task.name}: {LEFT_OUT}")
        work.details.update(facts, recipe=config.convert.recipe, rounding=config.convert.rounding)
        _print(written, config, facts)


def _conversion(config: Config, run: Run, lora_rank: int | None = None) -> Conversion:
    preset = run.files.download.preset
    digest = preset_digest(preset)
    bundle = Bundle.of(config)
    if lora_rank is not None:
        bundle = replace(bundle, lora_rank=lora_rank, base_digest=digest)
    return Conversion(preset, digest, run.files.merge.huggingface, bundle, run.files.logs.convert)


def _graft(config: Config, run: Run, adapter: Adapter, output: Path) -> dict[str, Any]:
    """Write the merged matrices onto the converted base; the first time, convert the merged model and keep its base."""
    conversion = _conversion(config, run)
    plain = config.convert.rounding == "nearest" and not adapter.scales
    base = conversion.kept()
    if base is not None and (beyond := conversion.beyond(base)):
        reason = f"a graft carries matrices only, and {', '.join(beyond[:3])}{', …' * (len(beyond) > 3)} changed too"
        if not plain:
            raise InputError(f"this rounding is written by the graft, which is not possible here: {reason}")
        return conversion.full(output, keep=False) | {"no_graft": reason}
    if base is None:
        facts = conversion.full(output, keep=True)
        base = conversion.kept()
        if base is None:
            if not plain:
                raise InputError(
                    f"this rounding is written by the graft, which is not possible here: {facts['no_graft']}"
                )
            return facts
        if plain:
            return facts
        output.unlink()
        return facts | conversion.graft(base, output, _rounded(config, run, adapter))
    return conversion.graft(base, output, _rounded(config, run, adapter))


def _rounded(config: Config, run: Run, adapter: Adapter) -> Rounded:
    """What is to be stored of every matrix that is not the converted base's own."""
    settings, scheme = config.convert, SCHEMES[config.convert.recipe]
    folder = run.files.merge.huggingface
    merged = PresetMatrices(folder)
    if adapter.scales:
        return ((name, adapter.quantized(name, merged.read(name))) for name in merged.names())
    if settings.rounding == "gptq":
        return _calibrated(config, run, folder)
    if settings.rounding == "least_squares":
        return _least_squares(config, merged)
    return (
        (name, pieces(merged[name], scheme.bits_of(name), scheme.block_of(name)))
        for name in map(hugging_face_name, adapter.tensors)
    )


def _least_squares(config: Config, matrices: PresetMatrices) -> Rounded:
    scheme = SCHEMES[config.convert.recipe]
    return (
        (name, pieces(matrix, scheme.bits_of(name), scheme.block_of(name), least_squares))
        for name, matrix in matrices.items()
    )


def _calibrated(config: Config, run: Run, folder: Path) -> Iterator[Any]:
    tokenizer = Tokenizer.of_preset(folder)
    examples = encode(read_examples(run.files.prepare.train), tokenizer)
    output = run.files.logs.rounded
    quantize_calibrated(folder, examples, config.convert.recipe, output, run.files.logs.rounding)
    yield from read_quantized(output)
    output.unlink()


def _base_and_adapter(config: Config, run: Run, adapter: Adapter, written: ConvertFiles) -> dict[str, Any]:
    """The base with LoRA tensors as inputs, and the adapter as a file of its own."""
    rank = required_rank(adapter)
    conversion = _conversion(config, run, lora_rank=rank)
    facts: dict[str, Any] = {}
    base = conversion.kept()
    if base is None:
        # What is converted carries the merged matrices; keeping its base puts the base's own back.
        merged = written.folder / ".merged.litertlm"
        facts = conversion.full(merged, keep=True)
        merged.unlink()
        base = conversion.kept()
        if base is None:
            raise PocketGemmaError(f"the base could not be taken apart from the adapter: {facts['no_graft']}")
    plain = config.convert.rounding == "nearest"
    rounded = () if plain else _least_squares(config, PresetMatrices(conversion.preset))
    facts |= conversion.graft(base, written.model, rounded)
    write_adapter(adapter, written.adapter, rank=rank, name=config.name)
    return facts | {"lora_rank": rank, "adapter_bytes": written.adapter.stat().st_size}


def _base(config: Config, run: Run, adapter: Adapter, output: Path) -> dict[str, Any]:
    """The base alone, as the model was converted: what was kept of it, else a conversion of its own."""
    conversion = replace(_conversion(config, run), bundle=Bundle.of_base(config))
    base = conversion.kept() if config.convert.graft else None
    if base is not None:
        plain = conversion.bundle.rounding == "nearest"
        rounded = () if plain else _least_squares(config, PresetMatrices(conversion.preset))
        return conversion.graft(base, output, rounded)
    use_backend(
        choose_compute(
            config.finetune.backend, config.finetune.dtype, read_shape(conversion.preset).parameters
        ).backend
    )
    folder = output.with_name(".base")
    write_hugging_face(load_causal_lm(conversion.preset), Tokenizer.of_preset(conversion.preset), folder)
    facts = replace(conversion, merged=folder).full(output, keep=False)
    shutil.rmtree(folder)
    return facts


def _print(written: ConvertFiles, config: Config, facts: dict[str, Any]) -> None:
    console.print(
        f"  {written.model.name}: {facts['bytes'] / 1e6:.1f} MB, {config.convert.recipe}, {config.convert.context_length} tokens of context; {_how(config, facts)}"
    )
    console.print(f"  {describe_cost(memory_cost(written.model))}")
    if "no_graft" in facts:
        console.print(f"  converted in full: {facts['no_graft']}")
    if "base" in facts:
        console.print(
            f"  {written.base.name}: {facts['base']['bytes'] / 1e6:.1f} MB, for before / after; {_how_base(facts['base'])}"
        )
    if "lora_rank" in facts:
        console.print(
            f"  {written.adapter.name}: {facts['adapter_bytes'] / 1e3:.0f} kB, rank {facts['lora_rank']}, given to the model when it is open"
        )


def _how_base(facts: dict[str, Any]) -> str:
    if "converter_seconds" in facts:
        return f"the converter took {facts['converter_seconds']:.0f} s"
    return f"{facts['matrices']} matrices rounded anew" if facts["matrices"] else "the base, unchanged"


def _how(config: Config, facts: dict[str, Any]) -> str:
    """How the file came to be, in a few words."""
    steps = []
    if "converter_seconds" in facts:
        steps.append(
            f"the converter took {facts['converter_seconds']:.0f} s and {facts['peak_memory_bytes'] / 1e9:.1f} GB"
        )
    if facts["method"] == "graft" and facts["matrices"]:
        by = "as trained" if config.finetune.quantization_aware else f"by {config.convert.rounding}"
        rounded = "" if by == "by nearest" else f", rounded {by},"
        steps.append(
            f"{facts['matrices']} matrices{rounded} grafted onto the base in {facts['seconds']:.1f} s"
        )
    return "; ".join(steps) or "the base as it was kept"
