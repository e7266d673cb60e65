"""The YAML of a recipe: the core schema of YAML 1.2 (yaml.org/spec/1.2.2, section 10.3.2).

PyYAML reads YAML 1.1, where `yes` is true, `010` is eight and `12:30` is 750. Here they are text, ten and
text.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

MERGE, STRING = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"

SHOWN = 40
"""Characters of a value in a message."""

_PLAIN = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "merge": r"<<",
}
"""What a scalar without quotes is, by its text; anything else is text."""

_BASES = {"0o": 8, "0x": 16}


class RecipeLoader(yaml.SafeLoader):
    """YAML in which a key may occur once, because the last one would win silently, and is always text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  # as PyYAML declares it

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            raise _error(
                node, f"{str(node.value)[:SHOWN]!r} is not a valid {kind}; put text in quotes"
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key, "expected a key, found a list or a section; put text with braces in quotes")
            if key.value in seen:
                raise _error(key, f"{key.value} occurs twice; remove one")
            seen.add(key.value)
            if key.tag != MERGE:
                key.tag = STRING
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _integer(loader: RecipeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, _BASES.get(text[:2], 10))


def _float(loader: RecipeLoader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", str(loader.construct_scalar(node)).lower()))


for _kind, _pattern in _PLAIN.items():
    RecipeLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_pattern})$"), None)
RecipeLoader.add_constructor("tag:yaml.org,2002:int", _integer)
RecipeLoader.add_constructor("tag:yaml.org,2002:float", _float)


def read_document(text: str) -> Any:
    """The content of a YAML document; None if it is empty.

    Raises:
        ValueError: it is not YAML, a key occurs twice or is not text; names the line.
    """
    with _plainly():
        return yaml.load(text, Loader=RecipeLoader)


def read_plain(text: str) -> Any:
    """The value of a scalar without quotes: nothing in it is a comment, a key or an alias.

    Raises:
        ValueError: it is an integer that is too long to be read.
    """
    with _plainly():
        loader = RecipeLoader("")
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return loader.construct_object(yaml.ScalarNode(tag, text))


def read_flow(text: str) -> Any:
    """The value of a list in brackets, a section in braces or text in quotes.

    Raises:
        ValueError: it is none of these, or something follows it.
    """
    with _plainly():
        loader = RecipeLoader(text)
        node = loader.get_single_node()
        if node is None or node.end_mark.index != len(text):
            raise ValueError("unexpected text after the value")
        return loader.construct_document(node)


@contextmanager
def _plainly() -> Iterator[None]:
    """PyYAML's errors as ValueErrors of one line."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("its lists and sections are nested too deeply") from None


def _error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
