"""Seconds of a fine-tuning step on this machine for each Keras backend and dtype.

    python benchmarks/finetune_backends.py

Each combination runs in a separate process: the demo's base with LoRA on all seven target matrices, one batch
of 32 examples of 48 tokens with 16 response tokens each. Writes docs/measurements/finetune_backends.json.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT / "pipeline" / "demo" / "base"
OUTPUT = ROOT / "docs" / "measurements" / "finetune_backends.json"
COMBINATIONS = (("torch", "float32"), ("jax", "float32"), ("torch", "mixed_bfloat16"))
BATCH, LENGTH, RESPONSES, STEPS = 32, 48, 16, 20
SECONDS_AT_MOST = 240


def measure(backend: str, dtype: str) -> dict[str, float]:
    """Seconds of the first step (compiling included) and of the later ones."""
    from pipeline.families.names import MATRICES
    from pipeline.gemma.causal_lm import load_causal_lm, use_backend

    use_backend(backend)  # type: ignore[arg-type]
    import keras
    import numpy as np

    from pipeline.tuning.lora_forward import enable_lora
    from pipeline.tuning.loss import response_model

    backbone = load_causal_lm(BASE, dtype).backbone
    enable_lora(backbone, 8, 1.0, tuple(MATRICES))
    model = response_model(backbone)
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, global_clipnorm=1.0),
        jit_compile=backend != "torch",
    )
    random = np.random.default_rng(0)
    inputs = {
        "token_ids": random.integers(4, 1000, (BATCH, LENGTH)).astype(np.int32),
        "padding_mask": np.ones((BATCH, LENGTH), np.int32),
        "positions": (np.arange(BATCH)[:, None] * LENGTH + np.arange(LENGTH - RESPONSES, LENGTH))
        .reshape(-1)
        .astype(np.int32),
        "labels": random.integers(4, 1000, BATCH * RESPONSES).astype(np.int32),
    }
    rows = np.repeat(np.arange(BATCH, dtype=np.int32), RESPONSES)
    weights = np.ones(BATCH * RESPONSES, np.float32)
    seconds = []
    for _ in range(STEPS + 1):
        started = time.monotonic()
        model.train_on_batch(inputs, rows, weights)
        seconds.append(time.monotonic() - started)
    later = seconds[1:]
    return {
        "first_step_seconds": round(seconds[0], 3),
        "step_seconds_median": round(statistics.median(later), 4),
        "step_seconds_min": round(min(later), 4),
        "step_seconds_max": round(max(later), 4),
        "tokens_per_second": round(BATCH * LENGTH / statistics.median(later)),
    }


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], sys.argv[2])))
        return
    from pipeline.machine import describe_machine, package_versions

    rows = []
    for backend, dtype in COMBINATIONS:
        command = [sys.executable, __file__, backend, dtype]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=SECONDS_AT_MOST, env=environment
        )
        rows.append({"backend": backend, "dtype": dtype} | json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1])
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/finetune_backends.py",
        "machine": describe_machine() | {"cores": os.cpu_count()},
        "packages": package_versions(),
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
