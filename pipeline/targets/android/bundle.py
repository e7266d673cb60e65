"""Android's part of the bundle stage: build the app, package the models with it, sign the APK, and check
it."""

import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.run.files import BundleFiles
from pipeline.targets.android.build import build_app
from pipeline.targets.android.check import ApkReport, ExpectedApk, check_apk
from pipeline.targets.android.manifest import AppManifest
from pipeline.targets.android.models import AppModels, app_models
from pipeline.targets.android.native import RUNTIME_PACKAGE
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.sign import check_signing_key, sign
from pipeline.targets.target import BundleReport, BundleRequest

MEGABYTE = 10**6


def bundle_app(request: BundleRequest, folder: Path) -> BundleReport:
    """Write the signed APK, and next to it the models that are too large for it.

    Args:
        request: what to build the app from.
        folder: an empty folder.

    Raises:
        InputError: an input is unusable, or the signing key is not fully specified or cannot sign an app.
        PocketGemmaError: a tool is missing or fails, or the APK does not pass a check.
    """
    check_signing_key()  # Before the work, not after it.
    models = app_models(request.model, request.base, request.adapters, request.max_model_bytes)
    started = time.monotonic()
    app = build_app(request.abis, request.title, compress_libraries=request.compress_libraries)
    seconds = time.monotonic() - started

    assets = Assets(
        manifest=_manifest(request, models).document(),
        questions=request.sample_questions,
        model=models.packaged(models.model),
        base=models.packaged(models.base),
        adapters=models.adapters,
    )
    unsigned, apk = folder / "unsigned.apk", BundleFiles(folder).apk(request.name)
    package_apk(app, assets, unsigned)
    key = sign(unsigned, apk)
    unsigned.unlink()
    models.copy_pushed(folder)

    expected = ExpectedApk(app.settings, request.abis, models.files, request.compress_libraries)
    report = check_apk(apk, expected)
    pushed = list(models.pushed)
    return BundleReport(
        document=report.document() | {"debug_key": key.debug, "beside": pushed},
        details=_details(report, models, seconds, request.sample_questions),
        summary=_summary(report, models, limit=request.max_model_bytes, debug_key=key.debug),
    )


def _manifest(request: BundleRequest, models: AppModels) -> AppManifest:
    return AppManifest(
        name=request.title,
        model=models.model_facts,
        base_model=models.base_facts,
        adapters=models.adapter_facts,
        remembers_conversation=request.remembers_conversation,
        provenance=request.provenance,
        runtime=f"LiteRT-LM {metadata.version(RUNTIME_PACKAGE)}",
    )


def _details(
    report: ApkReport, models: AppModels, seconds: float, questions: Sequence[str]
) -> dict[str, Any]:
    return {
        "app_build_seconds": round(seconds, 1),
        "apk_bytes": report.bytes,
        "installed_bytes": report.installed_bytes,
        "dex_bytes": report.dex_bytes,
        "certificate_sha256": report.certificate_sha256,
        "models": [file.entry for file in models.files if file.actual_sha256],
        "beside": list(models.pushed),
        "sample_questions": list(questions),
    }


def _summary(report: ApkReport, models: AppModels, *, limit: int, debug_key: bool) -> list[str]:
    libraries = "unpacked at installation" if report.compressed_libraries else "mapped from the APK"
    lines = [
        f"{report.path.name}: {report.bytes / MEGABYTE:.1f} MB to download, "
        f"{report.installed_bytes / MEGABYTE:.1f} MB installed "
        f"(native libraries {libraries}), {', '.join(report.abis)}; contains {_contents(report)}; "
        f"code {report.dex_bytes / 1000:.0f} kB; permissions: {', '.join(report.permissions) or 'none'}; "
        f"signed ({', '.join(report.signature_schemes)}) with {'a debug key' if debug_key else 'your key'}"
    ]
    if models.pushed:
        sizes = (f"{name} ({path.stat().st_size / MEGABYTE:.0f} MB)" for name, path in models.pushed.items())
        lines.append(
            f"{' and '.join(sizes)}: not in the APK, because the models take {models.bytes / MEGABYTE:.0f} "
            "MB in total and "
            f"bundle.max_model_mb is {limit / MEGABYTE:.0f}; deploy pushes what is missing to the phone"
        )
    return lines


def _contents(report: ApkReport) -> str:
    count = len(report.adapter_sha256s)
    parts = ["model"] * bool(report.model_sha256) + ["base"] * bool(report.base_sha256)
    parts += [f"{count} adapters" if count > 1 else "adapter"] * bool(count)
    *first, last = parts or ["no model"]
    return f"{', '.join(first)} and {last}" if first else last
