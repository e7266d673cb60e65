"""Training steps on a real Gemma beside other trainers: tokens per second and peak memory.

    python benchmarks/train.py {short,long} --preset FOLDER --data FOLDER --trl-python PYTHON
        [--steps 6] [--rounds 1]

FOLDER of --preset is a Hugging Face folder, such as runs/NAME/download/preset; --data holds train.csv of
banking77 (Casanueva et al. 2020, arXiv:2003.04807), whose answers are short; the long ones are word problems
that the script makes. PYTHON is of an environment with TRL and PEFT. The same weights, rows, rank and
matrices; each training runs in a process of its own, one after the other, in every round. Where PyTorch finds
a GPU, all of them use it, TRL in mixed bfloat16. Writes its section of docs/measurements/train.json;
benchmarks/train_plot.py draws the losses.
"""

import argparse
import json
import operator
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from train_data import long_answers, short_answers
from train_limit import product_rate
from train_peers import graphics_card, memory, report
from train_process import OutOfMemory, in_own_process

from pipeline.data.examples import Example
from pipeline.data.tokenize import encode
from pipeline.families.registry import read_shape
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.machine import available_cores, describe_machine
from pipeline.plan.operations import lora_operations
from pipeline.tuning.allocation import training_variables

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "train.json"
BATCH, RANK, LEARNING_RATE = 16, 8, 5e-4
OURS: dict[str, dict[str, tuple[str, int | None]]] = {
    "short": {
        "PocketGemma, float32": ("float32", None),
        "PocketGemma, float32, micro-batches of 4": ("float32", 4),
        "PocketGemma, bfloat16": ("bfloat16", None),
    },
    "long": {
        "PocketGemma, float32": ("float32", None),
        "PocketGemma, float32, whole batches": ("float32", BATCH),
        "PocketGemma, bfloat16": ("bfloat16", None),
    },
}
"""Data type and size of the micro-batches; None: as `finetune` chooses it."""

SEQUENCES = {"short": 128, "long": 384}
"""Tokens of a padded row where a trainer wants to know; the longest row has fewer."""

PACKED_ROWS = {"short": 1, "long": 4}
"""Packed rows of 1,024 tokens for each step: about the tokens of a step without packing."""

PEERS = {
    "KerasHub's fit, query and value": "keras_hub",
    "TRL, its defaults": "trl",
    "TRL, packing": "trl_packing",
}


def in_turns(row: dict[str, str]) -> dict[str, str]:
    """A row as text with Gemma's turn markers."""
    return {
        "prompt": f"<start_of_turn>user\n{row['question']}<end_of_turn>\n<start_of_turn>model\n",
        "completion": f"{row['answer']}<end_of_turn>",
    }


