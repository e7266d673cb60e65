"""An app to package well or badly, for tests of the checks of a finished APK."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.digests import sha256_of_file
from pipeline.targets.android.assets import BASE_ENTRY, MODEL_ENTRY, adapter_entry
from pipeline.targets.android.build import AppBuild
from pipeline.targets.android.check import ApkReport, ExpectedApk, check_apk
from pipeline.targets.android.manifest import AdapterFacts, AppManifest, ModelFacts
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.sign import sign
from pipeline.targets.target import PackagedFile

ABI = "arm64-v8a"
LIBRARY = f"lib/{ABI}/libpocketgemma.so"


@dataclass(frozen=True)
class Workshop:
    """A built app, a model, its base and two adapters, from which a test packages a good or a faulty APK."""

    app: AppBuild
    model: Path
    base: Path
    adapters: tuple[Path, ...]
    folder: Path

    @property
    def expected(self) -> ExpectedApk:
        model, base, *adapters = map(sha256_of_file, (self.model, self.base, *self.adapters))
        files = [
            PackagedFile("model", MODEL_ENTRY, model, model),
            PackagedFile("base", BASE_ENTRY, base, base),
        ]
        files += [PackagedFile("adapter", adapter_entry(each), each, each) for each in adapters]
        return ExpectedApk(self.app.settings, (ABI,), files, self.app.compressed_libraries)

    @property
    def assets(self) -> Assets:
        model, base = (
            ModelFacts(path.stat().st_size, sha256_of_file(path)) for path in (self.model, self.base)
        )
        adapters = {sha256_of_file(path): path for path in self.adapters}
        facts = [AdapterFacts(digest, path.stem, 1, 16, "cd") for digest, path in adapters.items()]
        manifest = AppManifest("Test", model, base, facts).document()
        return Assets(manifest, [], self.model, self.base, adapters)

    def package(self, assets: Assets | None = None, **changes: Any) -> Path:
        """An unsigned APK; `changes` replace fields of the app."""
        unsigned = self.folder / "unsigned.apk"
        package_apk(replace(self.app, **changes), assets or self.assets, unsigned)
        return unsigned

    def signed(self, unsigned: Path) -> Path:
        sign(unsigned, self.folder / "app.apk")
        return self.folder / "app.apk"

    def check(self, unsigned: Path) -> ApkReport:
        return check_apk(self.signed(unsigned), self.expected)


def repack(
    apk: Path, change: Callable[[zipfile.ZipInfo, bytes], tuple[zipfile.ZipInfo, bytes] | None]
) -> Path:
    """Rewrite an unsigned APK; `change` returns the new entry, or None to leave it out."""
    target = apk.with_name("repacked.apk")
    with zipfile.ZipFile(apk) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            changed = change(entry, old.read(entry))
            if changed:
                new.writestr(*changed)
    return target
