"""Tuning methods on a real Gemma: accuracy, trained parameters, time and memory.

    python benchmarks/methods.py --preset FOLDER --data FOLDER [--rows 2000] [--questions 1000]

FOLDER of --preset is a Hugging Face folder, such as runs/NAME/download/preset; --data holds train.csv and
test.csv of banking77 (Casanueva et al. 2020, arXiv:2003.04807). Each method trains one epoch on the same
rows with its default learning rate, in a process of its own. A question counts as right if every token of its
answer is the most likely one, as greedy decoding would choose it; for a quantized base, that is measured on
the base as it was trained, and on the unrounded base that a merge takes. Writes
docs/measurements/methods.json.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from train_data import short_answers
from train_peers import memory
from train_process import in_own_process

from pipeline.evaluation.interval import wilson_interval
from pipeline.machine import available_cores, describe_machine
from pipeline.tuning.allocation import training_variables

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "methods.json"
BATCH, EPOCHS = 16, 1
ATTENTION = ("query", "key", "value", "output")
VARIANTS: dict[str, dict[str, Any]] = {
    "LoRA, query and value": {"targets": ("query", "value")},
    "LoRA, attention": {"targets": ATTENTION},
    "LoRA, all matrices (default)": {},
    "rank-stabilized, rank 64": {"rank": 64, "scaling": "rank_stabilized"},
    "LoRA+, ratio 16": {"lora_plus_ratio": 16},
    "LoRA, base in int8": {"quantize_base": "int8"},
    "LoRA, base in int4": {"quantize_base": "int4"},
    "DoRA": {"method": "dora"},
    "norms": {"method": "norms"},
    "full": {"method": "full"},
}
"""Settings of `finetune` beside the defaults."""


@training_variables()
def run(request: dict[str, Any]) -> None:
    """Train one variant and print what was measured."""
    from pipeline.gemma.causal_lm import load_backbone, use_backend

    use_backend("torch")
    import keras
    from train import conversations

    from pipeline.data.tokenize import encode
    from pipeline.gemma.tokenizer import Tokenizer
    from pipeline.recipe.sections.finetune import FinetuneSection
    from pipeline.run.files import FinetuneFiles
    from pipeline.tuning import loss
    from pipeline.tuning.loop import TrainingSettings, fit
    from pipeline.tuning.loss import Batches, response_model
    from pipeline.tuning.quantized_base import quantize_base
    from pipeline.tuning.registry import METHODS

    imported = memory("VmRSS")
    section = FinetuneSection.model_validate(request["settings"])
    method, preset = METHODS[section.tuning_method], Path(request["preset"])
    tokenizer = Tokenizer.of_preset(preset)
    train, test = (encode(conversations(request[name]), tokenizer) for name in ("train", "test"))
    keras.utils.set_random_seed(section.seed)
    dtype = "bfloat16" if method.low_rank else "mixed_bfloat16"
    backbone = load_backbone(preset, dtype)
    attachment = method.attach(backbone, section.method_settings())
    if section.quantize_base:
        quantize_base(backbone, section.quantize_base)
    settings = TrainingSettings(
        epochs=EPOCHS,
        batch_size=BATCH,
        micro_batch_size=None,
        learning_rate=section.highest_learning_rate,
        warmup_steps=section.warmup_steps,
        final_learning_rate=section.final_learning_rate,
        weight_decay=section.weight_decay,
        clip_norm=section.clip_norm,
        monitor="loss",
        patience=1,
        seed=section.seed,
        lora_plus_ratio=section.lora_plus_ratio,
    )
    started = time.perf_counter()
    training = fit(backbone, train, train.first(BATCH), settings, FinetuneFiles(Path(request["work"])))
    seconds, peak = time.perf_counter() - started, memory("VmHWM") - imported

    def right(backbone: Any) -> dict[str, float]:
        model = response_model(backbone)
        model.compile(optimizer=None, jit_compile=False)
        return loss.measure(model, Batches(test, BATCH, None))

    found = {"trained": right(backbone)}
    if section.quantize_base:
        adapter = method.collect(attachment, "")
        backbone = load_backbone(preset, dtype)
        method.apply(adapter, backbone)
        found["unrounded"] = right(backbone)
    document = {
        **found,
        "learning_rate": section.highest_learning_rate,
        "parameters": training.trainable_parameters,
        "steps": training.steps,
        "seconds": seconds,
        "peak_bytes": peak,
    }
    print(json.dumps(document))


def main() -> None:
    if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
        run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=1000)
    options = parser.parse_args()
    shared = {
        "preset": str(options.preset.resolve()),
        "train": short_answers(options.data / "train.csv", options.rows),
        "test": short_answers(options.data / "test.csv", options.questions),
    }
    document: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/methods.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "rows_trained": options.rows,
        "questions": options.questions,
        "batch": BATCH,
        "rows": [],
    }
    for name, settings in VARIANTS.items():
        request = shared | {"settings": settings}
        entry = {"name": name, **in_own_process(sys.executable, "methods.py", request)}
        for kind in ("trained", "unrounded"):
            if kind in entry:
                share = entry[kind]["exact_match"]
                entry[kind]["interval"] = wilson_interval(round(share * options.questions), options.questions)
        print(json.dumps(entry), flush=True)
        document["rows"].append(entry)
        # A run that is stopped keeps what it has measured.
        OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
