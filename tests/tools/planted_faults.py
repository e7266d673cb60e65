"""Which check catches which fault: faults are planted in a finished run, and the checks are asked.

    python -m tests.tools.planted_faults --config CONFIG --run RUN --name NAME --out FILE [--questions N]
        [--merge-only]

RUN is a run folder that has passed verify, with an int8 model; with --merge-only, one that has passed merge.
Faults of the model file are planted in a copy of it and shown to the verify stage; faults of the merged
Hugging Face folder are shown to the comparison of logits in the merge stage. FILE, a JSON file, gets one
section for each NAME.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.examples import Example
from pipeline.errors import PocketGemmaError
from pipeline.evaluation import in_keras
from pipeline.evaluation.answers import Answer
from pipeline.families.names import EMBEDDING, hugging_face_name
from pipeline.gemma.causal_lm import load_causal_lm, use_backend
from pipeline.gemma.logit_noise import keras_logits, logit_noise
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.matrix_check import StoredMatrix, find_matrices
from pipeline.machine import describe_machine
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.reading import load_config
from pipeline.recipe.schema import Config
from pipeline.run.files import RunFiles
from pipeline.run.folder import Run
from pipeline.stages import verify
from tests.support.damaged_models import (
    forget_a_stop_token,
    name_another_stop_token,
    swap_two_pieces,
    use_another_template,
)

LAYER = 1
SCALED = 1.01


class Model:
    """The undamaged model file of a run, and where it holds its matrices."""

    def __init__(self, files: RunFiles, recipe: str) -> None:
        self.path = files.convert.model
        self.base, self.merged = (
            PresetMatrices(files.download.preset),
            PresetMatrices(files.merge.huggingface),
        )
        self.stored: dict[str, StoredMatrix] = find_matrices(self.path, self.merged, SCHEMES[recipe])

    def with_values(self, damaged: Path, name: str, values: NDArray[np.float32]) -> None:
        """Store other values in a matrix of a copy."""
        quantized = nearest(values, 8)
        place = self.stored[name].weight
        with damaged.open("r+b") as file:
            file.seek(place.offset)
            file.write(quantized.packed().tobytes())
            for scales_at in place.scales:
                file.seek(scales_at)
                file.write(quantized.scales.astype(np.float32).tobytes())


Plant = Callable[[Model, Path], object]
"""Damages a copy of the model file."""


def _name(target: str, layer: int = LAYER) -> str:
    return hugging_face_name(f"decoder_block_{layer}.{target}")


def lose_the_adapter_in_one_layer(model: Model, damaged: Path) -> None:
    for target in ("query", "key", "value", "output", "gate", "up", "down"):
        model.with_values(damaged, _name(target), model.base.read(_name(target)))


def scale_one_matrix(model: Model, damaged: Path) -> None:
    model.with_values(damaged, _name("up"), model.merged.read(_name("up")) * np.float32(SCALED))


def swap_two_matrices(model: Model, damaged: Path) -> None:
    first, second = _name("key"), _name("key", LAYER + 1)
    model.with_values(damaged, first, model.merged.read(second))
    model.with_values(damaged, second, model.merged.read(first))


def round_the_embedding(model: Model, damaged: Path) -> None:
    """To 4 bits, stored as 8."""
    matrix = model.merged.read(EMBEDDING)
    model.with_values(damaged, EMBEDDING, nearest(matrix, 4).dequantized())


def _declared(damage: Callable[[Path, Path], object]) -> Plant:
    """Damage to what the file declares."""
    return lambda model, damaged: damage(model.path, damaged)


IN_THE_FILE: dict[str, Plant] = {
    "nothing": lambda model, damaged: None,
    "adapter lost in one layer": lose_the_adapter_in_one_layer,
    "one matrix scaled by 1 %": scale_one_matrix,
    "two matrices of the same shape swapped": swap_two_matrices,
    "embedding rounded to 4 bits": round_the_embedding,
    "second stop token missing": _declared(forget_a_stop_token),
    "another second stop token": _declared(name_another_stop_token),
    "one more line break in the chat template": _declared(use_another_template),
    "two pieces of the tokenizer swapped": _declared(swap_two_pieces),
}


def check_files(config: Config, run: Path) -> Iterator[dict[str, Any]]:
    """Show each damaged file to the verify stage; Keras answers once."""
    _answer_once()
    model = Model(RunFiles(run), config.convert.recipe)
    for fault, plant in IN_THE_FILE.items():
        with tempfile.TemporaryDirectory(dir=run.parent) as folder:
            copy = Path(folder) / "run"
            shutil.copytree(
                run, copy, copy_function=os.link, ignore=shutil.ignore_patterns(".lock", "verify", "bundle")
            )
            damaged = copy / model.path.relative_to(run)
            damaged.unlink()
            shutil.copyfile(model.path, damaged)
            plant(model, damaged)
            (copy / "convert" / "model.task").unlink(missing_ok=True)
            yield {"fault": fault, **_verified(config, copy)}


def _verified(config: Config, folder: Path) -> dict[str, Any]:
    refused = True
    with Run(folder) as run:
        try:
            verify.run(config, run)
            refused = False
        except PocketGemmaError as error:
            print(error)
    files = RunFiles(folder)
    report = json.loads((files.logs.refused if refused else files.verify).report.read_text(encoding="utf-8"))
    return {
        "refused": refused,
        "failed": [check["name"] for check in report["checks"] if check["outcome"] == "failed"],
        "checks": {check["name"]: check["found"] for check in report["checks"]},
        "same_answers": round(report["same_answers"], 3),
    }


def _answer_once() -> None:
    """Keep Keras's answers, which do not depend on the model file, and its log-probabilities with the numbers
    of the right file."""
    answer, stored = in_keras.answer_all, in_keras.stored_logprobs
    answers: dict[Path | None, list[Answer]] = {}
    logprobs: list[tuple[list[float], list[float]]] = []

    def answer_once(
        preset: Path, examples: Sequence[Example], *, adapter: Path | None = None, **options: Any
    ) -> list[Answer]:
        if adapter not in answers:
            answers[adapter] = answer(preset, examples, adapter=adapter, **options)
        return answers[adapter]

    def stored_once(*arguments: Any) -> tuple[list[float], list[float]]:
        if not logprobs:
            logprobs.append(stored(*arguments))
        return logprobs[0]

    in_keras.answer_all = answer_once
    in_keras.stored_logprobs = stored_once  # type: ignore[assignment]


def _rope(kind: str, factor: float) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        config["rope_parameters"][kind]["rope_theta"] *= factor

    return change


def _set(key: str, value: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        config[key] = value(config)

    return change


IN_THE_FOLDER: dict[str, Callable[[dict[str, Any]], None]] = {
    "nothing": lambda config: None,
    "window one token shorter": _set("sliding_window", lambda config: config["sliding_window"] - 1),
    "no window": _set("layer_types", lambda config: ["full_attention"] * len(config["layer_types"])),
    "RoPE base of local layers 1 % larger": _rope("sliding_attention", SCALED),
    "RoPE base of global layers 1 % larger": _rope("full_attention", SCALED),
    "epsilon of the norms 1e-5 instead of 1e-6": _set("rms_norm_eps", lambda config: 1e-5),
    "scale of attention 0.2 % smaller": _set("query_pre_attn_scalar", lambda config: config["head_dim"] + 1),
}


def check_folders(run: Path, sequence: int) -> Iterator[dict[str, Any]]:
    """Show each wrong folder to the comparison of logits."""
    files = RunFiles(run)
    use_backend("torch")
    model = load_causal_lm(files.merge.keras)
    tokens = np.random.default_rng(0).integers(0, model.backbone.vocabulary_size, sequence).tolist()
    ours = keras_logits(model, [tokens])
    del model
    for fault, change in IN_THE_FOLDER.items():
        with tempfile.TemporaryDirectory(dir=run.parent) as temporary:
            folder = Path(temporary) / "huggingface"
            shutil.copytree(files.merge.huggingface, folder, copy_function=os.link)
            path = folder / "config.json"
            config = json.loads(path.read_text(encoding="utf-8"))
            change(config)
            path.unlink()
            path.write_text(json.dumps(config), encoding="utf-8")
            (noise,) = logit_noise(ours, folder, [tokens])
            print(f"{fault}: {noise.ratio:.1f}", flush=True)
            yield {"fault": fault, "ratio": round(noise.ratio, 2), "difference": noise.difference}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--name", required=True, help="of the model, for the table")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--merge-only", action="store_true")
    options = parser.parse_args()
    config = load_config(options.config)
    asked = {"questions": options.questions, "max_questions": options.questions, "accept_undecided": True}
    config = config.model_copy(update={"verify": config.verify.model_copy(update=asked)})
    run = options.run.resolve()
    window = json.loads((RunFiles(run).merge.huggingface / "config.json").read_text(encoding="utf-8"))
    section = {
        "name": options.name,
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine() | {"cores": len(os.sched_getaffinity(0))},
        "questions": options.questions,
        "limits": {
            "max_logit_noise": config.merge.max_logit_noise,
            "max_runtime_noise": config.verify.max_runtime_noise,
        },
        "merge": list(check_folders(run, window["sliding_window"] + 32)),
        "verify": [] if options.merge_only else list(check_files(config, run)),
    }
    out = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {"models": []}
    out["models"] = [each for each in out["models"] if each["name"] != options.name] + [section]
    out["command"] = "python -m tests.tools.planted_faults"
    options.out.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
