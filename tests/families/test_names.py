"""One matrix, one name in each library: every name leads back to the same layer and target."""

import pytest

from pipeline.errors import InputError
from pipeline.families import names
from pipeline.families.registry import FAMILIES


@pytest.mark.parametrize("target", names.TARGETS)
def test_names_lead_back_to_layer_and_target(target: str) -> None:
    adapter = names.adapter_name(12, target)
    assert names.parse_adapter_name(adapter) == (12, target)
    assert names.parse_hugging_face_name(names.hugging_face_name(adapter)) == (12, target)
    path = names.MATRICES[target].hdf5_path
    assert names.parse_hdf5_path(f"layers/gemma3_decoder_block_12/{path}/vars/0") == (12, target)
    assert names.parse_hdf5_path(f"layers/gemma3_decoder_block/{path}/vars/0") == (0, target)


@pytest.mark.parametrize("target", names.RUNTIME_TARGETS)
@pytest.mark.parametrize("part", ["a", "b"])
def test_runtime_names_lead_back_to_target_part_and_layer(target: str, part: str) -> None:
    name = names.runtime_name(target, part, 3)
    assert names.parse_runtime_name(name) == names.parse_any_runtime_name(name) == (target, part, 3)
    assert name.startswith(names.RUNTIME_PREFIXES)
    word = names.MATRICES[target].runtime_word
    other = f"{word}_w_prime_{'left' if part == 'a' else 'right'}_3"
    assert names.parse_any_runtime_name(other) == (target, part, 3)
    assert other.startswith(names.RUNTIME_PREFIXES)


def test_the_runtime_takes_attention_only() -> None:
    assert names.RUNTIME_TARGETS == ("query", "key", "value", "output")


def test_families_call_a_matrix_by_the_same_names() -> None:
    for family in FAMILIES.values():
        for matrix in family.matrices:
            assert names.MATRICES[matrix.name] == matrix


def test_matrices_come_in_the_order_in_which_a_token_meets_them() -> None:
    shuffled = [
        names.hugging_face_name(f"decoder_block_{layer}.{target}")
        for target in names.TARGETS
        for layer in (10, 9)
    ]
    ordered = sorted([*shuffled, names.EMBEDDING], key=names.matrix_order)
    assert ordered[0] == names.EMBEDDING
    assert [names.parse_hugging_face_name(name) for name in ordered[1:]] == [
        (layer, target) for layer in (9, 10) for target in names.TARGETS
    ]


@pytest.mark.parametrize(
    "name", ["decoder_block_1.norm", "query", "decoder_block_x.query", "model.norm.weight"]
)
def test_other_names_are_not_matrices(name: str) -> None:
    with pytest.raises(InputError, match="not a matrix; expected decoder_block_N"):
        names.parse_adapter_name(name)
    assert not names.is_matrix(name)
    assert names.parse_runtime_name(name) is None


def test_runtime_names_are_those_in_the_runtime() -> None:
    # From the list of names in the runtime's own source.
    assert names.runtime_name("query", "a", 0) == "lora_atten_q_a_prime_weight_0"
    assert names.runtime_name("output", "b", 123) == "lora_atten_o_b_prime_weight_123"
    assert names.parse_runtime_name("lora_atten_k_b_prime_weight_17") == ("key", "b", 17)
    assert names.parse_runtime_name("kv_cache_k_0") is None
