from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.checks import check_files, check_leaks, count_near_leaks, drop_duplicates, fit_window
from pipeline.data.conversations import Candidate
from pipeline.data.examples import Example
from pipeline.data.faults import SHOWN, Faults, Place
from pipeline.data.policy import RowPolicy
from pipeline.errors import InputError
from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.rows import pair, write_jsonl
from tests.support.tokenizers import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return make_tokenizer(Path(tmp_path_factory.mktemp("tokenizer")))


def candidates(*pairs: tuple[str, str], file: str = "train.jsonl") -> list[Candidate]:
    return [
        Candidate(
            Place(Path(file), number),
            Example(({"role": "user", "content": prompt}, {"role": "assistant", "content": response})),
        )
        for number, (prompt, response) in enumerate(pairs, start=1)
    ]


def policy(**settings: Any) -> RowPolicy:
    return RowPolicy(**({"max_length": 512} | settings))


def said(faults: Faults) -> list[str]:
    return [f"{place}: {what}" for place, what in faults.found]


def responses(found: Sequence[Candidate]) -> list[str]:
    return [candidate.example.response for candidate in found]


SAME = candidates(("Q", "A"), ("Q", "B"), (" Q", "A\n"), ("q", "A"))


def test_rows_that_say_the_same_are_dropped_and_counted_unless_told_otherwise() -> None:
    faults = Faults()
    kept, dropped = drop_duplicates(SAME, policy(), faults)
    assert ([candidate.place.number for candidate in kept], dropped, faults.found) == ([1, 2, 4], 1, [])


def test_rows_that_say_the_same_can_be_refused_or_kept() -> None:
    faults = Faults()
    drop_duplicates(SAME, policy(duplicates="refuse"), faults)
    assert said(faults) == [
        "train.jsonl line 3: duplicate of train.jsonl line 1; remove it, or set data.duplicates to drop or "
        "keep"
    ]
    assert drop_duplicates(SAME, policy(duplicates="keep"), Faults()) == (SAME, 0)


def test_an_example_of_exactly_the_window_fits_and_one_token_more_does_not(tokenizer: Tokenizer) -> None:
    (candidate,) = candidates(("What is Au?", "gold"))
    length = len(tokenizer.prompt_ids(candidate.example.context)) + len(
        tokenizer.response_ids(candidate.example.response)
    )
    faults = Faults()
    assert fit_window([candidate], policy(max_length=length), tokenizer, faults) == ([candidate], 0, 0)
    assert not faults.found
    fit_window([candidate], policy(max_length=length - 1), tokenizer, faults)
    assert f"{length} tokens long, data.max_length is {length - 1}" in said(faults)[0]


def test_too_long_examples_can_be_dropped(tokenizer: Tokenizer) -> None:
    short, long = candidates(("Q", "A"), ("Q", "word " * 200))
    assert fit_window([short, long], policy(max_length=64, too_long="drop"), tokenizer, Faults()) == (
        [short],
        1,
        0,
    )


def test_truncation_keeps_the_prompt_and_as_many_whole_words_as_fit(tokenizer: Tokenizer) -> None:
    answer = " ".join(f"word{number}" for number in range(100))
    (long,) = candidates(("What is Au?", answer))
    (kept,), dropped, truncated = fit_window(
        [long], policy(max_length=64, too_long="truncate"), tokenizer, Faults()
    )
    assert (dropped, truncated) == (0, 1)
    assert kept.example.context == long.example.context
    words = kept.example.response.split(" ")
    assert answer.split(" ")[: len(words)] == words

    def length(count: int) -> int:
        (example,) = candidates(("What is Au?", " ".join(answer.split(" ")[:count])))
        return len(tokenizer.prompt_ids(example.example.context)) + len(
            tokenizer.response_ids(example.example.response)
        )

    assert length(len(words)) <= 64 < length(len(words) + 1)


def test_a_prompt_that_fills_the_window_alone_cannot_be_truncated(tokenizer: Tokenizer) -> None:
    faults = Faults()
    kept, _, truncated = fit_window(
        candidates(("word " * 100, "A")), policy(max_length=64, too_long="truncate"), tokenizer, faults
    )
    assert (kept, truncated) == ([], 0)
    assert "the prompt alone is" in said(faults)[0]


def test_a_test_question_that_is_also_training_data_is_a_fault() -> None:
    faults = Faults()
    check_leaks(
        candidates(("Q", "A"), ("R", "A")),
        candidates(("S", "A"), ("R ", "other"), file="test.jsonl"),
        faults,
        CHAT,
    )
    assert said(faults) == [
        "test.jsonl line 2: has the same prompt as train.jsonl line 2, which is training data; remove one of "
        "them"
    ]