def conversations(rows: list[dict[str, str]]) -> list[Example]:
    """Rows as PocketGemma takes them."""
    return [
        Example(
            ({"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]})
        )
        for row in rows
    ]


@training_variables()
def train_ours(request: dict[str, Any]) -> None:
    """Only the training steps of `finetune`."""
    from pipeline.gemma.causal_lm import load_backbone, use_backend
    from pipeline.tuning.devices import computes_on_accelerator
    from pipeline.tuning.loop import TrainingSettings, fit
    from pipeline.tuning.method import MethodSettings
    from pipeline.tuning.methods.lora import METHOD
    from pipeline.tuning.micro_batches import micro_batch_size
    from pipeline.tuning.quantized_base import quantize_base

    use_backend("torch")
    import keras

    from pipeline.families.names import MATRICES
    from pipeline.run.files import FinetuneFiles

    imported = memory("VmRSS")
    preset = Path(request["preset"])
    examples = encode(conversations(request["rows"]), Tokenizer.of_preset(preset))
    count = request["batch"] * request["steps"]
    train = examples.first(count)
    keras.utils.set_random_seed(0)
    backbone = load_backbone(preset, request["dtype"])
    METHOD.attach(backbone, MethodSettings(RANK, float(RANK), tuple(MATRICES)))
    if request.get("quantize_base"):
        quantize_base(backbone, request["quantize_base"])
    seconds: list[float] = []
    tokens: list[int] = []
    losses: list[float] = []
    plain = keras.Model.train_on_batch

    def timed(*arguments: Any, **more: Any) -> Any:
        started = time.perf_counter()
        found = plain(*arguments, **more)
        seconds.append(time.perf_counter() - started)
        tokens.append(int(arguments[1]["padding_mask"].sum()))
        losses.append(float(found["loss"]))
        return found

    keras.Model.train_on_batch = timed
    settings = TrainingSettings(
        epochs=1,
        batch_size=request["batch"],
        micro_batch_size=request["micro_batch"]
        or micro_batch_size(
            train.lengths,
            request["batch"],
            trained_share=0.0,
            accelerator=computes_on_accelerator(backbone),
        ),
        learning_rate=LEARNING_RATE,
        warmup_steps=0,
        final_learning_rate=0.02,
        weight_decay=0.0,
        clip_norm=1.0,
        monitor="loss",
        patience=1,
        seed=0,
    )
    validation = examples.first(request["batch"])
    fit(backbone, train, validation, settings, FinetuneFiles(Path(request["work"])))
    parts = len(seconds) // request["steps"]
    starts = range(0, len(seconds), parts)
    by_step = [sum(seconds[start : start + parts]) for start in starts]
    report(
        by_step,
        [sum(tokens[start : start + parts]) for start in starts],
        [statistics.mean(losses[start : start + parts]) for start in starts],
        imported,
    )


def main() -> None:
    if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
        train_ours(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("answers", choices=sorted(SEQUENCES))
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trl-python", required=True)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    count = BATCH * options.steps
    # Packing takes more rows for a step.
    data = (
        long_answers(4 * count)
        if options.answers == "long"
        else short_answers(options.data / "train.csv", 4 * count)
    )
    shared = {
        "preset": str(options.preset.resolve()),
        "batch": BATCH,
        "steps": options.steps,
        "rank": RANK,
        "learning_rate": LEARNING_RATE,
        "sequence": SEQUENCES[options.answers],
        "packed_rows": PACKED_ROWS[options.answers],
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.rounds):
        for name, (dtype, micro) in OURS[options.answers].items():
            request = shared | {"kind": "ours", "rows": data[:count], "dtype": dtype, "micro_batch": micro}
            found.setdefault(name, []).append(in_own_process(sys.executable, "train.py", request))
            print(name, json.dumps(found[name][-1]), flush=True)
        for name, kind in PEERS.items():
            request = shared | {"kind": kind, "rows": [in_turns(row) for row in data]}
            python = sys.executable if kind == "keras_hub" else options.trl_python
            results = found.setdefault(name, [])
            try:
                results.append(in_own_process(python, "train_peers.py", request, HF_HUB_OFFLINE="1"))
            except OutOfMemory:
                print(f"{name}: out of memory", flush=True)
            else:
                print(name, json.dumps(results[-1]), flush=True)
    encoded = encode(conversations(data[:count]), Tokenizer.of_preset(options.preset))
    tokens, responses = int((encoded.lengths - 1).sum()), encoded.response_tokens
    section = {
        "answers": options.answers,
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine() | {"cores": available_cores()} | graphics_card(),
        "steps": options.steps,
        "rounds": options.rounds,
        "batch": BATCH,
        "rank": RANK,
        "start_token": True,
        "prompt_tokens": (tokens - responses) / count,
        "response_tokens": responses / count,
        "operations_per_token": lora_operations(read_shape(options.preset), RANK, tokens, responses) / tokens,
        "products": {dtype: product_rate(dtype) for dtype in ("float32", "bfloat16")},
        "pytorch_product": product_rate("float32", operator.matmul),
        "rows": [
            {
                "name": name,
                "tokens_per_second": [each["tokens_per_second"] for each in results],
                "tokens_per_step": statistics.median(each["tokens_per_step"] for each in results),
                "peak_bytes": max(each["peak_bytes"] for each in results),
                "losses": results[0]["losses"],
            }
            if results
            else {"name": name, "out_of_memory": True}
            for name, results in found.items()
        ],
    }
    document = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() else {"sections": []}
    others = [each for each in document["sections"] if each["answers"] != options.answers]
    document = {
        "command": "python benchmarks/train.py {short,long}",
        "sections": sorted([*others, section], key=lambda each: each["answers"], reverse=True),
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
