"""What the runtime takes no adapter for is refused with the way out."""

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.tuning.runtime_factors import rank_of, refuse_other_matrices


@pytest.mark.parametrize("target", ["gate", "up", "down"])
def test_more_than_attention_is_refused_with_the_way_out(target: str) -> None:
    with pytest.raises(InputError, match=f"changes {target}, .* only for query, key, value, output; .*graft"):
        refuse_other_matrices(["query", target, target])


def test_attention_is_taken() -> None:
    refuse_other_matrices(["query", "key", "value", "output"])


def test_the_largest_rank_decides() -> None:
    factors = {
        ("query", layer): (np.zeros((8, rank), np.float32), np.zeros((rank, 4), np.float32))
        for layer, rank in enumerate((2, 6))
    }
    assert rank_of(factors) == 6
    assert rank_of({}) == 0
