"""The picture of the packages is that of the code."""

from pathlib import Path

import pytest

from tests.tools.module_graph import PACKAGE, PAGE, ROOT, imported_modules, ordered, page, reduced, room_graph

MODULES = frozenset({"pipeline.a.one", "pipeline.b.two", "pipeline.stages", "pipeline.errors"})


def test_the_page_in_docs_is_what_the_script_writes() -> None:
    expected = "\n".join(page(ROOT / PACKAGE)) + "\n"
    assert PAGE.read_text(encoding="utf-8") == expected, "run: python -m tests.tools.module_graph"


@pytest.mark.parametrize(
    "source",
    [
        "import pipeline.a.one",
        "from pipeline.a.one import name",
        "from pipeline.a import one",
        "def function():\n    from pipeline.a.one import name",
        "run_isolated('pipeline.a.one', request)",
    ],
)
def test_every_way_to_import_a_module_counts(source: str) -> None:
    assert imported_modules(source, MODULES) == {"pipeline.a.one"}


def test_a_package_whose_modules_are_imported_by_name_counts() -> None:
    assert imported_modules('import_module(f"pipeline.stages.{name}")', MODULES) == {"pipeline.stages"}


def test_a_module_that_is_only_mentioned_does_not_count() -> None:
    assert imported_modules('"""See pipeline.a.one."""\nimport json', MODULES) == set()


def test_modules_are_grouped_by_package(tmp_path: Path) -> None:
    package = tmp_path / "pipeline"
    for name, source in {
        "__init__": "",
        "errors": "",
        "cli": "import pipeline.a.one",
        "__main__": "import pipeline.cli",
        "a/__init__": "",
        "a/one": "import pipeline.b.two, pipeline.errors",
        "b/__init__": "",
        "b/two": "import pipeline.b.three",
        "b/three": "",
    }.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    assert room_graph(package) == {
        "cli": {"a"},
        "a": {"b", "foundation"},
        "b": frozenset(),
        "foundation": frozenset(),
    }


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    graph = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset[str]()}
    assert reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": frozenset()}


def test_rooms_are_listed_from_top_to_bottom() -> None:
    assert ordered({"c": frozenset[str](), "a": frozenset("bc"), "b": frozenset("c")}) == ["a", "b", "c"]


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="a imports b imports a|b imports a imports b"):
        ordered({"a": frozenset("b"), "b": frozenset("a")})
