"""Time from a clean clone to a signed APK, as a newcomer walks it, and the second walk over the same folder.

    python benchmarks/road.py

Clones this repository into a temporary folder with an empty build cache and runs `make finetune convert deploy` there, twice. Packages come
from wherever uv, apt and Maven are set to fetch them. Writes docs/measurements/road.json.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from pipeline.machine import describe_machine

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "road.json"
TARGETS = ("finetune", "convert", "deploy")


def timed(*command: str, folder: Path, environment: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, env=environment)
    return round(time.monotonic() - started, 1)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pocketgemma-road-") as folder:
        clone = Path(folder) / "clone"
        environment = {
            key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")
        }
        environment["POCKETGEMMA_CACHE"] = str(Path(folder) / "cache")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        seconds = {
            "setup (system packages present, Python packages installed)": timed(
                "make", "setup", folder=clone, environment=environment
            )
        }
        first = timed("make", *TARGETS, folder=clone, environment=environment)
        seconds["make finetune convert deploy, the first time"] = first
        seconds["of that: " + ", ".join(stages(clone))] = first
        seconds["clean clone to signed APK, in all"] = round(sum(list(seconds.values())[:2]), 1)
        seconds["the second time"] = timed("make", *TARGETS, folder=clone, environment=environment)
        apk = clone / "runs" / "science" / "bundle" / "science.apk"
        document = {
            "date": time.strftime("%Y-%m-%d"),
            "command": "python benchmarks/road.py",
            "machine": describe_machine() | {"cores": os.cpu_count()},
            "seconds": seconds,
            "apk_bytes": apk.stat().st_size,
            "apk_report": json.loads((apk.parent / "report.json").read_text(encoding="utf-8")),
        }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def stages(clone: Path) -> list[str]:
    """Each stage with its seconds, as its manifest tells."""
    manifests = (clone / "runs" / "science").glob("*/manifest.json")
    documents = sorted(
        (json.loads(path.read_text(encoding="utf-8")) for path in manifests),
        key=lambda document: document["finished"],
    )
    return [f"{document['stage']} {document['seconds']:.0f}" for document in documents]


if __name__ == "__main__":
    main()
