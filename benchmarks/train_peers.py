"""Training steps of other trainers on the same weights and rows. benchmarks/train.py runs this in a process
of its own, TRL with the Python of an environment that has it.

    PYTHON benchmarks/train_peers.py REQUEST.json

REQUEST: kind (keras_hub, trl or trl_packing), preset (a Hugging Face folder), rows (objects with prompt and
completion, in turn markers), batch, steps, rank, learning_rate, sequence (tokens of a padded row),
packed_rows (of a step). Prints a JSON document as the last line.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

PACKED = 1024
"""Tokens of a packed row."""


def memory(name: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


def graphics_card() -> dict[str, str]:
    """The name of the GPU, if there is one."""
    import torch

    return {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}


def synchronize() -> None:
    """Wait for what a GPU still computes."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def report(seconds: list[float], tokens: list[int], losses: list[float], imported: int) -> None:
    """Print what a training measured; the first step warms up.

    Args:
        seconds: of each step.
        tokens: of each step, without padding.
        losses: of each step.
        imported: memory after the imports, in bytes. On a GPU, the peak is that of its own memory.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    document = {
        "tokens_per_second": sum(tokens[1:]) / sum(seconds[1:]),
        "tokens_per_step": sum(tokens) / len(tokens),
        "peak_bytes": torch.cuda.max_memory_allocated() if on_gpu else memory("VmHWM") - imported,
        "losses": losses,
    }
    print(json.dumps(document))


def keras_hub(request: dict[str, Any]) -> None:
    """As Google's tutorial on LoRA fine-tuning has it: enable_lora, a preprocessor, and fit."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import keras_hub
    import numpy as np
    import torch  # noqa: F401

    imported = memory("VmRSS")
    preset = request["preset"]
    tokenizer = keras_hub.models.Gemma3Tokenizer(str(Path(preset) / "tokenizer.model"))
    preprocessor = keras_hub.models.Gemma3CausalLMPreprocessor(
        tokenizer=tokenizer, image_converter=None, sequence_length=request["sequence"]
    )
    backbone = keras_hub.models.Gemma3Backbone.from_preset(preset, dtype="float32")
    model = keras_hub.models.Gemma3CausalLM(backbone=backbone, preprocessor=preprocessor)
    model.backbone.enable_lora(rank=request["rank"])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.AdamW(request["learning_rate"], weight_decay=0.01),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
        jit_compile=False,
    )
    count = request["batch"] * request["steps"]
    rows = request["rows"][:count]
    data = {"prompts": [row["prompt"] for row in rows], "responses": [row["completion"] for row in rows]}
    prepared, _, _ = preprocessor(data)
    lengths = np.asarray(prepared["padding_mask"]).sum(axis=1).reshape(request["steps"], -1).sum(axis=1)

    seconds: list[float] = []
    losses: list[float] = []

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seconds.append(time.perf_counter() - self.started)
            losses.append(float((logs or {})["loss"]))

    model.fit(data, epochs=1, batch_size=request["batch"], shuffle=False, verbose=0, callbacks=[Clock()])
    report(seconds, [int(length) for length in lengths], losses, imported)


def trl(request: dict[str, Any], *, packing: bool) -> None:
    """TRL's SFTTrainer: prompt and completion, all linear layers."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    imported, on_gpu = memory("VmRSS"), torch.cuda.is_available()
    seconds: list[float] = []
    tokens: list[int] = []
    losses: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            synchronize()
            self.started = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            synchronize()
            seconds.append(time.perf_counter() - self.started)

        def on_log(self, *_: Any, logs: Any = None, **__: Any) -> None:
            if "loss" in (logs or {}):
                losses.append(float(logs["loss"]))

    folder = request["preset"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # TRL adds no start token, some tokenizers do.
    starts = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    start = "" if starts else tokenizer.bos_token
    rows = [row | {"prompt": start + row["prompt"]} for row in request["rows"]]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=SFTConfig(
            output_dir=request["work"],
            per_device_train_batch_size=request["packed_rows"] if packing else request["batch"],
            max_steps=request["steps"],
            learning_rate=request["learning_rate"],
            logging_steps=1,
            report_to=[],
            packing=packing,
            max_length=PACKED if packing else request["sequence"],
            use_cpu=not on_gpu,
            bf16=on_gpu,
            fp16=False,
            save_strategy="no",
            gradient_checkpointing=False,
            seed=0,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Clock()],
        peft_config=LoraConfig(
            r=request["rank"], lora_alpha=request["rank"], target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    plain = trainer.training_step

    def counted(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        mask = inputs.get("attention_mask")
        tokens.append(int(inputs["input_ids"].numel() if mask is None else mask.sum()))
        return plain(model, inputs, *rest, **more)

    trainer.training_step = counted
    trainer.train()
    report(seconds, tokens, losses, imported)


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # Triton's library can crash in a process with other frameworks.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    if request["kind"] == "keras_hub":
        keras_hub(request)
    else:
        trl(request, packing=request["kind"] == "trl_packing")


if __name__ == "__main__":
    main()
