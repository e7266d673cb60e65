"""Build the app that contains the verified model, sign it, and check the result."""

import json
import shlex
from pathlib import Path
from typing import Any

from pipeline.addresses import source_name
from pipeline.console import console
from pipeline.digests import digest_of_json
from pipeline.errors import PocketGemmaError
from pipeline.evaluation.interval import wilson_interval
from pipeline.families.registry import read_shape
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from pipeline.recipe.terms import terms_of_weights
from pipeline.run.files import BundleFiles
from pipeline.run.folder import Run
from pipeline.run.sources import code_digest
from pipeline.targets import load_target
from pipeline.targets.questions import answered_questions
from pipeline.targets.target import BundleRequest, Provenance
from pipeline.tuning.registry import METHODS

PACKAGES = ("litert-lm-api",)
CODE = (
    "stages/bundle.py",
    "evaluation",
    "families",
    "formats",
    "litert",
    "quantization",
    "targets",
    "tuning",
    "recipe/terms.py",
)
"""What decides the result besides the recipe and earlier stages: packages by their version, and our own
code."""

MEGABYTE = 10**6

DEMO_LICENCE = (
    "The model, its examples and this app: Apache License 2.0. The model is Gemma 3 in "
    "architecture only; none of Google's weights are in it."
)
GEMMA_LICENCE = (
    "The app: Apache License 2.0. The model is a modified Gemma: it was fine-tuned and "
    "converted "
    "with PocketGemma."
)


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write the app, report.json, and the models that are too large for the app's file.

    Raises:
        InputError: your signing key is not fully specified, or an adapter does not belong to the base.
        PocketGemmaError: a tool is missing or fails, or the app does not pass a check.
    """
    target = load_target(config.bundle.target)
    chosen = config.bundle
    inputs = {f"adapters/{number}": Path(path) for number, path in enumerate(chosen.adapters, 1)}
    with run.stage(
        "bundle",
        settings=chosen.model_dump(exclude={"adapters"})
        | {"name": config.name, "base": _base_name(config), "data": source_name(config.data.train)},
        after=("convert", "verify"),
        inputs=inputs,
        packages=PACKAGES,
        sources={"pipeline code": code_digest(*CODE), **target.freshness()},
        force=force,
    ) as work:
        if work.up_to_date:
            return
        report = target.bundle(_request(config, run), work.folder)
        text = json.dumps(report.document, indent=1) + "\n"
        BundleFiles(work.folder).report.write_text(text, encoding="utf-8")
        work.details.update(report.details)
        for line in report.summary:
            console.print(f"  {line}")


def _request(config: Config, run: Run) -> BundleRequest:
    chosen, converted = config.bundle, run.files.convert
    base = converted.base if config.carries_base else None
    if base and not base.is_file():
        raise PocketGemmaError(
            f"{base}: missing, but bundle.base needs it; run with the same recipe: pocketgemma convert --run "
            f"{shlex.quote(str(run.root))}"
        )
    own = [converted.adapter] if config.convert.adapters == "runtime" else []
    return BundleRequest(
        name=config.name,
        title=chosen.title,
        model=converted.model,
        base=base,
        adapters=[*own, *map(Path, chosen.adapters)],
        abis=chosen.abis,
        compress_libraries=chosen.compress_libraries,
        max_model_bytes=chosen.max_model_mb * MEGABYTE,
        sample_questions=chosen.sample_questions or answered_questions(run.files.verify.answers),
        remembers_conversation=chosen.remembers_conversation,
        provenance=_provenance(config, run),
    )


def _base_name(config: Config) -> str:
    """What the app calls the base: its address, or the name of a local folder or file without its path."""
    preset = config.model.preset
    return preset if "://" in preset else Path(preset).name


def _provenance(config: Config, run: Run) -> Provenance:
    demo, shape = config.model.preset == DEMO, read_shape(run.files.download.preset)
    terms = terms_of_weights(config, shape.family)
    method = METHODS[config.finetune.tuning_method]
    trained, examples = run.manifest("finetune").details, run.manifest("prepare").document
    # How the runtime answered the questions of the verify stage.
    score = json.loads(run.files.verify.report.read_text(encoding="utf-8"))["runtime"]
    share, count = score["exact_match"] / 100, score["count"]
    low, high = wilson_interval(round(share * count), count)
    return Provenance(
        description=config.convert.description or None,
        base="PocketGemma demo" if demo else _base_name(config),
        parameters=shape.parameters,
        data=source_name(config.data.train),
        data_sha256=_data_digest(examples["inputs"]),
        examples=trained.get("examples"),
        method=method.title,
        rank=config.finetune.rank if method.low_rank else None,
        alpha=trained.get("alpha"),
        targets=config.finetune.targets if method.low_rank else (),
        epochs=trained.get("epochs"),
        quantization=config.convert.recipe,
        accuracy=share,
        accuracy_interval=(round(low, 4), round(high, 4)),
        questions=count,
        made=run.manifest("convert").document["finished"][:10],
        licence=DEMO_LICENCE if demo else GEMMA_LICENCE,
        terms=terms.notice if terms else None,
    )


def _data_digest(inputs: list[dict[str, Any]]) -> str:
    """sha256 of the training file, or of the list of digests if there are several."""
    digests: list[str] = [entry["sha256"] for entry in inputs if entry["name"].split("/")[0] == "train"]
    return digests[0] if len(digests) == 1 else digest_of_json(digests)
