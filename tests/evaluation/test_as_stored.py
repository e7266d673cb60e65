"""Promise: Keras with the numbers that a file stores is as close to the runtime as rounding allows; any other
number, in one matrix of one layer, is not."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.examples import Example, read_examples
from pipeline.evaluation import in_keras
from pipeline.evaluation.agreement import Agreement, agreement
from pipeline.evaluation.as_stored import EVERY_MATRIX, Read, compute_as_stored
from pipeline.evaluation.conversations import spread
from pipeline.families.names import EMBEDDING, hugging_face_name
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.matrix_check import find_matrices, read_stored
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.sections.verify import VerifySection
from tests.support.finished_run import BASE, QUESTIONS, finished_run

pytestmark = pytest.mark.slow
__all__ = ["finished_run"]

LIMIT = VerifySection().max_runtime_noise
Matrix = NDArray[np.float32]


class Converted:
    """The finished run's model and what the runtime said of it."""

    def __init__(self, run: Path) -> None:
        self.merged, model = run / "merge/huggingface", run / "convert/model.litertlm"
        lines = (run / "verify/answers.jsonl").read_text(encoding="utf-8").splitlines()
        answers = [json.loads(line)["runtime"] for line in lines]
        self.logprobs = [answer["logprob"] for answer in answers]
        self.tokens = [answer["tokens"] for answer in answers]
        self.examples: list[Example] = spread(read_examples(run / "prepare/test.jsonl"), QUESTIONS)
        self.base = PresetMatrices(run / BASE)
        stored = find_matrices(model, PresetMatrices(self.merged), SCHEMES["int8"])
        self.read: Read = lambda name: read_stored(model, stored[name])

    def agreement(self, read: Read) -> Agreement:
        stored, disturbed = in_keras.stored_logprobs(
            self.merged,
            self.examples,
            lambda model: compute_as_stored(model, read, rounded_inputs=EVERY_MATRIX),
        )
        return agreement(self.logprobs, stored, disturbed, self.tokens)


@pytest.fixture(scope="module")
def converted(finished_run: Path) -> Converted:
    return Converted(finished_run)


def test_the_runtime_is_within_rounding_of_the_stored_numbers(converted: Converted) -> None:
    found = converted.agreement(converted.read)
    assert found.difference > 0  # two computations, not one
    assert found.ratio < LIMIT


def test_the_numbers_before_quantization_are_not_those_of_the_runtime(converted: Converted) -> None:
    before = PresetMatrices(converted.merged)
    assert converted.agreement(before.read).ratio > LIMIT


def _one(name: str, change: Callable[[Converted, Matrix], Matrix]) -> Callable[[Converted], Read]:
    def faulty(converted: Converted) -> Read:
        return lambda asked: (
            change(converted, converted.read(asked)) if asked == name else converted.read(asked)
        )

    return faulty


def _swapped(converted: Converted) -> Read:
    first, second = (hugging_face_name(f"decoder_block_{layer}.key") for layer in (1, 4))
    return lambda asked: converted.read({first: second, second: first}.get(asked, asked))


QUERY = hugging_face_name("decoder_block_2.query")
FAULTS: dict[str, Callable[[Converted], Read]] = {
    "adapter dropped in one layer": _one(QUERY, lambda converted, _: converted.base.read(QUERY)),
    "one matrix scaled by 1 %": _one(
        hugging_face_name("decoder_block_3.gate"), lambda _, matrix: matrix * np.float32(1.01)
    ),
    "two matrices of one shape swapped": _swapped,
    "embedding rounded to 4 bits": _one(EMBEDDING, lambda _, matrix: nearest(matrix, 4).dequantized()),
}
SUBTLE = ("one matrix scaled by 1 %",)
"""Seen here, but not beyond doubt on so few questions. The comparison of matrices refuses it at once."""


@pytest.mark.parametrize("fault", FAULTS)
def test_another_number_in_one_matrix_shows(converted: Converted, fault: str) -> None:
    found = converted.agreement(FAULTS[fault](converted))
    assert found.ratio > LIMIT
    assert found.interval.low > LIMIT or fault in SUBTLE
