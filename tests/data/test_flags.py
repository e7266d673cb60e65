"""Flags that exclude an answer, or a row, from training, and values that are refused because they are neither
yes nor no."""

from typing import Any

import pytest

from pipeline.data.turns import LEARN_FLAGS, SKIP_FLAGS
from tests.support.conversations import ASSISTANT, USER, columns, example_of, fault_of

EXCLUDED = "this flag excludes the only answer in the row from training; remove the row"
ADVICE = "; correct it, or name the columns to use in data.columns"
FLAGS = (*LEARN_FLAGS, *SKIP_FLAGS)
ROW = {"prompt": "Q", "response": "A"}


def turns(**flag: Any) -> dict[str, Any]:
    return {"messages": [USER, ASSISTANT | flag]}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_of_a_turn_is_yes_or_no(flag: str) -> None:
    no, yes = (0, 1) if flag in LEARN_FLAGS else (1, 0)
    for value in (yes, bool(yes), float(yes), None, float("nan")):
        assert example_of(turns(**{flag: value})).response == "A"
    for value in (no, bool(no)):
        assert fault_of(turns(**{flag: value})) == f"turn 2 has {flag} {value}: {EXCLUDED}"
    fraction = "; fractional weights are not supported"
    assert fault_of(turns(**{flag: 0.5})) == f"turn 2 has {flag} 0.5, expected 0 or 1{fraction}"
    for other in ("true", "false", "1", 2, [1]):
        assert fault_of(turns(**{flag: other})) == f"turn 2 has {flag} {other!r}, expected 0 or 1"


def test_every_flag_of_a_turn_is_checked() -> None:
    assert fault_of(turns(mask=1, weight="no")) == "turn 2 has weight 'no', expected 0 or 1"


@pytest.mark.parametrize("flag", FLAGS)
def test_a_column_excludes_its_row_also_as_the_text_of_a_cell(flag: str) -> None:
    no, yes = (0, 1) if flag in LEARN_FLAGS else (1, 0)
    for value in (yes, bool(yes), str(yes), None):
        assert example_of(ROW | {flag: value}).response == "A"
    for value, shown in ((no, no), (bool(no), bool(no)), (f" {no}", no), (f"{no}.0", no)):
        assert fault_of(ROW | {flag: value}) == f"the row has {flag} {shown}: {EXCLUDED}"


@pytest.mark.parametrize("flag", FLAGS)
def test_a_column_that_may_exclude_its_row_is_refused_unless_columns_are_named(flag: str) -> None:
    for value, shown in (("true", "'true'"), ("False", "'False'"), (0.5, "0.5"), ("0.5", "0.5")):
        row = ROW | {flag: value}
        assert fault_of(row).startswith(f"the row has {flag} {shown}, expected 0 or 1")
        assert fault_of(row).endswith(ADVICE)
        assert example_of(row, columns(prompt="prompt", response="response")).response == "A"


@pytest.mark.parametrize("value", ["12 kg", "high", "nan", "inf", "12", 12, 70.5, -1])
def test_a_column_that_says_something_else_is_a_tag(value: Any) -> None:
    for flag in FLAGS:
        assert example_of(ROW | {flag: value}).tags == {flag: str(value)}
