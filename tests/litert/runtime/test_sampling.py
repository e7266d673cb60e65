"""Promise: replies are drawn as the model file says, except for what was chosen."""

from pathlib import Path

import pytest

from pipeline.litert.runtime.sampling import GEMMA, GREEDY, MAX_SEED, Sampling, chosen_sampling, sampling_of
from tests.support.litertlm import write_container

TOP_P = {"type": 2, "k": 40, "p": 0.5, "temperature": 0.25}


def model(folder: Path, **sampler: float) -> Path:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

    metadata = LlmMetadata(max_num_tokens=64, sampler_params=sampler or None).SerializeToString()
    return write_container(folder / "model.litertlm", metadata=metadata)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (TOP_P, Sampling(40, 0.5, 0.25)),
        (TOP_P | {"type": 1}, Sampling(40, 1.0, 0.25)),
        (TOP_P | {"seed": 7}, Sampling(40, 0.5, 0.25, 7)),
        (TOP_P | {"type": 3}, GREEDY),
        (TOP_P | {"temperature": 0}, GREEDY),
        (TOP_P | {"k": 0}, None),
        ({}, None),
    ],
)
def test_a_file_specifies_its_sampling(
    tmp_path: Path, sampler: dict[str, float], expected: Sampling | None
) -> None:
    assert sampling_of(model(tmp_path, **sampler)) == expected


def test_a_choice_replaces_what_the_file_says(tmp_path: Path) -> None:
    file = model(tmp_path, **TOP_P)
    assert chosen_sampling(file, 2.0, 3) == Sampling(40, 0.5, 2.0, 3)
    assert chosen_sampling(file, None, 0) == Sampling(40, 0.5, 0.25, 0)
    assert chosen_sampling(file, 0, 3) == GREEDY


def test_a_greedy_file_draws_at_another_temperature(tmp_path: Path) -> None:
    file = model(tmp_path, **(TOP_P | {"k": 1}))
    assert chosen_sampling(file, 0.5, 3) == Sampling(GEMMA.top_k, GEMMA.top_p, 0.5, 3)


def test_without_a_seed_each_conversation_is_another(tmp_path: Path) -> None:
    file = model(tmp_path, **TOP_P)
    seeds = {found.seed for _ in range(4) if (found := chosen_sampling(file, None, None))}
    assert len(seeds) > 1
    assert all(seed is not None and 0 < seed <= MAX_SEED for seed in seeds)
    assert getattr(chosen_sampling(model(tmp_path, **TOP_P, seed=7), None, None), "seed", None) == 7


def test_a_file_without_sampling_leaves_it_to_the_runtime(tmp_path: Path) -> None:
    assert chosen_sampling(model(tmp_path), None, None) is None
    assert chosen_sampling(tmp_path / "model.task", None, None) is None
    assert chosen_sampling(tmp_path / "model.task", 0.5, 1) == Sampling(GEMMA.top_k, GEMMA.top_p, 0.5, 1)
