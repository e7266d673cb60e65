"""Promise: a soft cap that would not be computed is refused, and one that the family computes is taken."""

from typing import Any

import pytest

from pipeline.families.registry import FAMILIES


@pytest.mark.parametrize(
    ("family", "key", "computed"),
    [
        ("gemma", "attn_logit_softcapping", False),
        ("gemma", "final_logit_softcapping", False),
        ("gemma2", "attn_logit_softcapping", True),
        ("gemma2", "final_logit_softcapping", True),
        ("gemma3", "attn_logit_softcapping", True),
        ("gemma3", "final_logit_softcapping", True),
        ("gemma4", "attn_logit_softcapping", False),
        ("gemma4", "final_logit_softcapping", True),
    ],
)
def test_a_soft_cap_is_computed_or_refused(family: str, key: str, computed: bool) -> None:
    computation = FAMILIES[family].computation
    assert computation is not None
    kinds = [{"rope_type": kind} for kind in computation.global_rope_types]
    plain: dict[str, Any] = {"rope_parameters": {"full_attention": kinds[0]}} if kinds else {}
    plain["sliding_window"] = 64
    assert computation.difference(plain | {key: None}) is None
    assert computation.difference(plain | {key: 30.0}) == (
        None if computed else f"{key} is 30.0, expected None"
    )


@pytest.mark.parametrize(
    ("family", "text", "difference"),
    [
        ("gemma3", {"query_pre_attn_scalar": 168}, None),
        (
            "gemma3",
            {"query_pre_attn_scalar": 169},
            "query_pre_attn_scalar is 169, expected 128 (head_dim) or 168 (hidden_size / num_attention_heads"
            ")",
        ),
        ("gemma2", {"query_pre_attn_scalar": 168}, "query_pre_attn_scalar is 168, expected 128 (head_dim)"),
        ("gemma3", {"sliding_window": None, "layer_types": ["full_attention"] * 2}, None),
        (
            "gemma2",
            {"sliding_window": None, "layer_types": ["full_attention"] * 2},
            "sliding_window is missing, expected a whole number, 1 or more",
        ),
        ("gemma", {"sliding_window": None}, None),
        ("gemma3", {"sliding_window_pattern": 2, "layer_types": ["sliding_attention"] * 2}, None),
        ("gemma3", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}, None),
    ],
)
def test_what_the_family_computes_is_followed_and_nothing_else(
    family: str, text: dict[str, Any], difference: str | None
) -> None:
    computation = FAMILIES[family].computation
    assert computation is not None
    sizes = {"hidden_size": 5376, "num_attention_heads": 32, "head_dim": 128, "num_hidden_layers": 2}
    assert computation.difference(sizes | {"sliding_window": 64} | text) == difference
