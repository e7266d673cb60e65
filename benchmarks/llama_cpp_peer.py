"""llama.cpp on one GGUF file: greedy answers and tokens per second. benchmarks/beside_llama_cpp.py runs this
with the Python of an environment that has llama-cpp-python; it imports nothing of the project.

    PYTHON benchmarks/llama_cpp_peer.py REQUEST.json

REQUEST: source (a GGUF in float32), quantization (a name of llama.cpp, Q4_0 for example), model (the file to
write) and threads; for answers also questions (lists of token IDs), stop_ids and max_new_tokens; for speeds
also speed (prompt: token IDs; tokens; rounds). Prints a JSON document.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

CONTEXT = 512


def quantize(source: Path, model: Path, name: str) -> None:
    """Write a quantized file with llama.cpp's own defaults."""
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}")
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(model).encode(), parameters)
    if status:
        raise SystemExit(f"{model}: llama.cpp cannot quantize {source}: status {status}")


def reply(model: Any, ids: list[int], stop_ids: list[int], limit: int) -> dict[str, Any]:
    """Token IDs of a greedy reply, and whether it ended at a stop token."""
    new: list[int] = []
    model.reset()
    for token in model.generate(ids, top_k=1, temp=0.0, repeat_penalty=1.0):
        if token in stop_ids:
            return {"ids": new, "stopped": True}
        new.append(token)
        if len(new) == limit:
            break
    return {"ids": new, "stopped": False}


def speed(model: Any, prompt: list[int], tokens: int) -> tuple[float, float]:
    """Prompt and reply tokens per second, of one reply that no stop token ends."""
    model.reset()
    started = time.perf_counter()
    model.eval(prompt)
    read = time.perf_counter()
    for _ in range(tokens):
        model.eval([model.sample(top_k=1, temp=0.0, repeat_penalty=1.0)])
    return len(prompt) / (read - started), tokens / (time.perf_counter() - read)


def speeds(model: Any, prompt: list[int], tokens: int, rounds: int) -> dict[str, Any]:
    """Medians of the speeds; the first round is a warm-up."""
    measured = [speed(model, prompt, tokens) for _ in range(rounds + 1)][1:]
    prefill, decode = zip(*measured, strict=True)
    return {
        "prefill_tokens_per_second": statistics.median(prefill),
        "decode_tokens_per_second": statistics.median(decode),
    }


def memory() -> dict[str, int]:
    """Resident memory of this process in bytes: all, and without mapped files."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    keys = {"resident_bytes": "VmRSS", "anonymous_bytes": "RssAnon"}
    return {name: int(lines[key].split()[0]) * 1024 for name, key in keys.items()}


def main(request: Path) -> None:
    import llama_cpp

    arguments = json.loads(request.read_text(encoding="utf-8"))
    path = Path(arguments["model"])
    if not path.exists():
        quantize(Path(arguments["source"]), path, arguments["quantization"])
    threads = arguments["threads"]
    model = llama_cpp.Llama(
        str(path), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    found: dict[str, Any] = {"version": llama_cpp.__version__}
    if "questions" in arguments:
        stop_ids, limit = arguments["stop_ids"], arguments["max_new_tokens"]
        found["answers"] = [reply(model, ids, stop_ids, limit) for ids in arguments["questions"]]
    if "speed" in arguments:
        found |= speeds(model, **arguments["speed"]) | memory()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
