from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.graft import graft_file
from pipeline.errors import InputError
from pipeline.litert.graft import adapter
from pipeline.quantization.roundings import ROUNDINGS

FILES = (Path("base.litertlm"), Path("adapter"), Path("preset"), Path("out.litertlm"))


@pytest.fixture
def grafted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was grafted."""
    calls: list[tuple[Any, ...]] = []

    def graft_adapter(*arguments: Any) -> str:
        calls.append(arguments)
        return "14 matrices [nearest]"

    monkeypatch.setattr(adapter, "graft_adapter", graft_adapter)
    return calls


def test_the_report_is_printed_and_plain_rounding_is_the_default(
    grafted: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    graft_file(*FILES)
    assert grafted == [(*FILES, "nearest")]
    assert capsys.readouterr().out == "14 matrices [nearest]\n"


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_roundings_that_need_no_examples_are_accepted(grafted: list[tuple[Any, ...]], rounding: str) -> None:
    if ROUNDINGS[rounding].of_weights:
        graft_file(*FILES, rounding)
        assert grafted == [(*FILES, rounding)]
    else:
        with pytest.raises(
            InputError, match=f"--rounding {rounding}: expected one of nearest, least_squares"
        ):
            graft_file(*FILES, rounding)
        assert grafted == []
