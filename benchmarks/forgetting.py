"""What a real Gemma forgets in a fine-tune, with and without replay.

    python benchmarks/forgetting.py --data FOLDER [--work FOLDER] [--every N]

Fine-tunes Gemma 3 270M on banking77 as benchmarks/real_gemma.py does (and uses its run, if it is there), and
once more with replay. General text is that of Python's language reference (pydoc_data.topics), which every
Python has: half of its topics make replay examples, each the first half of a passage and how it goes on; the
other half is held out. Measured are the perplexity of the held-out text and how often the most probable next
token is the right one, as plain text, and the new skill's exact match on every Nth question, all in Keras.
Writes docs/measurements/forgetting.json.
"""

import argparse
import json
import pydoc_data.topics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from real_gemma import MAX_NEW_TOKENS, VARIANTS, Work, pocketgemma

from pipeline.data.examples import read_examples
from pipeline.evaluation.answers import score
from pipeline.evaluation.interval import wilson_interval
from pipeline.gemma.causal_lm import hidden_states, load_causal_lm, logits_of, use_backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.machine import available_cores, describe_machine
from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "forgetting.json"
SHARE = 0.33
LENGTH = 64
"""Tokens of a passage."""
BATCH = 4
PASSAGES = 240
"""Passages that are scored."""


def passages(tokenizer: Tokenizer, held_out: bool) -> list[list[int]]:
    """Token IDs of passages of LENGTH tokens without `bos`, in the order of the topics' names."""
    names = sorted(pydoc_data.topics.topics)[held_out::2]
    found = []
    for name in names:
        ids = tokenizer.encode(" ".join(pydoc_data.topics.topics[name].split()))
        found += [ids[start : start + LENGTH - 1] for start in range(0, len(ids) - LENGTH, LENGTH)]
    return found


def write_replay(path: Path, tokenizer: Tokenizer) -> None:
    """Passages as examples: the first half is the prompt, the second the response."""
    with path.open("w", encoding="utf-8") as file:
        for ids in passages(tokenizer, held_out=False):
            half = LENGTH // 2
            row = {"prompt": tokenizer.decode(ids[:half]), "response": tokenizer.decode(ids[half:])}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def general_text(model: Any, tokenizer: Tokenizer) -> dict[str, float]:
    """Perplexity of the held-out text, and how many percent of its tokens are the model's first choice."""
    from keras import ops

    chosen = passages(tokenizer, held_out=True)
    chosen = chosen[:: max(1, len(chosen) // PASSAGES)][:PASSAGES]
    logprob, right, count = 0.0, 0, 0
    for batch in _batches(chosen):
        ids = np.array([[tokenizer.bos_id, *passage] for passage in batch], np.int32)
        hidden = hidden_states(model.backbone, ids, np.ones_like(ids))
        logprobs = ops.log_softmax(ops.cast(logits_of(model.backbone, hidden[:, :-1]), "float32"))
        wanted = ops.convert_to_numpy(ops.take_along_axis(logprobs, ops.expand_dims(ids[:, 1:], -1), axis=-1))
        logprob += float(wanted.sum(dtype=np.float64))
        right += int((ops.convert_to_numpy(ops.argmax(logprobs, axis=-1)) == ids[:, 1:]).sum())
        count += wanted.size
    return {
        "tokens": count,
        "perplexity": round(float(np.exp(-logprob / count)), 3),
        "next_token_right": round(100 * right / count, 2),
    }


def _batches(items: Sequence[list[int]]) -> Iterator[Sequence[list[int]]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def measure(run: Path, adapter: Path | None, every: int) -> dict[str, Any]:
    """General text and the new skill, of the base with an adapter or without."""
    import torch

    from pipeline.evaluation.in_keras import answer_all
    from pipeline.tuning.load import load_adapter

    files = RunFiles(run)
    tokenizer, preset = Tokenizer.of_preset(files.download.preset), files.download.preset
    model = load_causal_lm(preset)
    if adapter is not None:
        trained = load_adapter(adapter)
        trained.method.apply(trained, model.backbone)
    with torch.no_grad():
        found: dict[str, Any] = general_text(model, tokenizer)
    del model
    questions = read_examples(files.prepare.examples("test"))[::every]
    answers = answer_all(preset, questions, max_new_tokens=MAX_NEW_TOKENS, adapter=adapter)
    correct = sum(answer.correct for answer in answers)
    low, high = wilson_interval(correct, len(answers))
    return found | {
        "questions": len(answers),
        "exact_match": round(score(answers).exact_match, 2),
        "interval": [round(100 * low, 2), round(100 * high, 2)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "real-gemma")
    parser.add_argument("--every", type=int, default=10, metavar="N", help="ask every Nth question")
    options = parser.parse_args()
    work = Work(options.work.resolve(), options.data)
    work.write_inputs()
    variant = VARIANTS["int8"]
    pocketgemma("finetune", *work.options(variant))
    plain = RunFiles(work.run(variant))
    replay = work.folder / "replay.jsonl"
    write_replay(replay, Tokenizer.of_preset(plain.download.preset))
    again = work.folder / "run-replay"
    settings = ("--set", f"data.replay={replay}", "--set", f"data.replay_share={SHARE}")
    pocketgemma("finetune", "--config", str(work.recipe), "--run", str(again), *settings)
    mixed = RunFiles(again)
    use_backend("torch")
    sides = {
        "base": (plain, None),
        "fine-tuned": (plain, plain.finetune.adapter),
        "fine-tuned with replay": (mixed, mixed.finetune.adapter),
    }
    details = {
        name: json.loads(files.stage("finetune").manifest.read_text(encoding="utf-8"))
        for name, (files, adapter) in sides.items()
        if adapter
    }
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/forgetting.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "replay_share": SHARE,
        "rows": [
            {"model": name}
            | measure(files.root, adapter, options.every)
            | (
                {"examples": details[name]["details"]["examples"], "seconds": details[name]["seconds"]}
                if adapter
                else {}
            )
            for name, (files, adapter) in sides.items()
        ],
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
