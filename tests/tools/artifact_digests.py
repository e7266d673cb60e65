"""Digests of everything that the pipeline hands to a user, for comparing two versions of the code on one
machine.

    python -m tests.tools.artifact_digests record --checkout DIR --work DIR --out FILE
    python -m tests.tools.artifact_digests compare BEFORE AFTER

`record` runs each recipe in configs/ up to the APK with the code of a checkout, then some further conversions
of the demo, and writes the sha256 of each adapter, merged folder, .litertlm, .task, run-time adapter and APK
entry. A refactoring leaves all of them as they were.

Recipes that download a Gemma run on the embedded demo model instead: the code path is the same. Numbers
depend on the processor and on the number of threads, so both records must come from one machine.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

DEMO_RECIPE = "science"

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "int4": ("convert.recipe=int4",),
    "int4_embedding_int8-gptq": ("convert.recipe=int4_embedding_int8", "convert.rounding=gptq"),
    "int4_block32-least_squares": ("convert.recipe=int4_block32", "convert.rounding=least_squares"),
    "fp16": ("convert.recipe=fp16",),
    "fp32-task": ("convert.recipe=fp32", "convert.formats=[litertlm, task]"),
    "int8-full": ("convert.graft=false",),
    "int4-quantization-aware": ("convert.recipe=int4", "finetune.quantization_aware=true"),
}
"""Further conversions of the demo: a name, and what is set on top of its recipe."""

STAGES = ("finetune", "merge", "convert", "bundle")
IGNORED = {"manifest.json", "report.json", "history.csv"}
"""Run manifests and reports: they hold times."""

VOLATILE_KEYS = {"metadata.json": ("date_saved",)}
"""Keys with a time in files that libraries write."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record")
    record.add_argument("--checkout", type=Path, required=True)
    record.add_argument("--work", type=Path, required=True)
    record.add_argument("--out", type=Path, required=True)
    record.add_argument("--only", nargs="*", help="names of recipes and variants; all if not given")
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        return _compare(options.before, options.after)
    return _record(options.checkout.resolve(), options.work.resolve(), options.out, options.only)


def _record(checkout: Path, work: Path, out: Path, only: list[str] | None) -> int:
    found: dict[str, dict[str, str]] = {}
    for recipe in sorted((checkout / "configs").glob("*.yaml")):
        name = recipe.stem
        if only and name not in only:
            continue
        settings = []
        if "://" in recipe.read_text(encoding="utf-8").split("data:")[0]:
            settings.append("model.preset=demo")
        _pipeline(checkout, work, "bundle", recipe, work / name, settings)
        found[name] = dict(_digests(work / name))
        _write(out, found)
    demo = checkout / "configs" / f"{DEMO_RECIPE}.yaml"
    for name, variant in VARIANTS.items():
        if only and name not in only:
            continue
        _pipeline(checkout, work, "convert", demo, work / f"{DEMO_RECIPE}-variants", variant)
        found[name] = dict(_digests(work / f"{DEMO_RECIPE}-variants"))
        _write(out, found)
    return 0


def _pipeline(
    checkout: Path, work: Path, stage: str, recipe: Path, run: Path, settings: "list[str] | tuple[str, ...]"
) -> None:
    command = [sys.executable, "-m", "pipeline", stage, "--config", str(recipe), "--run", str(run)]
    for setting in settings:
        command += ["--set", setting]
    environment = os.environ | {"PYTHONPATH": str(checkout), "POCKETGEMMA_CACHE": str(work / "cache")}
    print(" ".join(command[3:]), flush=True)
    subprocess.run(command, cwd=checkout, env=environment, check=True)


def _digests(run: Path) -> Iterator[tuple[str, str]]:
    for stage in STAGES:
        for path in sorted((run / stage).rglob("*")):
            name = path.relative_to(run).as_posix()
            if not path.is_file() or path.name in IGNORED or "tensorboard" in name:
                continue
            if path.suffix != ".apk":
                yield name, _sha256(path.name, path.read_bytes())
                continue
            with zipfile.ZipFile(path) as apk:
                for entry in sorted(apk.namelist()):
                    yield f"{name}!{entry}", _sha256(entry, apk.read(entry))


def _sha256(name: str, content: bytes) -> str:
    volatile = VOLATILE_KEYS.get(name.rpartition("/")[2])
    if volatile:
        document = {key: value for key, value in json.loads(content).items() if key not in volatile}
        content = json.dumps(document, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _write(out: Path, found: Mapping[str, Mapping[str, str]]) -> None:
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _compare(before: Path, after: Path) -> int:
    """Print what differs, by recipe; returns the number of files and entries that do, at most 1 as an exit
    code."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    different = 0
    for name in sorted(old.keys() | new.keys()):
        ours, theirs = old.get(name, {}), new.get(name, {})
        changed = sorted(each for each in ours.keys() | theirs.keys() if ours.get(each) != theirs.get(each))
        print(f"{name}: {len(ours)} before, {len(theirs)} after, {len(changed)} differ")
        for each in changed:
            state = "gone" if each not in theirs else "new" if each not in ours else "changed"
            print(f"  {state}: {each}")
        different += len(changed)
    return min(different, 1)


if __name__ == "__main__":
    sys.exit(main())
