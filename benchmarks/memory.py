"""Memory of an open model: measured, and as `pocketgemma inspect` estimates it.

    python benchmarks/memory.py --folder FOLDER [--model NAME=FILE ...]

Converts the demo's base with several context and prefill lengths (files are kept in FOLDER, so you can
interrupt and resume the script). Opens each file, and each file given by --model, twice in a separate
process, without and with the runtime's cache of packed weights, and answers one prompt. Writes
docs/measurements/memory.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "memory.json"
BASE = ROOT / "pipeline" / "demo" / "base"
VARIANTS = {
    "demo, context 512": ("int8", 512, (64,)),
    "demo, context 2048": ("int8", 2048, (64,)),
    "demo, context 8192": ("int8", 8192, (64,)),
    "demo, context 2048, prefill 64, 256 and 1024": ("int8", 2048, (64, 256, 1024)),
    "demo, context 512, int4": ("int4", 512, (64,)),
    "demo, context 512, fp16": ("fp16", 512, (64,)),
}
PROMPT = "What is the weather like today? "
"""Repeated until the longest prefill signature is used."""


def measure(model: str, cache: str, repeats: int) -> dict[str, Any]:
    """Memory in bytes before the runtime is loaded, after the model is open, and after a reply."""
    points = {"before": status()}
    import litert_lm

    litert_lm.set_min_log_severity(litert_lm.LogSeverity.SILENT)
    engine = litert_lm.Engine(model, backend=litert_lm.Backend.CPU(), cache_dir=cache)
    points["open"] = status()
    conversation = engine.create_conversation(max_output_tokens=4)
    list(conversation.send_message_async({"role": "user", "content": PROMPT * repeats}))
    points["answered"] = status()
    return points | {
        "tokens": conversation.token_count,
        "cache_file": sum(file.stat().st_size for file in Path(cache).iterdir()),
    }


def status() -> dict[str, int]:
    """Resident memory of this process in bytes: total, anonymous, and peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    keys = {"resident": "VmRSS", "anonymous": "RssAnon", "peak": "VmHWM"}
    return {name: int(lines[key].split()[0]) * 1024 for name, key in keys.items()}


def convert(folder: Path, recipe: str, context: int, lengths: tuple[int, ...]) -> Path:
    """The demo's base, converted; the file is kept for the next call."""
    from pipeline.gemma.causal_lm import load_causal_lm
    from pipeline.gemma.hugging_face import write_hugging_face
    from pipeline.gemma.tokenizer import Tokenizer
    from pipeline.litert.convert.export import export_litertlm
    from pipeline.litert.model_spec import ModelSpec

    output = folder / f"{recipe}_{context}_{'_'.join(map(str, lengths))}.litertlm"
    if not output.exists():
        source = folder / "huggingface"
        if not source.exists():
            write_hugging_face(load_causal_lm(BASE), Tokenizer.of_preset(BASE), source)
        spec = ModelSpec(recipe, lengths, context, 0.0, 64, 0.95, "the demo's base")
        export_litertlm(source, output, spec, folder / "convert.log")
    return output


def compare(name: str, model: Path) -> dict[str, Any]:
    """Estimated and measured memory of a model."""
    from pipeline.litert.memory_estimate import memory_cost

    cost = memory_cost(model)
    longest = max(cost.prefill)
    repeats = min(longest, cost.context_length - 64) // 8
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--measure", str(model), cache, str(repeats)]
        first, second = (
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(2)
        )
    taken = second["answered"]["resident"] - second["before"]["resident"]
    row = {
        "name": name,
        "file_bytes": model.stat().st_size,
        "estimated": {
            "total": cost.total,
            "weights": cost.weights,
            "kv_cache": cost.kv_cache,
            "prefill": cost.prefill[longest],
            "tokenizer": cost.tokenizer,
            "runtime": cost.runtime,
            "first_opening": cost.first_opening,
        },
        "measured": {
            "total": taken,
            "opening_without_a_file": second["open"]["anonymous"] - second["before"]["anonymous"],
            "answering_without_a_file": second["answered"]["anonymous"] - second["open"]["anonymous"],
            "first_opening_peak": first["open"]["peak"] - first["before"]["resident"],
            "second_opening_peak": second["open"]["peak"] - second["before"]["resident"],
            "cache_file": second["cache_file"],
            "tokens": second["tokens"],
        },
        "estimated_share_of_measured": round(cost.total / taken, 3),
    }
    print(f"{name}: estimated {cost.total / 1e6:.0f} MB, measured {taken / 1e6:.0f} MB", flush=True)
    return row


def main() -> None:
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    from pipeline.machine import describe_machine, package_versions

    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="folder for converted models")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="measure this model, too; repeatable",
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = [compare(name, convert(options.folder, *variant)) for name, variant in VARIANTS.items()]
    for given in options.model:
        name, _, file = given.partition("=")
        rows.append(compare(name, Path(file)))
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/memory.py --folder FOLDER" + " --model NAME=FILE" * bool(options.model),
        "machine": describe_machine() | {"cores": os.cpu_count()},
        "packages": package_versions(),
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
