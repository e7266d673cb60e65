import pytest

from pipeline.litert.runtime.turn_markers import before_marker

MARKERS = ("<end_of_turn>", "<eos>", "<start_of_turn>")


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["It is", " Au.", "<end_of_turn>", "\n", "more"], ["It is", " Au."]),
        (["Au.<end_", "of_", "turn>more"], ["Au."]),
        (["<eos>"], []),
        (["a <e", "m>b</em> <", "end"], ["a ", "<em>b</em> ", "<end"]),
        (["Au<start_of_turn>user\nx<end_of_turn>"], ["Au"]),
        ([], []),
    ],
)
def test_a_reply_ends_at_the_first_marker(pieces: list[str], shown: list[str]) -> None:
    assert list(before_marker(pieces, MARKERS)) == shown


def test_nothing_is_generated_after_a_marker() -> None:
    pieces = iter(["Au.", "<eos>", "more"])
    assert "".join(before_marker(pieces, MARKERS)) == "Au."
    assert next(pieces) == "more"
