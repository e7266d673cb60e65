"""Promise: an isolated process prints to its log only, and its failure or crash becomes one error message."""

from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.isolation import run_isolated

MODULE = "tests.support.worker"


def test_the_module_gets_its_request_and_prints_to_the_log_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    peak = run_isolated(
        MODULE, {"write": str(tmp_path / "done"), "print": "noise"}, tmp_path / "logs" / "log", "working"
    )
    assert (tmp_path / "done").read_text() == "done"
    assert (tmp_path / "logs" / "log").read_text() == "noise\n"
    assert capfd.readouterr() == ("", "")
    assert 1_000_000 < peak < 1_000_000_000


def test_sets_of_strings_have_the_same_order_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        run_isolated(MODULE, {"hash": "sliding_attention"}, tmp_path / seed, "working")
    assert (tmp_path / "1").read_text() == (tmp_path / "2").read_text()


def test_a_failure_quotes_the_last_line_and_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(
        PocketGemmaError, match=f"working failed: ValueError: no such thing; .*{tmp_path}/log"
    ):
        run_isolated(MODULE, {"raise": "no such thing"}, tmp_path / "log", "working")


def test_a_crash_is_reported_with_its_signal(tmp_path: Path) -> None:
    with pytest.raises(PocketGemmaError, match="working failed: killed by signal 11"):
        run_isolated(MODULE, {"signal": 11}, tmp_path / "log", "working")


def test_a_process_killed_for_memory_says_so(tmp_path: Path) -> None:
    with pytest.raises(PocketGemmaError, match="ran out of memory"):
        run_isolated(MODULE, {"signal": 9}, tmp_path / "log", "working")
