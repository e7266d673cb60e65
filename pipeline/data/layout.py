"""Which columns of a row are the conversation.

The usual names of public data sets are known. A column whose meaning is known is used or refused, never
ignored; where two readings are possible the recipe decides, by `data.columns` or `data.template`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from pipeline.data.names import listed
from pipeline.data.policy import ColumnNames
from pipeline.data.proposal import propose
from pipeline.data.refused import refused_column
from pipeline.data.turns import is_turn
from pipeline.data.values import MissingValueError, column_value, has_path, is_blank, normalized
from pipeline.errors import InputError

INSTRUCTIONS = ("instruction", "instructions")
QUESTIONS = ("prompt", "question", "query", "problem", "user", "human", "input_text", "inputs", "message")
CONTEXTS = (
    *("input", "context", "passage", "document", "paragraph", "article", "story", "evidence", "background"),
    "knowledge",
)
"""What an instruction or a question refers to; it follows after an empty line. `input` alone is the
question."""
ANSWERS = (
    *("response", "answer", "completion", "output", "reply", "solution", "assistant", "output_text"),
    *("target", "targets"),
)
SYSTEMS = (
    *("system", "system_prompt", "system_message", "system_instruction", "system_instructions"),
    *("systemprompt", "systemmessage", "systeminstruction", "systeminstructions"),
)
CONVERSATIONS = ("messages", "conversations", "conversation", "contents", "dialog", "dialogue", "chat")
HISTORIES = ("history", "chat_history", "conversation_history")
KNOWN = frozenset((*INSTRUCTIONS, *QUESTIONS, *CONTEXTS, *ANSWERS, *SYSTEMS, *CONVERSATIONS, *HISTORIES))


@dataclass(frozen=True)
class Layout:
    """The columns of a row that are its conversation.

    Attributes:
        messages: the column with the list of turns; None: prompt and response are columns.
        prompt: columns that make up the prompt, with an empty line between them.
        template: the prompt with columns in braces, instead of `prompt`.
        response, system, history: columns; None if there is none.
    """

    messages: str | None = None
    prompt: tuple[str, ...] = ()
    template: str | None = None
    response: str | None = None
    system: str | None = None
    history: str | None = None

    @property
    def used(self) -> frozenset[str]:
        """The columns that are used; of a path, the column that it starts in."""
        paths = (
            *self.prompt,
            *fields(self.template or ""),
            self.messages,
            self.response,
            self.system,
            self.history,
        )
        found = {path for path in paths if path}
        return frozenset(found | {path.partition(".")[0] for path in found})

    def __str__(self) -> str:
        if self.messages:
            parts = [f"conversation from {self.messages}"]
        else:
            prompt = "data.template" if self.template else " + ".join(self.prompt)
            parts = [f"prompt from {prompt}", f"response from {self.response}"]
        parts += [
            f"{name} from {column}" for name in ("system", "history") if (column := getattr(self, name))
        ]
        return ", ".join(parts)


def is_known_column(name: str) -> bool:
    """Whether a name says what a column holds of a conversation."""
    return normalized(name) in KNOWN


def is_conversation(name: str, first: Mapping[str, Any]) -> bool:
    """Whether a list of objects is the turns of one conversation, and not rows.

    Args:
        name: of the list.
        first: its first object.
    """
    if normalized(name) in CONVERSATIONS:
        return not any(normalized(key) in CONVERSATIONS for key in first)
    return is_turn(first) and not any(map(is_known_column, first))


def fields(template: str) -> tuple[str, ...]:
    """The columns that a template names in braces.

    Raises:
        ValueError: a brace is never closed, or names nothing.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise ValueError("unbalanced braces; write {{ and }} for literal braces") from None
    if any(spec or conversion or name == "" for _, name, spec, conversion in parts):
        raise ValueError("braces must contain a column name; write {{ and }} for literal braces")
    return tuple(name for _, name, _, _ in parts if name)


def fill(template: str, texts: dict[str, str]) -> str:
    """A template with the text of each column in place of its name."""
    return "".join(
        literal + (texts[name] if name else "") for literal, name, _, _ in Formatter().parse(template)
    )


def find_layout(values: dict[str, Any], columns: ColumnNames) -> Layout:
    """The columns of a row that are its conversation.

    Raises:
        InputError: none or several; says what to set in the recipe.
    """
    names: dict[str, str] = {}
    for name, value in values.items():
        if is_blank(value):
            continue
        if normalized(name) in names:
            raise InputError(f"columns {names[normalized(name)]} and {name} count as the same name; keep one")
        names[normalized(name)] = name
    explicit = columns.named and not (columns.optional and not _has_named(values, columns))
    if explicit:
        return _named(values, names, columns)
    if refused := refused_column(names, values):
        raise InputError(refused)
    return _by_names(values, names)


