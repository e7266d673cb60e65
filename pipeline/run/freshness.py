"""Whether a recorded result is up to date, and if not, why.

A result is up to date if everything that determines it is as recorded: settings, input files, the results of
earlier stages, the versions of the deciding packages, and our own code. docs/decisions/freshness.md explains
the choices.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.run.manifest import FORMAT, Manifest

SHOWN = 3
"""How many changes of a kind a reason lists."""

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Determinants:
    """What determines the result of a stage, as it is now.

    Attributes:
        settings: values of the recipe.
        inputs: files read from outside the run folder, as a manifest lists them.
        previous: digests of the manifests of earlier stages.
        packages: installed version of each deciding package; None if it is not installed.
        sources: digests of our own code, and of other things that are neither settings nor inputs, by name.
        keep: whether a result stays up to date when packages or sources change.
        in_one_form: makes recorded settings comparable with `settings`: a recipe can say the same in several
            ways, and a key may not have existed yet when a result was recorded.
    """

    settings: Settings
    inputs: Sequence[Mapping[str, Any]]
    previous: Mapping[str, str]
    packages: Mapping[str, str | None] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    in_one_form: Callable[[Settings], Settings] = dict


def reasons_to_run(manifest: Manifest, now: Determinants) -> list[str]:
    """Why a recorded result is out of date, each reason in a few words; empty if it is up to date."""
    recorded = manifest.document
    reasons = _setting_changes(now.in_one_form(recorded["settings"]), now.settings)
    reasons += _input_changes(recorded["inputs"], now.inputs)
    reasons += [
        f"{stage} has a new result"
        for stage in sorted(recorded["previous"].keys() | now.previous.keys())
        if recorded["previous"].get(stage) != now.previous.get(stage)
    ]
    if now.keep:
        return reasons
    if recorded["format"] != FORMAT:
        return [*reasons, "recorded by another version of PocketGemma"]
    reasons += version_changes(manifest, now)
    reasons += [
        f"{name} changed" for name, digest in now.sources.items() if recorded["sources"].get(name) != digest
    ]
    return reasons


def version_changes(manifest: Manifest, now: Determinants) -> list[str]:
    """Deciding packages with another version than recorded, such as "keras 3.15.1 → 3.16.0"."""
    return [
        f"{name} {recorded or 'not installed'} → {version or 'not installed'}"
        for name, recorded, version in _versions(manifest, now)
    ]


def versions_kept(manifest: Manifest, now: Determinants) -> str:
    """For a result that is kept: "made with keras 3.15.1; installed: keras 3.16.0"; empty if all versions are
    as recorded."""
    changed = list(_versions(manifest, now))
    if not changed:
        return ""
    made = ", ".join(f"{name} {recorded}" if recorded else f"no {name}" for name, recorded, _ in changed)
    installed = ", ".join(f"{name} {version}" if version else f"no {name}" for name, _, version in changed)
    return f"made with {made}; installed: {installed}"


def _versions(manifest: Manifest, now: Determinants) -> list[tuple[str, str | None, str | None]]:
    recorded = manifest.document["packages"]
    return [
        (name, recorded.get(name), version)
        for name, version in now.packages.items()
        if recorded.get(name) != version
    ]


def _setting_changes(recorded: Settings, now: Settings) -> list[str]:
    changed = [
        f"{key}: {_value(recorded, key)} → {_value(now, key)}"
        for key in sorted(recorded.keys() | now.keys())
        if key not in recorded or key not in now or recorded[key] != now[key]
    ]
    return [f"settings changed ({_some(changed)})"] if changed else []


def _input_changes(recorded: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    before, after = ({entry["name"]: entry["sha256"] for entry in entries} for entries in (recorded, now))
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [f"input changed ({_some(changed)})"] if changed else []


def _value(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings or settings[key] is None:
        return "none"
    value = settings[key]
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:SHOWN]) + (", …" if len(items) > SHOWN else "")
