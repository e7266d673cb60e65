import pytest

from pipeline.families.turns import CHAT
from pipeline.litert.runtime.reply_text import reply_text


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["It is", " Au.", "<end_of_turn>", "\n", "more"], ["It is", " Au."]),
        (["Au.<end_", "of_", "turn>more"], ["Au."]),
        (["<eos>"], []),
        (["a <e", "m>b</em> <", "end"], ["a ", "<em>b</em> ", "<end"]),
        (["Au<start_of_turn>user\nx<end_of_turn>"], ["Au"]),
        (["<start_of_turn>", "model", "\n", "It is", " Au."], ["It is", " Au."]),
        (["<start_of_turn>model\n<start_of_turn>model\nAu."], ["Au."]),
        (["<start_of_turn>", "user\nWhy?"], []),
        (["<start_of_turn>", "mod"], []),
        (["<", "b>"], ["<b>"]),
        (["<"], ["<"]),
        ([], []),
    ],
)
def test_no_marker_is_in_the_text(pieces: list[str], shown: list[str]) -> None:
    assert list(reply_text(pieces, CHAT)) == shown


def test_nothing_is_generated_after_a_marker() -> None:
    pieces = iter(["Au.", "<eos>", "more"])
    assert "".join(reply_text(pieces, CHAT)) == "Au."
    assert next(pieces) == "more"
