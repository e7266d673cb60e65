"""A graft compared with a full conversion, on random weights in the shapes of real Gemmas.

    python benchmarks/graft.py 270m 1b [--folder DIR]

For each shape, in one run: convert the base (bfloat16, as published) in full, locate its matrices, convert a
merged model (rank 8 on all seven target matrices) in full, and graft the same adapter onto the converted base
with `pocketgemma graft`, with a cold and with a warm page cache. The grafted file must equal the converted
file byte for byte. Writes docs/measurements/graft.json.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapes import SHAPES, write_folder

from pipeline.families.family import GemmaShape
from pipeline.families.gemma3 import GEMMA3
from pipeline.formats.safetensors import SafetensorsTensor, float_tensors, write_float32
from pipeline.gemma.presets import preset_digest
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.graft.adapter import MAP_SUFFIX
from pipeline.litert.model_spec import ModelSpec
from pipeline.machine import PeakMemory, describe_machine, high_water_mark, package_versions
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Rows
from pipeline.tuning.load import load_adapter
from pipeline.tuning.methods.lora import LoraFactors

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "graft.json"
RANK = 8
TARGETS = {
    "all seven": tuple(matrix.name for matrix in GEMMA3.matrices),
    "query and value": ("query", "value"),
}
WARM_RUNS = 3
SPEC = ModelSpec(
    recipe="int8",
    prefill_lengths=(128,),
    context_length=1024,
    temperature=1.0,
    top_k=64,
    top_p=0.95,
    description="random weights",
)


def random_adapter(shape: GemmaShape, targets: tuple[str, ...], digest: str) -> Adapter:
    """A and B of every adapted matrix in Keras's layout, normal with standard deviation 0.05."""
    hidden, head = shape.hidden, shape.head_dim
    outer = {
        "query": ((shape.query_heads, hidden), head),
        "key": ((shape.kv_heads, hidden), head),
        "value": ((shape.kv_heads, hidden), head),
        "output": ((shape.query_heads, head), hidden),
        "gate": ((hidden,), shape.ffn),
        "up": ((hidden,), shape.ffn),
        "down": ((shape.ffn,), hidden),
    }
    random = np.random.default_rng(1)

    def normal(*size: int) -> NDArray[np.float32]:
        return random.standard_normal(size, np.float32) * np.float32(0.05)

    tensors = {
        f"decoder_block_{layer}.{target}": (normal(*outer[target][0], RANK), normal(RANK, outer[target][1]))
        for layer in range(shape.layers)
        for target in targets
    }
    return LoraFactors(RANK, float(RANK), targets, tensors).adapter(digest)


class Sum:
    """A stored tensor and what an adapter adds to it, float32."""

    def __init__(self, tensor: SafetensorsTensor, delta: Rows) -> None:
        self.shape = tensor.shape
        self._tensor, self._delta = tensor, delta

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        base = self._tensor.read(start, stop)
        return base + self._delta(start, base)


def write_merged(base: Path, adapter: Adapter, folder: Path) -> None:
    """Write the Hugging Face folder of base and adapter in float32, as the merge stage does."""
    folder.mkdir()
    for path in base.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    tensors: dict[str, Any] = dict(float_tensors(base / "model.safetensors"))
    for name, (_, delta) in adapter.method.deltas(adapter).matrices.items():
        tensors[name] = Sum(tensors[name], delta())
    write_float32(tensors, folder / "model.safetensors")


def convert(folder: Path, output: Path) -> dict[str, Any]:
    """A full conversion with its check: seconds, peak memory of the converter process and of the calling
    process."""
    with PeakMemory() as memory:
        facts = export_litertlm(folder, output, SPEC, output.with_suffix(".log"))
    return {
        "seconds": facts["seconds"],
        "converter_peak_gb": gigabytes(facts["peak_memory_bytes"]),
        "caller_peak_gb": gigabytes(memory.peak_bytes),
    }