def check_named(rows: Sequence[Mapping[str, Any]], columns: ColumnNames) -> str:
    """The fault of the first column in a recipe that no row has; empty if there is none.

    Args:
        rows: all rows that are read with these names.
        columns: the names.
    """
    named = {
        "data.columns.prompt": columns.prompt,
        "data.columns.response": columns.response,
        "data.columns.system": columns.system,
        "data.columns.messages": columns.messages,
    } | {f"data.template's {{{name}}}": name for name in fields(columns.template or "")}
    for key, path in named.items():
        if path and not any(has_path(row, path) for row in rows):
            found = dict.fromkeys(name for row in rows for name in row)
            return f"{key} is {path}, which is not a column; found {listed(found)}"
    return ""


def _has_named(values: dict[str, Any], columns: ColumnNames) -> bool:
    wanted = (columns.prompt, columns.response, columns.messages, *fields(columns.template or ""))
    return all(column_value(values, name) is not None for name in wanted if name)


def _named(values: dict[str, Any], names: dict[str, str], columns: ColumnNames) -> Layout:
    """The layout that the recipe names; what it leaves open is found by name."""
    system = columns.system or _one(names, SYSTEMS)
    if columns.messages:
        if columns.prompt or columns.response or columns.template:
            raise InputError(
                "data.columns.messages names a whole conversation; remove it, or remove the columns of the "
                "prompt and the response"
            )
        return Layout(messages=columns.messages, system=system)
    prompt: tuple[str, ...] = (columns.prompt,) if columns.prompt else ()
    response = columns.response or _one(names, ANSWERS)
    if not columns.template and not prompt:
        taken = {normalized(name): name for name in names.values() if name != response}
        prompt = _prompt(taken)
    if response and response in (*prompt, *fields(columns.template or "")):
        raise InputError(f"column {response} is both prompt and response; use another column for one of them")
    if response and (prompt or columns.template):
        return Layout(prompt=prompt, template=columns.template, response=response, system=system)
    raise InputError(_nothing_found(values, names))


def _by_names(values: dict[str, Any], names: dict[str, str]) -> Layout:
    """The layout by the usual names."""
    messages, response = _one(names, CONVERSATIONS), _one(names, ANSWERS)
    system, history = _one(names, SYSTEMS), _one(names, HISTORIES)
    prompt = _prompt(names)
    if messages:
        beside = [*prompt, *([response] if response else []), *([history] if history else [])]
        if beside and not _repeats(values, messages, prompt, beside):
            raise InputError(
                f"more than one conversation in columns {messages} and {', '.join(beside)}; remove one, "
                f"or set data.columns.messages to {messages}"
            )
        contexts = [names[name] for name in CONTEXTS if name in names]
        if contexts:
            raise InputError(
                f"{contexts[0]} is not part of the conversation in {messages}; write it into a turn, or set "
                f"data.columns.messages to {messages} to ignore it"
            )
        if isinstance(values[messages], str) and not values[messages].lstrip().startswith(("[", "{")):
            raise InputError(f"{messages} is text, expected a list of turns{propose(values)}")
        return Layout(messages=messages, system=system)
    if response and prompt:
        return Layout(prompt=prompt, response=response, system=system, history=history)
    raise InputError(_nothing_found(values, names))


def _repeats(values: dict[str, Any], messages: str, prompt: Sequence[str], beside: Sequence[str]) -> bool:
    """Whether the only other column is a prompt that repeats a turn of the conversation."""
    turns = values[messages]
    if list(prompt) != list(beside) or len(prompt) != 1 or not isinstance(turns, list):
        return False
    return any(isinstance(turn, dict) and values[prompt[0]] in turn.values() for turn in turns)


def _one(names: dict[str, str], candidates: Sequence[str]) -> str | None:
    """The only column of several names; None if there is none.

    Raises:
        InputError: there are several.
    """
    found = [names[name] for name in candidates if name in names]
    if len(found) > 1:
        key = {ANSWERS: "response", SYSTEMS: "system", CONVERSATIONS: "messages"}.get(
            tuple(candidates), "prompt"
        )
        raise InputError(
            f"columns {' and '.join(found)} could both be the {key}; set data.columns.{key} to one of them"
            + (f', or data.template to both: "{{{found[0]}}}\\n\\n{{{found[1]}}}"' if key == "prompt" else "")
        )
    return found[0] if found else None


def _prompt(names: dict[str, str]) -> tuple[str, ...]:
    """The columns that make up the prompt, in order: instruction, question, what they refer to."""
    parts = [_one(names, INSTRUCTIONS), _one(names, QUESTIONS)]
    contexts = [names[name] for name in CONTEXTS if name in names]
    if not any(parts) and not (contexts and normalized(contexts[0]) == CONTEXTS[0]):
        return ()
    return tuple(part for part in (*parts, *contexts) if part)


def _nothing_found(values: dict[str, Any], names: dict[str, str]) -> str:
    """The fault of a row without a conversation."""
    for kind, candidates in (("response", ANSWERS), ("prompt", (*QUESTIONS, *INSTRUCTIONS))):
        empty = next(
            (name for name in values if normalized(name) in candidates and name not in names.values()), None
        )
        if empty is not None and (_prompt(names) if kind == "response" else _one(names, ANSWERS)):
            raise MissingValueError(f"{empty} is empty")
    return f"no prompt and response columns; found {listed(values)}{propose(values)}"
