"""The committed base is an ordinary KerasHub preset that answers its own kinds of question and not those that
fine-tuning teaches."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.demo.build import BASE_FOLDER, DATA_FOLDER, TOKENIZER_IN_BASE
from pipeline.families.turns import CHAT
from pipeline.gemma.causal_lm import load_causal_lm, logits_of

WINDOW = 64
"""Tokens; the questions sampled here and their answers fit."""


@pytest.fixture(scope="module")
def base() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return load_causal_lm(BASE_FOLDER)


def greedy_answers(model: Any, prompts: list[str]) -> list[str]:
    """Greedy answers without a cache, all prompts at once in one compiled step: short questions need no
    more."""
    import keras
    from sentencepiece import SentencePieceProcessor

    step = keras.Model(model.backbone.input, logits_of(model.backbone, model.backbone.output))
    tokenizer = SentencePieceProcessor(model_file=str(BASE_FOLDER / TOKENIZER_IN_BASE))
    stop = tokenizer.piece_to_id(CHAT.end_of_turn)
    rows = np.arange(len(prompts))
    ids = np.zeros((len(prompts), WINDOW), "int32")
    encoded = [[tokenizer.bos_id(), *tokenizer.encode(CHAT.render_question(prompt))] for prompt in prompts]
    starts = np.array([len(tokens) for tokens in encoded])
    for row, tokens in enumerate(encoded):
        ids[row, : len(tokens)] = tokens
    lengths, done = starts.copy(), np.zeros(len(prompts), bool)
    while not done.all() and lengths.max() < WINDOW:
        mask = (np.arange(WINDOW) < lengths[:, None]).astype("int32")
        logits = np.asarray(step.predict_on_batch({"token_ids": ids, "padding_mask": mask}))
        chosen = logits[rows, lengths - 1].argmax(-1)
        done |= chosen == stop
        ids[rows[~done], lengths[~done]] = chosen[~done]
        lengths[~done] += 1
    return [
        tokenizer.decode(row[start:end].tolist())
        for row, start, end in zip(ids, starts, lengths, strict=True)
    ]


def sample(name: str, count: int) -> list[dict[str, str]]:
    """As many questions of each kind, from one of the data files."""
    by_kind = defaultdict(list)
    for line in (DATA_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        by_kind[row["kind"]].append(row)
    return [row for rows in by_kind.values() for row in rows[:: max(1, len(rows) // count)][:count]]


def test_the_base_is_small_and_holds_no_pickle() -> None:
    files = [path for path in BASE_FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert {path.suffix for path in files} == {".json", ".h5", ".spm"}


@pytest.mark.slow
def test_the_base_answers_its_own_kinds(base: Any) -> None:
    rows = sample("skills", 3)
    answers = greedy_answers(base, [row["prompt"] for row in rows])
    right = sum(answer == row["response"] for answer, row in zip(answers, rows, strict=True))
    assert right >= 0.9 * len(rows), [
        (r["prompt"], a) for r, a in zip(rows, answers, strict=True) if a != r["response"]
    ]


@pytest.mark.slow
def test_the_base_cannot_answer_what_the_fine_tuning_teaches(base: Any) -> None:
    rows = sample("test", 5)
    answers = greedy_answers(base, [row["prompt"] for row in rows])
    assert sum(answer == row["response"] for answer, row in zip(answers, rows, strict=True)) <= 0.05 * len(
        rows
    )


DAMAGED = """
import sys
from pathlib import Path
from pipeline.demo.base import write_preset
from pipeline.demo.pretrain import new_model
weights = dict(new_model().named_parameters())
del weights["model.layers.2.mlp.up_proj.weight"]
write_preset(weights, Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_weights_that_lack_a_matrix_are_refused(tmp_path: Path) -> None:
    # In a process of its own: transformers brings Triton, which crashes when it is imported after TensorFlow.
    arguments = [
        sys.executable,
        "-c",
        DAMAGED,
        str(BASE_FOLDER / TOKENIZER_IN_BASE),
        str(tmp_path / "preset"),
    ]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "missing ['model.layers.2.mlp.up_proj.weight']" in result.stderr
    assert result.returncode != 0 and not (tmp_path / "preset").exists()
