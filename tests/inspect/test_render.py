"""Promise: a report fits 100 columns, needs no color, and nothing in a file can paint the terminal."""

import io
import json
from pathlib import Path

import pytest

from pipeline.formats.litertlm import read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.inspect.file import inspect_file
from pipeline.inspect.render import print_json, print_report


def test_the_text_fits_a_hundred_columns_and_needs_no_color(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for everything in (False, True):
        print_report(inspect_file(bundle), everything=everything)
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        assert max(len(line) for line in printed.splitlines()) <= 100
        for word in (
            "6 <end_of_turn>, 1 <eos>",
            "TOP_K, k 5",
            "SP_Tokenizer",
            "one per output row",
            "77 tokens",
        ):
            assert word in printed
    assert "{{ x }}" in printed


def test_what_a_file_says_cannot_paint_the_terminal(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = {"description": "\x1b[31mred\x07", "[bold]key": "[/] value"}
    rewrite(read_container(bundle), tmp_path / "copy.litertlm", system=system)
    print_report(inspect_file(tmp_path / "copy.litertlm"))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    for word in (r"\x1b[31mred\x07", "[bold]key", "[/] value"):
        assert word in printed


def test_the_json_is_the_report(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = inspect_file(bundle)
    print_json(report)
    assert json.load(io.StringIO(capsys.readouterr().out)) == json.loads(json.dumps(report.document()))
