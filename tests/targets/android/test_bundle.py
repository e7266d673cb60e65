"""The report of a bundled app, with the steps of the build replaced. tests/stages/test_bundle.py builds real
APKs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.digests import sha256_of_file
from pipeline.targets.android import bundle
from pipeline.targets.android.check import ApkReport, ExpectedApk
from pipeline.targets.android.package import Assets
from pipeline.targets.android.sign import SigningKey
from pipeline.targets.target import BundleReport, BundleRequest, PackagedFile, Provenance
from tests.support.app_models import RANK, write_adapter, write_model


class Steps:
    """Stands in for build, packaging, signing and check; records what each was given."""

    settings = None
    assets: Assets
    expected: ExpectedApk

    def build(self, abis: Sequence[str], title: str, *, compress_libraries: bool) -> Any:
        self.built = (tuple(abis), title, compress_libraries)
        return self

    def package(self, app: Any, assets: Assets, target: Path) -> None:
        self.assets = assets
        target.write_bytes(b"unsigned")

    def sign(self, unsigned: Path, target: Path) -> SigningKey:
        target.write_bytes(unsigned.read_bytes() + b" and signed")
        return SigningKey(Path("debug.p12"), "debug", debug=True, secrets={})

    def check(self, apk: Path, expected: ExpectedApk) -> ApkReport:
        self.expected = expected

        def digests(role: str) -> tuple[str, ...]:
            return tuple(
                each.actual_sha256 for each in expected.files if each.role == role and each.actual_sha256
            )

        return ApkReport(
            path=apk,
            bytes=45_600_000,
            installed_bytes=45_600_000,
            sha256="ab" * 32,
            application_id="io.pocketgemma.chat",
            version="0.1.0",
            min_sdk=24,
            target_sdk=35,
            permissions=(),
            abis=tuple(expected.abis),
            signature_schemes=("v2", "v3"),
            certificate_sha256="cd" * 32,
            dex_bytes=390_000,
            compressed_libraries=expected.compressed_libraries,
            model_sha256=next(iter(digests("model")), None),
            base_sha256=next(iter(digests("base")), None),
            adapter_sha256s=digests("adapter"),
        )


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    made = Steps()
    for name, step in {
        "build_app": made.build,
        "package_apk": made.package,
        "sign": made.sign,
        "check_apk": made.check,
    }.items():
        monkeypatch.setattr(bundle, name, step)
    return made


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> BundleRequest:
    folder = tmp_path_factory.mktemp("models")
    model, base = write_model(folder / "m.litertlm", 1, RANK), write_model(folder / "b.litertlm", 2)
    return BundleRequest(
        "science", "Pocket Science", model, base, provenance=Provenance(description="Knows metals.")
    )


def bundle_app(request: BundleRequest, folder: Path) -> BundleReport:
    folder.mkdir()
    return bundle.bundle_app(request, folder)


def test_the_summary_lists_sizes_contents_permissions_and_signature(
    steps: Steps, request_: BundleRequest, tmp_path: Path
) -> None:
    report = bundle_app(request_, tmp_path / "out")
    assert report.summary == [
        "science.apk: 45.6 MB to download, 45.6 MB installed (native libraries mapped from the APK), "
        "arm64-v8a; contains model and base; "
        "code 390 kB; permissions: none; signed (v2, v3) with a debug key"
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["science.apk"]
    assert (tmp_path / "out" / "science.apk").read_bytes() == b"unsigned and signed"


def test_the_request_reaches_every_step(steps: Steps, request_: BundleRequest, tmp_path: Path) -> None:
    request = replace(
        request_, compress_libraries=True, sample_questions=("Why?",), remembers_conversation=False
    )
    report = bundle_app(request, tmp_path / "out")
    assert steps.built == (("arm64-v8a",), "Pocket Science", True)
    assert (steps.assets.model, steps.assets.base) == (request.model, request.base)
    assert list(steps.assets.questions) == ["Why?"]
    manifest = steps.assets.manifest
    assert (manifest["name"], manifest["description"]) == ("Pocket Science", "Knows metals.")
    assert manifest["remembers_conversation"] is False
    assert manifest["runtime"].startswith("LiteRT-LM ")
    digest = sha256_of_file(request.model)
    assert steps.expected.files[0] == PackagedFile("model", "assets/model.litertlm", digest, digest)
    assert steps.expected.compressed_libraries
    assert report.details["sample_questions"] == ["Why?"]
    assert report.details["models"] == ["assets/model.litertlm", "assets/base.litertlm"]
    assert report.document["debug_key"] is True
    assert report.document["path"] == "science.apk"


def test_models_that_are_too_large_are_reported_and_copied(
    steps: Steps, request_: BundleRequest, tmp_path: Path
) -> None:
    report = bundle_app(replace(request_, max_model_bytes=1_000), tmp_path / "out")
    assert "contains no model;" in report.summary[0]
    assert report.summary[1] == (
        "model.litertlm (0 MB) and base.litertlm (0 MB): not in the APK, because the models take 1 MB in "
        "total and "
        "bundle.max_model_mb is 0; deploy pushes what is missing to the phone"
    )
    assert report.document["beside"] == report.details["beside"] == ["model.litertlm", "base.litertlm"]
    assert (tmp_path / "out" / "model.litertlm").read_bytes() == request_.model.read_bytes()
    assert (steps.assets.model, steps.assets.base) == (None, None)


@pytest.mark.parametrize(
    ("count", "contents"), [(0, "model"), (1, "model and adapter"), (2, "model and 2 adapters")]
)
def test_adapters_are_counted(
    steps: Steps, request_: BundleRequest, tmp_path: Path, count: int, contents: str
) -> None:
    adapters = [write_adapter(tmp_path / f"{number}.tflite", number) for number in range(count)]
    report = bundle_app(replace(request_, base=None, adapters=adapters), tmp_path / "out")
    assert f"; contains {contents};" in report.summary[0]