def graft(base: Path, adapter: Path, preset: Path, output: Path) -> dict[str, float]:
    """`pocketgemma graft` as a process: seconds including Python's start-up, and peak memory."""
    output.unlink(missing_ok=True)
    options = {"--base": base, "--adapter": adapter, "--preset": preset, "--out": output}
    command = [sys.executable, "-m", "pipeline", "graft"]
    command += [str(word) for option in options.items() for word in option]
    started, peak = time.monotonic(), 0
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, high_water_mark(process.pid))
        time.sleep(0.005)
    if process.returncode:
        raise SystemExit(f"graft failed with {process.returncode}")
    return {"seconds": round(time.monotonic() - started, 2), "peak_gb": gigabytes(peak)}


def forget(*files: Path) -> None:
    """Write files to disk and drop their pages from the page cache."""
    os.sync()
    for file in files:
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def grafts(base: Path, adapter: Path, preset: Path, output: Path) -> dict[str, Any]:
    """One graft with base and preset out of the page cache, then several with both in it."""
    forget(base, preset / "model.safetensors")
    cold = graft(base, adapter, preset, output)
    warm = [graft(base, adapter, preset, output) for _ in range(WARM_RUNS)]
    return {
        "cold_seconds": cold["seconds"],
        "warm_seconds": sorted(run["seconds"] for run in warm),
        "peak_gb": max(run["peak_gb"] for run in (cold, *warm)),
    }


def gigabytes(count: int) -> float:
    return round(count / 1e9, 2)


def measure(name: str, work: Path) -> dict[str, Any]:
    """All figures of one shape; reuses the base in `work` if there is one."""
    shape, base = SHAPES[name], work / "base"
    if not (base / "model.safetensors").exists():
        write_folder(shape, base, "bfloat16", seed=0)
    digest = preset_digest(base)
    adapters = {kind: work / f"{targets[0]}-{len(targets)}.safetensors" for kind, targets in TARGETS.items()}
    for kind, targets in TARGETS.items():
        random_adapter(shape, targets, digest).save(adapters[kind])
    if not (work / "merged").exists():
        write_merged(base, load_adapter(adapters["all seven"]), work / "merged")
    converted, merged, grafted = (work / f"{kind}.litertlm" for kind in ("converted", "merged", "grafted"))
    row: dict[str, Any] = {"shape": name, "recipe": SPEC.recipe, "base_dtype": "bfloat16"}
    row["conversion_of_base"] = convert(base, converted)
    row["conversion_of_merged"] = convert(work / "merged", merged)
    row["bytes"] = merged.stat().st_size
    # The first graft locates the matrices and saves the weight map.
    converted.with_name(converted.name + MAP_SUFFIX).unlink(missing_ok=True)
    row["first_graft_with_search"] = graft(converted, adapters["all seven"], base, grafted)
    row["graft"] = {}
    for kind, adapter in adapters.items():
        row["graft"][kind] = grafts(converted, adapter, base, grafted)
        if kind == "all seven":
            row["equal_to_the_byte"] = filecmp.cmp(grafted, merged, shallow=False)
    slowest = max(row["graft"]["all seven"]["warm_seconds"])
    row["times_faster"] = round(row["conversion_of_merged"]["seconds"] / slowest)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="+", choices=sorted(SHAPES))
    parser.add_argument(
        "--folder", type=Path, help="work in a subfolder of this folder for each shape, and keep the files"
    )
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="pocketgemma-graft-"))
    rows = {}
    if OUTPUT.exists():
        rows = {row["shape"]: row for row in json.loads(OUTPUT.read_text(encoding="utf-8"))["rows"]}
    for name in options.shapes:
        work = folder / name
        work.mkdir(parents=True, exist_ok=True)
        rows[name] = {"date": time.strftime("%Y-%m-%d"), "cores": len(os.sched_getaffinity(0))} | measure(
            name, work
        )
        print(json.dumps(rows[name], indent=1))
        document = {
            "date": time.strftime("%Y-%m-%d"),
            "command": "python benchmarks/graft.py 270m 1b",
            "machine": describe_machine() | {"cores": os.cpu_count()},
            "packages": package_versions(),
            "rows": [rows[shape] for shape in SHAPES if shape in rows],
        }
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
