"""Promise: a soft cap that would not be computed is refused, and one that the family computes is taken."""

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
    plain = {"rope_parameters": {"full_attention": kinds[0]}} if kinds else {}
    assert computation.difference(plain | {key: None}) is None
    assert computation.difference(plain | {key: 30.0}) == (
        None if computed else f"{key} is 30.0, expected None"
    )
