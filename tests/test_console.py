"""Strings are printed as they are; native libraries keep quiet while they load, and are heard when loading
fails."""

import ast
import os
from pathlib import Path

import pytest
from rich.progress import TextColumn
from rich.table import Table

from pipeline.console import console, errors, progress_bar, styled, without_native_chatter

PACKAGE = Path(__file__).parents[1] / "pipeline"
ODD = ["[/]", "[bold]a[/bold]", "[red", ":bug:", "\\[a]", "a]b[c"]


@pytest.mark.parametrize("text", ODD)
def test_a_string_is_text_on_every_way_to_print_it(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(text)
    table.add_row(text)
    console.print(text)
    console.print(text, style="yellow")
    console.print(styled(("✓", "green"), f" {text}"))
    console.print(table)
    errors.print(text)
    captured = capsys.readouterr()
    assert captured.out.count(text) == 5
    assert captured.err.count(text) == 1


def test_descriptions_of_progress_are_text() -> None:
    columns = [column for column in progress_bar().columns if isinstance(column, TextColumn)]
    assert [column.markup for column in columns] == [False, False]


def test_no_source_turns_markup_on() -> None:
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "rich.markup" not in source, path
        for node in ast.walk(ast.parse(source)):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in ("Console", "TextColumn"):
                options = {each.arg: ast.unparse(each.value) for each in node.keywords}
                assert options.get("markup") == "False", f"{path}:{node.lineno}"


def test_output_of_native_libraries_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with without_native_chatter():
        os.write(2, b"oneDNN custom operations are on\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_held_back_output_is_printed_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), without_native_chatter():
        os.write(2, b"libcuda is missing\n")
        raise ImportError("torch")
    assert "libcuda is missing" in capfd.readouterr().err
