"""From the merged model to the files that phones run."""

from typing import Any

from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.families.registry import read_family, read_shape
from pipeline.formats.task import LEFT_OUT
from pipeline.gemma.causal_lm import Backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.conversion import Base, Conversion, RuntimeAdapter, convert
from pipeline.litert.convert.task_writer import write_task
from pipeline.litert.graft.base_cache import CONVERTERS
from pipeline.litert.memory_estimate import describe_cost, memory_cost
from pipeline.litert.runtime.probe import probe
from pipeline.recipe.model_specs import base_spec, model_spec, rounding_of
from pipeline.recipe.schema import Config
from pipeline.run.files import ConvertFiles
from pipeline.run.folder import Run
from pipeline.run.sources import code_digest
from pipeline.tuning.devices import choose_compute
from pipeline.tuning.load import load_adapter

PACKAGES = (*CONVERTERS, "ai-edge-litert", "keras-hub", "mediapipe", "numpy")
CODE = (
    "stages/convert.py",
    "isolation.py",
    "recipe/model_specs.py",
    "recipe/terms.py",
    "data",
    "families",
    "formats",
    "gemma",
    "litert",
    "quantization",
    "tuning",
)
"""What decides the result besides the recipe and earlier stages: packages by their version, and our own
code."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write the model, and the base, the .task file and the run-time adapter if the recipe requests them;
    open each model in the runtime.

    Raises:
        InputError: the runtime cannot take the adapter, or the rounding requires grafting, but the model
            cannot be grafted.
        PocketGemmaError: the converter failed, or its result differs from what was requested.
    """
    with run.stage(
        "convert",
        settings=config.convert.model_dump() | {"name": config.name, "base": config.carries_base},
        after=("download", "prepare", "finetune", "merge"),
        packages=PACKAGES,
        sources={"pipeline code": code_digest(*CODE)},
        force=force,
    ) as work:
        if work.up_to_date:
            return
        written = ConvertFiles(work.folder)
        facts = convert(_conversion(config, run, written))
        probe(written.model)
        if config.carries_base:
            probe(written.base)
        if "task" in config.convert.formats:
            write_task(written.model, written.task, run.files.logs.task)
            probe(written.task)
            console.print(f"  {written.task.name}: {LEFT_OUT}")
        work.details.update(facts, recipe=config.convert.recipe, rounding=config.convert.rounding)
        _print(written, config, facts)


def _conversion(config: Config, run: Run, written: ConvertFiles) -> Conversion:
    """What the recipe asks of the conversion, as plain values."""
    preset, merged = run.files.download.preset, run.files.merge.huggingface

    def examples() -> EncodedExamples:
        return encode(read_examples(run.files.prepare.train), Tokenizer.of_preset(merged))

    def keras_backend() -> Backend:
        parameters = read_shape(preset).parameters
        return choose_compute(config.finetune.backend, config.finetune.dtype, parameters).backend

    family = read_family(preset)
    separate = config.convert.adapters == "runtime"
    return Conversion(
        preset=preset,
        merged=merged,
        adapter=load_adapter(run.files.finetune.adapter),
        model=written.model,
        spec=model_spec(config, family),
        may_graft=config.convert.graft,
        runtime_adapter=RuntimeAdapter(written.adapter, config.name) if separate else None,
        base=Base(written.base, base_spec(config, family)) if config.carries_base else None,
        examples=examples,
        keras_backend=keras_backend,
        logs=run.files.logs,
    )


def _print(written: ConvertFiles, config: Config, facts: dict[str, Any]) -> None:
    settings = config.convert
    console.print(
        f"  {written.model.name}: {_megabytes(facts)}, {settings.recipe}, context length "
        f"{settings.context_length:,} tokens; "
        f"{_steps(config, facts)}"
    )
    console.print(f"  {describe_cost(memory_cost(written.model))}")
    if "no_graft" in facts:
        console.print(f"  converted without grafting: {facts['no_graft']}")
    if "base" in facts:
        base = facts["base"]
        console.print(
            f"  {written.base.name}: {_megabytes(base)}, the base before fine-tuning; {_base_steps(base)}"
        )
    if "lora_rank" in facts:
        size = f"{facts['adapter_bytes'] / 1e3:.0f} kB"
        console.print(
            f"  {written.adapter.name}: {size}, rank {facts['lora_rank']}, loaded into the open model at run "
            "time"
        )


def _megabytes(facts: dict[str, Any]) -> str:
    return f"{facts['bytes'] / 1e6:.1f} MB"


def _steps(config: Config, facts: dict[str, Any]) -> str:
    """How the model file was made, in a few words."""
    steps = []
    if "converter_seconds" in facts:
        memory = f"{facts['peak_memory_bytes'] / 1e9:.1f} GB"
        steps.append(f"converted in {facts['converter_seconds']:.0f} s, peak memory {memory}")
    if facts["method"] == "graft" and facts["matrices"]:
        rounding = rounding_of(config)
        rounded = "" if rounding == "nearest" else f" ({rounding} rounding)"
        steps.append(f"grafted {facts['matrices']} matrices{rounded} in {facts['seconds']:.1f} s")
    return "; ".join(steps) or "the cached base, unchanged"


def _base_steps(facts: dict[str, Any]) -> str:
    if "converter_seconds" in facts:
        return f"converted in {facts['converter_seconds']:.0f} s"
    return f"grafted {facts['matrices']} matrices" if facts["matrices"] else "the cached base, unchanged"
