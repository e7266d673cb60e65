"""No source of the package outside pipeline/families names a matrix, a marker or a model_type."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.families import names
from pipeline.families.registry import FAMILIES

PACKAGE = Path(__file__).parents[2] / "pipeline"
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name != "families"]

MARKERS = {token for family in FAMILIES.values() for token in family.chat.control_tokens}
ROOMS = {"gemma"}
"""Names of packages here that are also names of families."""

MODEL_TYPES = {
    name for family in FAMILIES.values() for name in (*family.model_types, family.keras_class, family.name)
} - ROOMS
LIBRARY_NAMES = {
    name
    for matrix in names.MATRICES.values()
    for name in (matrix.module, matrix.module.rpartition(".")[2], matrix.hdf5_path, matrix.keras_layer)
} - set(names.TARGETS) | {names.EMBEDDING, names.EMBEDDING_MODULE}
UNMISTAKABLE = {"query", "gate"}
"""Short names that mean nothing else in this package; the others are everyday words, and count when two stand
together."""
ALSO_COLUMNS = {"data/layout.py": ("'query'",), "data/proposal.py": ("'query'",)}
"""Names of matrices that are also names of columns in data sets."""


def faults(source: str) -> Iterator[str]:
    """What a source names, as "line: word"."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            text = node.value
            exact = text in MODEL_TYPES | UNMISTAKABLE
            inside = any(marker in text for marker in MARKERS) or any(name in text for name in LIBRARY_NAMES)
            if exact or inside:
                yield f"{node.lineno}: {text!r}"
        key = None
        if isinstance(node, ast.Subscript):
            key = node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            key = next(iter(node.args), None)
        if isinstance(key, ast.Constant) and key.value == "model_type":
            yield f"{key.lineno}: {key.value!r}"
        members: list[ast.expr | None] = []
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            members = [*node.elts]
        elif isinstance(node, ast.Dict):
            members = [*node.keys]
        texts = {each.value for each in members if isinstance(each, ast.Constant)}
        if len(texts & set(names.TARGETS)) > 1:
            yield f"{getattr(node, 'lineno', 0)}: {sorted(map(str, texts))}"


@pytest.mark.parametrize("path", SOURCES, ids=[path.relative_to(PACKAGE).as_posix() for path in SOURCES])
def test_a_source_leaves_names_to_the_families(path: Path) -> None:
    found = list(faults(path.read_text(encoding="utf-8")))
    name = path.relative_to(PACKAGE).as_posix()
    assert [fault for fault in found if fault.partition(": ")[2] not in ALSO_COLUMNS.get(name, ())] == []


@pytest.mark.parametrize(
    "source",
    [
        'TARGETS = ("key", "value")',
        'AXES = {"up": 1, "down": 0}',
        'if target == "query": pass',
        'text = "<start_of_turn>user"',
        'x = f"model.layers.{n}.self_attn.q_proj.weight"',
        'kinds = {"gemma3_text": 1}',
        'config["model_type"]',
        'config.get("model_type")',
    ],
)
def test_a_name_is_found(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source", ['"""About <start_of_turn>."""', 'facts = {"output": 1}', 'd["key"] = "value"']
)
def test_everyday_words_and_docstrings_are_not_names(source: str) -> None:
    assert list(faults(source)) == []
