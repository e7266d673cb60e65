"""Adapters at run time: the time of a swap, the cost of the LoRA inputs, file sizes, and the accuracy of an
int8 base with an adapter.

    python benchmarks/adapters.py speed --work FOLDER
    python benchmarks/adapters.py accuracy --run RUN

`speed` converts random weights in the shape of Gemma 3 270M (benchmarks/shapes.py) to int8, without LoRA
inputs and with LoRA inputs of rank 16 and 32, into FOLDER (existing files are reused), and decodes with each
model in turn. `accuracy` runs the demo's pipeline up to convert in the run folder RUN with an attention-only
adapter (minutes of training, unless the run folder has it), once merged and once as a separate file, both in
int8, and asks both models every test question. Each command writes its own part of
docs/measurements/adapters.json; `speed` on a subset of the cores (taskset) writes a part of its own.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.convert.lora_inputs import RANKS
from pipeline.litert.model_spec import ModelSpec
from pipeline.litert.runtime.engine import cpu_backend
from pipeline.run.files import ConvertFiles, RunFiles

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "adapters.json"
SCIENCE = ROOT / "pipeline" / "demo" / "science"
ATTENTION_ONLY = (
    "--set",
    "finetune.targets=[query,key,value,output]",
    "--set",
    "finetune.rank=8",
    "--set",
    "finetune.epochs=1",
)
DIGEST = "0" * 64
ROUNDS, TOKENS = 12, 64
SWAPS = 20
PROMPT = "What is the symbol of gold? " * 10
SPEC = ModelSpec("int8", (128,), 1280, 0.0, 64, 0.95)


def convert(folder: Path, output: Path, spec: ModelSpec) -> None:
    """Convert a Hugging Face folder unless the file exists."""
    if not output.exists():
        export_litertlm(folder, output, spec, output.with_suffix(".log"))


def random_adapter(folder: Path, path: Path, rank: int, seed: int) -> None:
    """An adapter file of full rank for a Hugging Face folder."""
    shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    random, hidden = np.random.default_rng(seed), shape["hidden_size"]
    heads = {"query": shape["num_attention_heads"], "output": shape["num_attention_heads"]}
    factors = {}
    for layer in range(shape["num_hidden_layers"]):
        for target in ("query", "key", "value", "output"):
            width = heads.get(target, shape["num_key_value_heads"]) * shape["head_dim"]
            sizes = (width, hidden) if target == "output" else (hidden, width)
            a, b = (
                random.standard_normal(size).astype(np.float32) * np.float32(0.01)
                for size in ((sizes[0], rank), (rank, sizes[1]))
            )
            factors[target, layer] = (a, b)
    write_adapter_file(path, factors, rank=rank, base_digest=DIGEST, name=path.stem)


def speed(work: Path) -> dict[str, Any]:
    """Decode and prefill with and without LoRA inputs, and the time of a swap."""
    from shapes import SHAPES, write_folder

    folder = work / "270m"
    if not folder.exists():
        write_folder(SHAPES["270m"], folder, "float32", 0)
    convert(folder, work / "plain.litertlm", SPEC)
    models: dict[str, tuple[Path, Path | None]] = {"plain": (work / "plain.litertlm", None)}
    for rank in RANKS:
        base, adapter = work / f"lora{rank}.litertlm", work / f"random{rank}.tflite"
        convert(folder, base, replace(SPEC, lora_rank=rank, base_digest=DIGEST))
        random_adapter(folder, adapter, rank, rank)
        models[f"rank {rank}"] = (base, adapter)
    sizes = {name: adapter.stat().st_size for name, (_, adapter) in models.items() if adapter}
    return {
        "generation": generation(models),
        "adapter_bytes": sizes,
        "model_bytes": {name: model.stat().st_size for name, (model, _) in models.items()},
        "swap": swaps(folder, models[f"rank {RANKS[-1]}"][0], work),
    }


def generation(models: dict[str, tuple[Path, Path | None]]) -> dict[str, Any]:
    """Tokens per second with all models open, one reply of each in turn. The first round is a warm-up; the
    other models are compared with the first one."""
    import litert_lm

    first = next(iter(models))

    litert_lm.set_min_log_severity(litert_lm.LogSeverity.SILENT)
    sampler = litert_lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
    decode: dict[str, list[float]] = {name: [] for name in models}
    prefill: dict[str, list[float]] = {name: [] for name in models}
    with tempfile.TemporaryDirectory() as cache:
        engines = {
            name: litert_lm.Engine(str(model), backend=cpu_backend(), cache_dir=cache, enable_benchmark=True)
            for name, (model, _) in models.items()
        }
        for number in range(ROUNDS + 1):
            for name, engine in engines.items():
                adapter = models[name][1]
                lora = litert_lm.LoraConfig(lora_path=str(adapter)) if adapter else None
                with engine.create_conversation(
                    sampler_config=sampler, max_output_tokens=TOKENS, lora_config=lora
                ) as conversation:
                    conversation.send_message(PROMPT)
                    figures = conversation.get_benchmark_info()
                if number:
                    decode[name].append(figures.last_decode_tokens_per_second)
                    prefill[name].append(figures.last_prefill_tokens_per_second)
        for engine in engines.values():
            engine.close()
    return {
        name: {
            "decode_tokens_per_second": round(statistics.median(decode[name]), 2),
            "prefill_tokens_per_second": round(statistics.median(prefill[name]), 1),
            "decode_share_of_plain": paired(decode[name], decode[first]),
            "prefill_share_of_plain": paired(prefill[name], prefill[first]),
            "rounds": ROUNDS,
        }
        for name in models
    }


def paired(values: list[float], plain: list[float]) -> float:
    """Median of the ratios within a round, so that other load on the machine affects both sides."""
    return round(statistics.median(ours / theirs for ours, theirs in zip(values, plain, strict=True)), 4)


def swaps(folder: Path, base: Path, work: Path) -> dict[str, float]:
    """Milliseconds from the request for an adapter to the end of the first token, minus the same without a
    change of adapter."""
    from pipeline.litert.runtime.engine import Runtime

    paths = [work / f"swap{seed}.tflite" for seed in range(SWAPS)]
    for seed, path in enumerate(paths):
        random_adapter(folder, path, RANKS[-1], seed)

    with Runtime(base) as runtime:

        def ask(adapter: Path | None) -> tuple[float, float]:
            started = time.perf_counter()
            with runtime.chat(greedy=True, max_new_tokens=1, adapter=adapter) as chat:
                ready = time.perf_counter()
                list(chat.stream("Hello"))
                return ready - started, time.perf_counter() - started

        ask(None)
        first_use = [ask(path) for path in paths]
        ask(paths[0])
        same = [ask(paths[0]) for _ in range(2 * SWAPS)]
        changing = [ask(paths[number % 2]) for number in range(1, 2 * SWAPS + 1)]
        to_none = [ask((None, paths[0])[number % 2]) for number in range(2 * SWAPS)]

    def milliseconds(times: list[tuple[float, float]], part: int) -> float:
        return round(1000 * statistics.median(pair[part] for pair in times), 2)

    until_token = milliseconds(same, 1)
    return {
        "same_adapter_until_first_token_ms": until_token,
        "first_use_ms": round(milliseconds(first_use, 1) - until_token, 2),
        "swap_ms": round(milliseconds(changing, 1) - until_token, 2),
        "swap_with_none_ms": round(milliseconds(to_none, 1) - until_token, 2),
        "conversation_ready_after_swap_ms": milliseconds(changing, 0),
        "conversation_ready_at_first_use_ms": milliseconds(first_use, 0),
        "rank": RANKS[-1],
    }


def accuracy(run: Path) -> dict[str, Any]:
    """Exact match of the merged model and of the base with its adapter, both int8, on the same questions."""
    from pipeline.data.checks import check_files
    from pipeline.data.faults import Faults
    from pipeline.data.policy import RowPolicy
    from pipeline.evaluation.answers import score
    from pipeline.evaluation.in_runtime import answer_all
    from pipeline.evaluation.paired import paired_difference
    from pipeline.formats.runtime_adapter import read_adapter_file
    from pipeline.gemma.tokenizer import Tokenizer
    from pipeline.litert.runtime.engine import Runtime

    places = {way: run.with_name(f"{run.name}-{way}") for way in ("merged", "runtime")}
    for way, place in places.items():
        command = [sys.executable, "-m", "pipeline", "convert", "--run", str(run), *ATTENTION_ONLY]
        subprocess.run([*command, "--set", f"convert.adapters={way}"], check=True, cwd=ROOT)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(RunFiles(run).convert.folder, place)
    converted = ConvertFiles(places["runtime"])
    base, file = converted.model, converted.adapter
    found: dict[str, Any] = {"rank": read_adapter_file(file).rank, "adapter_bytes": file.stat().st_size}
    policy = RowPolicy(max_length=96, duplicates="keep")
    tokenizer = Tokenizer.of_preset(RunFiles(run).download.preset)
    for data in ("test", "skills"):
        examples = check_files([SCIENCE / f"{data}.jsonl"], policy, tokenizer, Faults()).examples
        with Runtime(ConvertFiles(places["merged"]).model) as runtime:
            merged = answer_all(runtime, examples, max_new_tokens=32)
        with Runtime(base) as runtime:
            separate = answer_all(runtime, examples, max_new_tokens=32, adapter=file)
        sides = {"merged": score(merged), "separate": score(separate)}
        found[data] = {
            "questions": len(examples),
            "exact_match": {name: round(scores.exact_match, 2) for name, scores in sides.items()},
            "perplexity": {name: round(scores.perplexity, 4) for name, scores in sides.items()},
            "separate_minus_merged": asdict(paired_difference(separate, merged)),
            "same_text": sum(ours.text == theirs.text for ours, theirs in zip(separate, merged, strict=True)),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("speed").add_argument("--work", type=Path, required=True)
    parts.add_parser("accuracy").add_argument("--run", type=Path, required=True)
    arguments = parser.parse_args()
    from pipeline.machine import describe_machine, package_versions

    if arguments.part == "speed":
        arguments.work.mkdir(parents=True, exist_ok=True)
    figures = speed(arguments.work) if arguments.part == "speed" else accuracy(arguments.run)
    document = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() else {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    part = arguments.part
    if part == "speed" and cores != os.cpu_count():
        part = f"speed on {cores} of {os.cpu_count()} cores"
    document |= {
        "command": "python benchmarks/adapters.py speed --work FOLDER; python benchmarks/adapters.py "
        "accuracy --run RUN",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine() | {"cores": os.cpu_count()},
        "packages": package_versions(),
        part: figures | {"cores_used": cores},
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
