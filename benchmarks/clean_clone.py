"""Time from a clean clone to a signed APK, and of a second run in the same folder.

    python benchmarks/clean_clone.py

Clones this repository into a temporary folder with an empty build cache and runs `make finetune convert
deploy` there twice. Packages come from the sources that uv, apt and Maven are configured to use. Writes
docs/measurements/clean_clone.json.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from pipeline.machine import describe_machine
from pipeline.run.files import RunFiles
from pipeline.run.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "clean_clone.json"
TARGETS = ("finetune", "convert", "deploy")


def timed(*command: str, folder: Path, environment: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, env=environment)
    return round(time.monotonic() - started, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="clone into this new folder and keep it")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="pocketgemma-pipeline-"))
    folder.mkdir(parents=True, exist_ok=True)
    clone = folder / "clone"
    environment = {
        key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    environment["POCKETGEMMA_CACHE"] = str(folder / "cache")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)

    seconds = {
        "make setup, system packages already installed": timed(
            "make", "setup", folder=clone, environment=environment
        )
    }
    first = timed("make", *TARGETS, folder=clone, environment=environment)
    seconds["make finetune convert deploy, first run"] = first
    seconds |= {f"of which {name}": part for name, part in stages(clone).items()}
    seconds["clean clone to signed APK, total"] = round(
        seconds["make setup, system packages already installed"] + first, 1
    )
    seconds["make finetune convert deploy, second run"] = timed(
        "make", *TARGETS, folder=clone, environment=environment
    )
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/clean_clone.py",
        "machine": describe_machine() | {"cores": os.cpu_count()},
        "seconds": seconds,
        "apk_report": json.loads(
            RunFiles(clone / "runs" / "science").bundle.report.read_text(encoding="utf-8")
        ),
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def stages(clone: Path) -> dict[str, float]:
    """Seconds of each stage in the order in which they finished, from the manifests."""
    files = RunFiles(clone / "runs" / "science")
    manifests = [path for name in STAGES if (path := files.stage(name).manifest).is_file()]
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in manifests]
    documents.sort(key=lambda document: document["finished"])
    return {document["stage"]: document["seconds"] for document in documents}


if __name__ == "__main__":
    main()
