"""The same merged model in LiteRT-LM and in llama.cpp: answers, tokens per second, memory, size.

    python benchmarks/beside_llama_cpp.py RUN --gguf BASE.gguf --peer-python PYTHON \\
        --questions FILE [--every N] --model NAME=FILE.litertlm …

RUN is a finished run of a model whose base is BASE.gguf. Its merged weights are written as a GGUF file in
float32 with the metadata of the base's, and llama.cpp quantizes them with its own defaults. FILE has
questions and their answers in any form that data.test takes; both runtimes get the same token IDs and answer
greedily. Speeds are measured in turn, each model in a process of its own, with as many threads as there are
cores. PYTHON is of an environment that has llama-cpp-python. Writes docs/measurements/beside_llama_cpp.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters import PROMPT, ROUNDS, TOKENS, generation
from llama_cpp_peer import memory
from merged_gguf import write_gguf

from pipeline.console import progress_bar
from pipeline.data.checks import check_files
from pipeline.data.examples import Example
from pipeline.data.faults import Faults
from pipeline.data.policy import RowPolicy
from pipeline.digests import sha256_of_file
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.interval import wilson_interval
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.runtime.engine import Runtime
from pipeline.machine import available_cores, describe_machine
from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "beside_llama_cpp.json"
QUANTIZATIONS = ("Q8_0", "Q4_0", "Q4_K_M")
TURNS = 3
MAX_NEW_TOKENS = 24


@dataclass(frozen=True)
class Peer:
    """llama.cpp in an environment of its own.

    Attributes:
        python: its interpreter.
        source: the merged model as GGUF in float32.
        folder: for the files that pass between the processes.
    """

    python: Path
    source: Path
    folder: Path

    def call(self, quantization: str, **request: Any) -> dict[str, Any]:
        """Run benchmarks/llama_cpp_peer.py; its docstring lists what a request can have."""
        document = {
            "source": str(self.source),
            "quantization": quantization,
            "model": str(self.folder / f"{quantization}.gguf"),
            "threads": available_cores(),
        }
        path = self.folder / "request.json"
        path.write_text(json.dumps(document | request), encoding="utf-8")
        command = [str(self.python), str(ROOT / "benchmarks" / "llama_cpp_peer.py"), str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def ask_llama_cpp(peer: Peer, name: str, tokenizer: Tokenizer, examples: list[Example]) -> list[Answer]:
    """The answers of llama.cpp."""
    found = peer.call(
        name,
        questions=[tokenizer.prompt_ids(example.context) for example in examples],
        stop_ids=list(tokenizer.stop_ids),
        max_new_tokens=MAX_NEW_TOKENS,
    )
    return [
        Answer(
            example.question,
            example.response,
            tokenizer.decode(reply["ids"]).strip(),
            reply["stopped"],
            0.0,
            0,
        )
        for example, reply in zip(examples, found["answers"], strict=True)
    ]


def ask_litert_lm(model: Path, examples: list[Example]) -> list[Answer]:
    """The answers of LiteRT-LM."""
    answers = []
    with Runtime(model) as runtime, progress_bar() as bar:
        for example in bar.track(examples, description=model.name):
            reply = runtime.answer(example.context, max_new_tokens=MAX_NEW_TOKENS)
            answers.append(Answer(example.question, example.response, reply.text, reply.stopped, 0.0, 0))
    return answers


def speed_of_litert_lm(model: Path) -> dict[str, Any]:
    """Tokens per second and memory, measured in a process of its own."""
    command = [sys.executable, __file__, "--speed-of", str(model)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def summarize(answers: list[Answer], turns: list[dict[str, Any]], size: int) -> dict[str, Any]:
    """Scores with their interval, medians of the speeds, and memory after a reply."""
    correct = sum(answer.correct for answer in answers)
    low, high = wilson_interval(correct, len(answers))
    return {
        "bytes": size,
        "questions": len(answers),
        "exact_match": round(100 * correct / len(answers), 2),
        "interval": [round(100 * low, 2), round(100 * high, 2)],
        "not_stopped": sum(not answer.stopped for answer in answers),
        "resident_bytes": max(turn["resident_bytes"] for turn in turns),
        "anonymous_bytes": max(turn["anonymous_bytes"] for turn in turns),
    } | {
        key: {
            "median": round(statistics.median(turn[key] for turn in turns), 1),
            "least": round(min(turn[key] for turn in turns), 1),
            "most": round(max(turn[key] for turn in turns), 1),
        }
        for key in ("prefill_tokens_per_second", "decode_tokens_per_second")
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask every Nth question")
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FILE")
    options = parser.parse_args()
    models = {name: Path(path) for name, _, path in (each.partition("=") for each in options.model)}
    files = RunFiles(options.run)
    folder = options.run.resolve().parent / "llama.cpp"
    folder.mkdir(exist_ok=True)
    source = folder / "merged-float32.gguf"
    if not source.exists():
        write_gguf(options.gguf, files.merge.huggingface, source)
    peer = Peer(options.peer_python, source, folder)
    tokenizer, faults = Tokenizer.of_preset(files.download.preset), Faults()
    read = check_files([options.questions], RowPolicy(512, duplicates="keep"), tokenizer, faults)
    faults.raise_if_any()
    examples = read.examples[:: options.every]

    answers = {name: ask_litert_lm(path, examples) for name, path in models.items()}
    answers |= {name: ask_llama_cpp(peer, name, tokenizer, examples) for name in QUANTIZATIONS}
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in answers}
    speed = {
        "prompt": tokenizer.prompt_ids([{"role": "user", "content": PROMPT}]),
        "tokens": TOKENS,
        "rounds": ROUNDS,
    }
    for _ in range(TURNS):
        for name, path in models.items():
            turns[name].append(speed_of_litert_lm(path))
        for name in QUANTIZATIONS:
            turns[name].append(peer.call(name, speed=speed))
    sizes = {name: path.stat().st_size for name, path in models.items()}
    sizes |= {name: (folder / f"{name}.gguf").stat().st_size for name in QUANTIZATIONS}
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/beside_llama_cpp.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "adapter_sha256": sha256_of_file(files.finetune.adapter),
        "examples": json.loads(files.stage("finetune").manifest.read_text())["details"]["examples"],
        "llama_cpp_python": turns[QUANTIZATIONS[0]][0]["version"],
        "prompt_tokens": len(speed["prompt"]),
        "reply_tokens": TOKENS,
        "rows": [
            {"model": name, "runtime": "LiteRT-LM" if name in models else "llama.cpp"}
            | summarize(answers[name], turns[name], sizes[name])
            for name in answers
        ],
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def print_speed(model: Path) -> None:
    """Print what `speed_of_litert_lm` returns."""
    figures = generation({"": (model, None)})[""]
    print(json.dumps(figures | memory()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--speed-of"]:
        print_speed(Path(sys.argv[2]))
    else:
        main()
