"""Put the verified model into the app: build, package, sign, and look into the result as a phone would."""

import json
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.apk.build import build_app
from pipeline.apk.check import ApkReport, ExpectedApk, check_apk
from pipeline.apk.manifest import AppManifest
from pipeline.apk.native import RUNTIME_PACKAGE
from pipeline.apk.package import package_apk
from pipeline.apk.project import source_digest
from pipeline.apk.questions import answered_questions
from pipeline.apk.sign import sign, signer_digest
from pipeline.config import DEMO, Config
from pipeline.console import console
from pipeline.errors import InputError
from pipeline.gemma.shapes import read_shape
from pipeline.run import Run

MODEL = "model.litertlm"
MEGABYTE = 10**6

DEMO_LICENCE = "The model, its examples and this app: Apache License 2.0. The model is Gemma 3 in architecture only; none of Google's weights are in it."
GEMMA_LICENCE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms. "
    "This model is a modified Gemma: it was fine-tuned and converted. The app itself: Apache License 2.0."
)


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write <name>.apk, report.json, and the model beside them when it is too big for the APK.

    Raises:
        InputError: the person's signing key is not fully given, or the adapter is apart from the model.
        PocketGemmaError: a tool is missing or refuses, or the APK is not as it should be.
    """
    if config.convert.adapters == "runtime":
        raise InputError(
            "convert.adapters is runtime, and the app carries one merged model: set convert.adapters: merged for the APK; "
            "`pocketgemma chat` talks to the base with its adapter"
        )
    settings = config.bundle.model_dump() | {
        "name": config.name,
        "app": source_digest(),
        "signer": signer_digest(),
    }
    with run.stage("bundle", settings=settings, after=("convert", "verify"), force=force) as work:
        if work.up_to_date:
            return
        started = time.monotonic()
        app = build_app(config.bundle.abis, config.bundle.title)
        built = time.monotonic() - started

        model = run.folder("convert") / MODEL
        inside = model.stat().st_size <= config.bundle.max_model_mb * MEGABYTE
        manifest = _manifest(config, run, model)
        questions = config.bundle.sample_questions or answered_questions(
            run.folder("verify") / "answers.jsonl"
        )
        unsigned, apk = work.folder / "unsigned.apk", work.folder / f"{config.name}.apk"
        package_apk(app, model if inside else None, manifest.document(), questions, unsigned)
        key = sign(unsigned, apk)
        unsigned.unlink()
        if not inside:
            shutil.copyfile(model, work.folder / MODEL)

        report = check_apk(
            apk, ExpectedApk(app.settings, config.bundle.abis, manifest.model_sha256 if inside else None)
        )
        document = report.document() | {"debug_key": key.debug, "model_inside": inside}
        (work.folder / "report.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        work.details.update(
            app_build_seconds=round(built, 1),
            apk_bytes=report.bytes,
            dex_bytes=report.dex_bytes,
            certificate_sha256=report.certificate_sha256,
            model_inside=inside,
            sample_questions=list(questions),
        )
        _print(report, debug_key=key.debug, inside=inside)


def _manifest(config: Config, run: Run, model: Path) -> AppManifest:
    shape = read_shape(run.folder("download") / "preset")
    demo = config.model.preset == DEMO
    adapter = run.manifest("finetune").details
    score = _score(run.folder("verify") / "report.json")
    return AppManifest(
        name=config.bundle.title,
        model_bytes=model.stat().st_size,
        model_sha256=run.digests.sha256(model),
        description=config.convert.description or None,
        remembers_conversation=config.bundle.remembers_conversation,
        base="PocketGemma demo" if demo else config.model.preset,
        parameters=shape.parameters,
        quantization=config.convert.recipe,
        runtime=f"LiteRT-LM {metadata.version(RUNTIME_PACKAGE)}",
        made=run.manifest("convert").document["finished"][:10],
        licence=DEMO_LICENCE if demo else GEMMA_LICENCE,
        method="LoRA",
        rank=config.finetune.rank,
        alpha=adapter.get("alpha"),
        targets=config.finetune.targets,
        examples=adapter.get("examples"),
        accuracy=score["exact_match"] / 100,
        questions=score["count"],
    )


def _score(report: Path) -> dict[str, Any]:
    """Exact match in percent and number of questions, as the runtime answered them in the verify stage."""
    return json.loads(report.read_text(encoding="utf-8"))["runtime"]


def _print(report: ApkReport, *, debug_key: bool, inside: bool) -> None:
    where = "inside" if inside else "beside the APK"
    console.print(
        f"  {report.path.name}: {report.bytes / MEGABYTE:.1f} MB for {', '.join(report.abis)}, model {where}; "
        f"code {report.dex_bytes / 1000:.0f} kB; permissions: {', '.join(report.permissions) or 'none'}; "
        f"signed ({', '.join(report.signature_schemes)}) with {'a debug key' if debug_key else 'your key'}"
    )
