"""A run folder as far as verify, made once for all tests: the demo base, an adapter that changes its answers,
merged, converted.

The adapter is not trained: random A and B, small enough that the model still answers in its own style and
ends its replies, large enough that the answers are others. What the stages must keep is all in it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pipeline.data.examples import Example, write_examples
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run

DEMO = Path(__file__).parents[2] / "pipeline" / "demo"
BASE = "base_huggingface"
"""In the run folder: the base without the adapter, as a Hugging Face folder."""

WITHOUT_LOCK = shutil.ignore_patterns(".lock")
"""For copies by hard link: a linked lock is one lock, and one open copy would close all others."""

QUESTIONS = 24
NOISE = 0.34
"""Standard deviation of A and B: with the demo's base, half of the answers change, all replies end, and
rounding to int8 changes one in 24."""


def config(**verify: object) -> Config:
    """The recipe of the run folder."""
    return Config.model_validate(
        {
            "name": "finished_run",
            "data": {"train": "unused", "max_length": 256},
            "finetune": {"backend": "torch", "rank": 2, "targets": ["query", "value"]},
            "convert": {
                "prefill_lengths": [64],
                "context_length": 256,
                "formats": ["litertlm", "task"],
                "temperature": 0.7,
            },
            "verify": {
                "questions": QUESTIONS,
                "max_new_tokens": 32,
                # So few questions decide nothing about accuracy.
                "accept_undecided": True,
            }
            | verify,
        }
    )


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder made once for all workers of a test run."""
    base = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder, done = base / name, base / f"{name}.done"
    with FileLock(base / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder; not to be changed."""
    return shared(tmp_path_factory, "finished_run", make_finished_run)


def make_finished_run(folder: Path) -> None:
    """Run the pipeline up to verify in a process of its own: Keras fixes its backend for a whole process."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, "-m", "tests.support.finished_run", str(folder)],
        check=True,
        env=environment,
        cwd=DEMO.parents[1],
    )


def _make(folder: Path) -> None:
    from pipeline.gemma.causal_lm import load_causal_lm
    from pipeline.gemma.hugging_face import write_hugging_face
    from pipeline.gemma.tokenizer import Tokenizer
    from pipeline.stages import convert, merge, verify

    rows = [
        json.loads(line)
        for line in (DEMO / "science" / "skills.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    rows = [rows[index * len(rows) // QUESTIONS] for index in range(QUESTIONS)]
    examples = [
        Example(
            ({"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["response"]}),
            source=f"skills.jsonl:{number}",
            tags={"kind": row["kind"]},
        )
        for number, row in enumerate(rows, 1)
    ]
    with Run(folder) as run:
        with run.stage("download", settings={}) as work:
            shutil.copytree(DEMO / "base", work.folder / "preset")
        inputs = {"train": DEMO / "science" / "skills.jsonl"}
        with run.stage("prepare", settings={}, after=("download",), inputs=inputs) as work:
            for name in ("train", "validation", "test"):
                write_examples(work.folder / f"{name}.jsonl", examples)
        with run.stage("finetune", settings={}, after=("download", "prepare")) as work:
            write_adapter(run.folder("download") / "preset", work.folder / "adapter.safetensors")
        merge.run(config(), run)
        convert.run(config(), run)
        verify.run(config(), run)
        preset = run.folder("download") / "preset"
        write_hugging_face(load_causal_lm(preset), Tokenizer.of_preset(preset), folder / BASE)


def write_adapter(preset: Path, path: Path) -> None:
    """A rank 2 adapter of query and value with random A and B."""
    from pipeline.families.registry import read_shape
    from pipeline.gemma.presets import preset_digest
    from pipeline.tuning.methods.lora import LoraFactors

    shape, rank, random = read_shape(preset), 2, np.random.default_rng(0)
    heads = {"query": shape.query_heads, "value": shape.kv_heads}

    def noise(*size: int) -> np.ndarray:
        return (random.standard_normal(size) * NOISE).astype(np.float32)

    tensors = {
        f"decoder_block_{layer}.{target}": (noise(count, shape.hidden, rank), noise(rank, shape.head_dim))
        for layer in range(shape.layers)
        for target, count in heads.items()
    }
    LoraFactors(rank, float(rank), tuple(heads), tensors).adapter(preset_digest(preset)).save(path)


if __name__ == "__main__":
    _make(Path(sys.argv[1]))
