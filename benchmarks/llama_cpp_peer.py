"""llama.cpp on one GGUF file: greedy answers and tokens per second. benchmarks/real_gemma.py runs this with
the Python of an environment that has llama-cpp-python; it imports nothing of the project.

    PYTHON benchmarks/llama_cpp_peer.py REQUEST.json

REQUEST: source (a GGUF in float32), quantization (a name of llama.cpp, Q4_0 for example), model (the file to
write), questions (lists of token IDs), stop_ids, max_new_tokens, answers (a JSONL file to write), and speed
(prompt: token IDs; tokens; rounds). Prints a JSON document: version, bytes, and the two speeds.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import llama_cpp

CONTEXT = 256


def quantize(source: Path, model: Path, name: str) -> None:
    """Write a quantized file with llama.cpp's own defaults."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}")
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(model).encode(), parameters)
    if status:
        raise SystemExit(f"{model}: llama.cpp cannot quantize {source}: status {status}")


def reply(model: Any, ids: list[int], stop_ids: list[int], limit: int) -> tuple[list[int], bool]:
    """Token IDs of a greedy reply, and whether it ended at a stop token."""
    new: list[int] = []
    model.reset()
    for token in model.generate(ids, top_k=1, temp=0.0, repeat_penalty=1.0):
        if token in stop_ids:
            return new, True
        new.append(token)
        if len(new) == limit:
            break
    return new, False


def speed(model: Any, prompt: list[int], tokens: int) -> tuple[float, float]:
    """Prompt and reply tokens per second, of one reply that no stop token ends."""
    model.reset()
    started = time.perf_counter()
    model.eval(prompt)
    read = time.perf_counter()
    for _ in range(tokens):
        model.eval([model.sample(top_k=1, temp=0.0, repeat_penalty=1.0)])
    return len(prompt) / (read - started), tokens / (time.perf_counter() - read)


def main(request: Path) -> None:
    arguments = json.loads(request.read_text(encoding="utf-8"))
    path = Path(arguments["model"])
    if not path.exists():
        quantize(Path(arguments["source"]), path, arguments["quantization"])
    threads = len(os.sched_getaffinity(0))
    model = llama_cpp.Llama(
        str(path), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    with Path(arguments["answers"]).open("w", encoding="utf-8") as file:
        for ids in arguments["questions"]:
            new, stopped = reply(model, ids, arguments["stop_ids"], arguments["max_new_tokens"])
            file.write(json.dumps({"ids": new, "stopped": stopped}) + "\n")
    wanted = arguments["speed"]
    # The first round is a warm-up.
    rounds = [speed(model, wanted["prompt"], wanted["tokens"]) for _ in range(wanted["rounds"] + 1)][1:]
    prefill, decode = zip(*rounds, strict=True)
    figures = {
        "version": llama_cpp.__version__,
        "bytes": path.stat().st_size,
        "prefill_tokens_per_second": round(statistics.median(prefill), 1),
        "decode_tokens_per_second": round(statistics.median(decode), 2),
        "rounds": wanted["rounds"],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
