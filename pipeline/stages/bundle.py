"""Put the verified model into the app: build, package, sign, and look into the result as a phone would."""

import json
import shutil
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.console import console
from pipeline.errors import PocketGemmaError
from pipeline.evaluation.interval import wilson_interval
from pipeline.families.registry import read_shape
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from pipeline.run.files import BundleFiles
from pipeline.run.folder import Run
from pipeline.targets.android.build import build_app
from pipeline.targets.android.check import ApkReport, ExpectedApk, check_apk
from pipeline.targets.android.manifest import AppManifest
from pipeline.targets.android.models import AppModels, app_models
from pipeline.targets.android.native import RUNTIME_PACKAGE
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.project import source_digest
from pipeline.targets.android.questions import answered_questions
from pipeline.targets.android.sign import sign, signer_digest

MEGABYTE = 10**6

DEMO_LICENCE = "The model, its examples and this app: Apache License 2.0. The model is Gemma 3 in architecture only; none of Google's weights are in it."
GEMMA_LICENCE = "The app: Apache License 2.0. The model is a modified Gemma: it was fine-tuned and converted with PocketGemma."
GEMMA_TERMS = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms."
)


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write <name>.apk, report.json, and beside them the models that are too big for the APK.

    Raises:
        InputError: the person's signing key is not fully given, or an adapter does not belong to the base.
        PocketGemmaError: a tool is missing or refuses, or the APK is not as it should be.
    """
    chosen = config.bundle
    settings = chosen.model_dump(exclude={"adapters"}) | {
        "name": config.name,
        "app": source_digest(),
        "signer": signer_digest(),
    }
    inputs = {f"adapters/{number}": Path(path) for number, path in enumerate(chosen.adapters, 1)}
    after = ("convert", "verify")
    with run.stage("bundle", settings=settings, after=after, inputs=inputs, force=force) as work:
        if work.up_to_date:
            return
        models = _models(config, run)
        started = time.monotonic()
        app = build_app(chosen.abis, chosen.title, compress_libraries=chosen.compress_libraries)
        built = time.monotonic() - started

        questions = chosen.sample_questions or answered_questions(run.files.verify.answers)
        assets = Assets(
            manifest=_manifest(config, run, models).document(),
            questions=questions,
            model=models.inside(models.model),
            base=models.inside(models.base),
            adapters=models.adapters,
        )
        written = BundleFiles(work.folder)
        unsigned, apk = work.folder / "unsigned.apk", written.apk(config.name)
        package_apk(app, assets, unsigned)
        key = sign(unsigned, apk)
        unsigned.unlink()
        for path in models.beside:
            shutil.copyfile(path, work.folder / path.name)

        expected = ExpectedApk(app.settings, chosen.abis, models.carried, chosen.compress_libraries)
        report = check_apk(apk, expected)
        document = report.document() | {
            "debug_key": key.debug,
            "beside": [path.name for path in models.beside],
        }
        written.report.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        work.details.update(
            app_build_seconds=round(built, 1),
            apk_bytes=report.bytes,
            installed_bytes=report.installed_bytes,
            dex_bytes=report.dex_bytes,
            certificate_sha256=report.certificate_sha256,
            models=[each.entry for each in models.carried if each.inside],
            beside=document["beside"],
            sample_questions=list(questions),
        )
        _print(report, models, limit=chosen.max_model_mb, debug_key=key.debug)


def _models(config: Config, run: Run) -> AppModels:
    converted = run.files.convert
    base = converted.base
    if config.carries_base and not base.is_file():
        raise PocketGemmaError(
            f"{base}: missing, and bundle.base wants it; run: pocketgemma convert --run {run.root}, with the same recipe"
        )
    own = [converted.adapter] if config.convert.adapters == "runtime" else []
    return app_models(
        converted.model,
        base if config.carries_base else None,
        [*own, *map(Path, config.bundle.adapters)],
        limit=config.bundle.max_model_mb * MEGABYTE,
    )


def _manifest(config: Config, run: Run, models: AppModels) -> AppManifest:
    demo = config.model.preset == DEMO
    trained, examples = run.manifest("finetune").details, run.manifest("prepare").document
    score = _score(run.files.verify.report)
    share, count = score["exact_match"] / 100, score["count"]
    low, high = wilson_interval(round(share * count), count)
    return AppManifest(
        name=config.bundle.title,
        model=models.model_facts,
        base_model=models.base_facts,
        adapters=models.adapter_facts,
        description=config.convert.description or None,
        remembers_conversation=config.bundle.remembers_conversation,
        base="PocketGemma demo" if demo else config.model.preset,
        parameters=read_shape(run.files.download.preset).parameters,
        data=Path(examples["places"]["train"]).name,
        data_sha256=next(entry["sha256"] for entry in examples["inputs"] if entry["name"] == "train"),
        examples=trained.get("examples"),
        method="LoRA",
        rank=config.finetune.rank,
        alpha=trained.get("alpha"),
        targets=config.finetune.targets,
        epochs=trained.get("epochs"),
        quantization=config.convert.recipe,
        accuracy=share,
        accuracy_interval=(round(low, 4), round(high, 4)),
        questions=count,
        runtime=f"LiteRT-LM {metadata.version(RUNTIME_PACKAGE)}",
        made=run.manifest("convert").document["finished"][:10],
        licence=DEMO_LICENCE if demo else GEMMA_LICENCE,
        terms=None if demo else GEMMA_TERMS,
    )


def _score(report: Path) -> dict[str, Any]:
    """Exact match in percent and number of questions, as the runtime answered them in the verify stage."""
    return json.loads(report.read_text(encoding="utf-8"))["runtime"]


def _print(report: ApkReport, models: AppModels, *, limit: int, debug_key: bool) -> None:
    libraries = "unpacked by the phone" if report.compressed_libraries else "mapped from the APK"
    console.print(
        f"  {report.path.name}: {report.bytes / MEGABYTE:.1f} MB to download, {report.installed_bytes / MEGABYTE:.1f} MB installed "
        f"(libraries {libraries}) for {', '.join(report.abis)}; {_carried(report)}; code {report.dex_bytes / 1000:.0f} kB; "
        f"permissions: {', '.join(report.permissions) or 'none'}; "
        f"signed ({', '.join(report.signature_schemes)}) with {'a debug key' if debug_key else 'your key'}"
    )
    if models.beside:
        named = " and ".join(
            f"{path.name} ({path.stat().st_size / MEGABYTE:.0f} MB)" for path in models.beside
        )
        console.print(
            f"  {named}: beside the APK, because models take {models.bytes / MEGABYTE:.0f} MB in all and bundle.max_model_mb is "
            f"{limit}; deploy pushes what lies there"
        )


def _carried(report: ApkReport) -> str:
    """What lies in the APK, in words."""
    parts: Sequence[tuple[object, str]] = (
        (report.model_sha256, "model"),
        (report.base_sha256, "base"),
        (len(report.adapter_sha256s) == 1, "adapter"),
        (len(report.adapter_sha256s) > 1, f"{len(report.adapter_sha256s)} adapters"),
    )
    inside = [name for there, name in parts if there]
    return f"{', '.join(inside)} inside" if inside else "no model inside"
