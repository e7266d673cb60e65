"""Small models and adapters that an app can be bundled with: they can be read, but not run."""

import shutil
from pathlib import Path

import numpy as np

from pipeline.families.names import runtime_name
from pipeline.formats.litertlm import read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.formats.runtime_adapter import write_adapter_file
from tests.support.litertlm import write_container
from tests.support.tflite import Constant, write_tflite

BASE_DIGEST, RANK = "cd" * 32, 16


def write_model(path: Path, seed: int, lora_rank: int | None = None) -> Path:
    """A .litertlm of 0.3 MB; with a rank, it takes adapters for the query matrix of one layer."""
    inputs = {"tokens": ((1, 1), "INT32")}
    if lora_rank:
        inputs |= {
            runtime_name("query", "a", 0): ((8, lora_rank), "FLOAT32"),
            runtime_name("query", "b", 0): ((lora_rank, 8), "FLOAT32"),
        }
    weights = Constant(("m",), (600, 500), "INT8", bytes([seed]) * 300_000, 600)
    work = path.parent / f"parts-{path.name}"
    work.mkdir(parents=True)
    tflite = write_tflite(work / "m.tflite", [weights], {"decode": inputs})
    plain = write_container(work / "plain.litertlm", model=tflite.read_bytes())
    system = {"lora_rank": str(lora_rank), "base_digest": BASE_DIGEST} if lora_rank else {}
    rewrite(read_container(plain), path, system=system)
    shutil.rmtree(work)
    return path


def write_adapter(path: Path, seed: int, *, rank: int = RANK, base: str = BASE_DIGEST) -> Path:
    """An adapter file of 67 kB for a model with a rank."""
    random = np.random.default_rng(seed)
    factors = {("query", 0): (random.random((8, 4), np.float32), random.random((4, 8), np.float32))}
    write_adapter_file(path, factors, rank=rank, base_digest=base, name=path.stem)
    return path