def test_a_file_is_checked_whole_and_all_its_faults_are_said_at_once(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    file = write_jsonl(
        tmp_path / "train.jsonl",
        [
            pair("Q", "A"),
            b"{broken",
            pair("Q", "A"),
            pair("<bos>", "A"),
            pair("long", "word " * 600),
            pair("R", ""),
        ],
    )
    faults = Faults()
    checked = check_files([file], policy(duplicates="refuse"), tokenizer, faults)
    assert len(checked.candidates) == 1
    with pytest.raises(InputError) as caught:
        faults.raise_if_any()
    lines = str(caught.value).split("\n")
    assert lines[0] == "5 faults in the examples; nothing was written:"
    assert [line.split(":")[0] for line in lines[1:]] == [
        f"  train.jsonl line {number}" for number in (2, 3, 4, 5, 6)
    ]


def test_what_is_dropped_is_counted(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [pair("Q", "A"), pair("Q", "A"), pair("R", "word " * 600), pair("S", "")]
    checked = check_files(
        [write_jsonl(tmp_path / "t.jsonl", rows)],
        policy(too_long="drop", missing="drop"),
        tokenizer,
        Faults(),
    )
    assert {key: value for key, value in checked.counts().items() if value} == {
        "rows": 4,
        "kept": 1,
        "dropped_missing": 1,
        "dropped_duplicates": 1,
        "dropped_too_long": 1,
    }


KINDS = "abcdefghijklmnopqrstuvwxyz"


def raised(faults: Faults) -> list[str]:
    with pytest.raises(InputError) as caught:
        faults.raise_if_any()
    return str(caught.value).split("\n")


def test_the_first_twenty_kinds_of_faults_are_shown_and_all_faults_are_counted() -> None:
    faults = Faults()
    for number in range(26, 0, -1):
        faults.add(Place(Path("train.csv"), number), f"wrong {KINDS[number - 1]}")
    lines = raised(faults)
    assert lines[0].startswith("26 faults")
    assert lines[1:-1] == [f"  train.csv line {n}: wrong {KINDS[n - 1]}" for n in range(1, SHOWN + 1)]
    assert lines[-1] == "  … and 6 more"


def test_a_fault_of_many_rows_is_said_once_for_each_file() -> None:
    faults = Faults()
    for number in range(1, 10_004):
        faults.add(Place(Path("train.csv"), number), f"{number} tokens long, 'x{number}'")
    faults.add(Place(Path("train.csv"), 3), "another")
    faults.add(Place(Path("test.parquet"), 5, "row"), "7 tokens long, 'y'")
    assert raised(faults)[1:] == [
        "  train.csv line 1: 1 tokens long, 'x1' (also lines 2, 3, 4 and 9,999 more)",
        "  train.csv line 3: another",
        "  test.parquet row 5: 7 tokens long, 'y'",
    ]


def test_prompts_that_differ_only_in_case_or_spacing_are_counted() -> None:
    train = candidates(("What is Au?", "A"), ("Caf\u00e9", "B"))
    held_out = candidates(("WHAT  is au? ", "A"), ("cafe\u0301", "B"), ("What is Ag?", "C"))
    assert count_near_leaks(train, held_out) == 2


def test_without_faults_nothing_is_raised() -> None:
    faults = Faults()
    faults.raise_if_any()
    assert faults.found == []


def test_a_response_without_spaces_is_truncated_within_its_words(tokenizer: Tokenizer) -> None:
    for text in ("a\n" * 200, "金" * 200, "x" * 400):
        (kept,), _, truncated = fit_window(
            candidates(("Q", text)), policy(max_length=64, too_long="truncate"), tokenizer, Faults()
        )
        assert truncated == 1
        assert kept.example.response and text.startswith(kept.example.response)


def test_answers_that_differ_in_the_first_indentation_are_no_duplicates() -> None:
    rows = candidates(("Q", "    a\n    b"), ("Q", "a\n    b"), ("Q", "\n    a\n    b\n"))
    kept, dropped = drop_duplicates(rows, policy(), Faults())
    assert ([candidate.place.number for candidate in kept], dropped) == ([1, 2], 1)


@pytest.mark.parametrize(
    "values",
    [
        [f"response is a list, ['{'x' * 30}{number}; expected text" for number in range(30)],
        [f"response is a number with a fraction, {number / 7}; expected text" for number in range(1, 30)],
        [f"response is a boolean, {value}; expected text" for value in ("true", "false")],
        [f"turn 1 must have role and content, found {{'speaker': 'human', 'text': 'x{n}" for n in range(30)],
    ],
)
def test_values_that_are_cut_off_do_not_make_faults_different(values: list[str]) -> None:
    faults = Faults()
    for number, what in enumerate(values, start=1):
        faults.add(Place(Path("rows.jsonl"), number), what)
    with pytest.raises(InputError) as caught:
        faults.raise_if_any()
    assert len(str(caught.value).splitlines()) == 2
