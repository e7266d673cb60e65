"""How the app's Kotlin is divided: packages without loops, one class of a name, and every store in the same
two files."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pipeline.targets.android.project import MAIN, NAMESPACE

SOURCES = MAIN / "kotlin"
# Resources: generated from res/, so it depends on no package.
_GENERATED = f"{NAMESPACE}.R"
_PACKAGE = re.compile(r"^package ([\w.]+)$", re.MULTILINE)
_NAME = re.compile(rf"\b{re.escape(NAMESPACE)}(?:\.\w+)+")
_CLASS = re.compile(r"^(?!private )(?:[a-z]+ )*?(?:class|interface|object|typealias) (\w+)", re.MULTILINE)
_FUNCTION = re.compile(r"^(?!private )(?:[a-z]+ )*?(?:fun|val|var) ", re.MULTILINE)
_STORE = re.compile(
    r"^(?:abstract )?class (\w+)[^{]*?\) : Store<|^(?:abstract )?class (\w+) : Store<", re.MULTILINE
)


def sources(root: Path) -> dict[Path, str]:
    """The text of each Kotlin file below a folder."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.kt"))}


def package_of(text: str) -> str:
    found = _PACKAGE.search(text)
    assert found, "no package"
    return found[1]


def dependencies(root: Path) -> dict[str, set[str]]:
    """For each package of the app, the other ones that its files name, in imports or in full."""
    texts = sources(root).values()
    graph: dict[str, set[str]] = {package_of(text): set() for text in texts}
    for text in texts:
        own = package_of(text)
        for name in set(_NAME.findall(text)):
            if name in (own, _GENERATED) or name.startswith(f"{_GENERATED}."):
                continue
            # The longest package that the name begins with: what follows is a class or a function in it.
            parts = name.split(".")
            known = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            graph[own] |= {next(each for each in known if each in graph)} - {own}
    return graph


def check_no_cycle(root: Path) -> None:
    """Fail with the loop, if the packages below a folder have one."""
    try:
        TopologicalSorter(dependencies(root)).prepare()
    except CycleError as error:
        short = [name.removeprefix(NAMESPACE).removeprefix(".") or "(root)" for name in error.args[1]]
        pytest.fail(f"packages depend on each other: {' <- '.join(short)}")


def class_names(root: Path) -> dict[str, list[str]]:
    """For each simple name of a class, the packages that have one; a file of functions is a class, too, named
    after the file."""
    found: dict[str, list[str]] = {}
    for path, text in sources(root).items():
        names = set(_CLASS.findall(text))
        if _FUNCTION.search(text):
            names.add(path.stem)
        for name in names:
            found.setdefault(name, []).append(package_of(text))
    return found


def test_packages_have_no_cycle() -> None:
    check_no_cycle(SOURCES)


def test_no_two_classes_have_the_same_name() -> None:
    assert {name: packages for name, packages in class_names(SOURCES).items() if len(packages) > 1} == {}


def test_every_store_has_the_same_two_files() -> None:
    texts = sources(SOURCES)
    stores = {path: found[1] or found[2] for path, text in texts.items() if (found := _STORE.search(text))}
    assert len(stores) >= 7
    for path, store in stores.items():
        subject = store.removesuffix("Store")
        assert path.stem == store == f"{subject}Store", f"{path.name} holds {store}"
        state = texts.get(path.with_name(f"{subject}State.kt"))
        assert state is not None, f"{path.name} has no {subject}State.kt beside it"
        for part in (f"{subject}State", f"{subject}Event"):
            assert re.search(rf"^(?:data class|sealed interface) {part}\b", state, re.MULTILINE), part
        reducer = f"fun {subject}State.reduce(event: {subject}Event): {subject}State"
        assert reducer in state, f"{subject}State.kt has no {reducer}"
        assert "state.reduce(event)" in texts[path], f"{path.name} does not reduce by {subject}State.kt"
    others = {path.name for path in texts if re.search(r"(?:Event|State|Store)\.kt$", path.name)}
    expected = {
        f"{store.removesuffix('Store')}{part}.kt" for store in stores.values() for part in ("State", "Store")
    }
    assert others - {"Store.kt"} == expected


def test_shared_widgets_depend_on_no_page() -> None:
    pages = {package_of(text) for path, text in sources(SOURCES).items() if path.stem.endswith("Page")}
    graph = dependencies(SOURCES)
    assert f"{NAMESPACE}.ui" in graph
    assert graph[f"{NAMESPACE}.ui"] & (pages - {f"{NAMESPACE}.ui"}) == set()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two packages, of which one depends on the other."""
    for name, text in {
        "a/First.kt": f"package {NAMESPACE}.a\n\nimport {NAMESPACE}.R\nimport {NAMESPACE}.b.Second\n\nclass "
        "First",
        "b/Second.kt": f"package {NAMESPACE}.b\n\nclass Second\n\nprivate class First",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_cycle_is_seen(small: Path) -> None:
    check_no_cycle(small)
    path = small / "b" / "Second.kt"
    text = path.read_text(encoding="utf-8")
    for use in (f"import {NAMESPACE}.a.First", f"val first = {NAMESPACE}.a.First()"):
        path.write_text(f"{text}\n\n{use}", encoding="utf-8")
        with pytest.raises(pytest.fail.Exception, match="b <- a <- b|a <- b <- a"):
            check_no_cycle(small)


def test_a_second_class_of_a_name_is_seen(small: Path) -> None:
    assert class_names(small) == {"First": [f"{NAMESPACE}.a"], "Second": [f"{NAMESPACE}.b"]}
    (small / "b" / "First.kt").write_text(f"package {NAMESPACE}.b\n\nfun first() = Unit", encoding="utf-8")
    assert class_names(small)["First"] == [f"{NAMESPACE}.a", f"{NAMESPACE}.b"]
