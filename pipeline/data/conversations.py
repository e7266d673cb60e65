"""From rows to examples: each row's conversation, and whether it is valid."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.data.examples import Example
from pipeline.data.faults import Faults, Place
from pipeline.data.layout import Layout, check_named, fields, fill, find_layout
from pipeline.data.learned import check_row, learned_turns
from pipeline.data.notes import Notes
from pipeline.data.policy import RowPolicy
from pipeline.data.rows import Row
from pipeline.data.tags import choose_tags
from pipeline.data.turns import Turn, read_turns, turns_in_text
from pipeline.data.values import MissingValueError, as_text, column_value, is_blank, is_mark_of_missing
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message, Role, trim_answer


@dataclass(frozen=True)
class Candidate:
    """An example that is still being checked, and where it was read."""

    place: Place
    example: Example


@dataclass(frozen=True)
class Conversations:
    """The conversations of a file.

    Attributes:
        candidates: the examples.
        missing: rows left out because they have no prompt or response.
        notes: what was decided without being told.
    """

    candidates: list[Candidate]
    missing: int
    notes: Notes


def read_conversations(rows: list[Row], policy: RowPolicy, faults: Faults, chat: ChatFormat) -> Conversations:
    """Read each row as a conversation; rows that are not are reported as faults and left out."""
    candidates: list[Candidate] = []
    extras: list[dict[str, Any]] = []
    notes, missing = Notes(), 0
    layouts = _layouts(policy)
    columns = policy.columns
    if rows and not columns.optional and (fault := check_named([row.values for row in rows], columns)):
        faults.add(rows[0].place, fault)
        return Conversations([], 0, notes)
    for row in rows:
        try:
            layout = layouts(row.values)
            if not columns.named:
                check_row(row.values)
            example = _read(row.values, layout, policy, notes, chat)
        except MissingValueError as error:
            if policy.missing == "drop":
                missing += 1
            else:
                faults.add(row.place, f"{error}; to skip such rows, set data.missing to drop")
        except InputError as error:
            faults.add(row.place, _with_markers(row.values, chat) or str(error))
        else:
            notes.layouts[str(layout)] += 1
            candidates.append(Candidate(row.place, replace(example, source=str(row.place))))
            used = layout.used
            extras.append({name: value for name, value in row.values.items() if name not in used})
    tagged = [
        replace(candidate, example=replace(candidate.example, tags=tags))
        for candidate, tags in zip(candidates, choose_tags(extras, notes), strict=True)
    ]
    return Conversations(tagged, missing, notes)


def _with_markers(values: dict[str, Any], chat: ChatFormat) -> str:
    """The fault of a row whose only text is a whole conversation in the chat format; empty if it is not."""
    texts = {name: value for name, value in values.items() if isinstance(value, str) and not is_blank(value)}
    if len(texts) != 1 or not any(chat.start_of_turn in text for text in texts.values()):
        return ""
    return (
        f"{next(iter(texts))} contains a whole conversation with turn markers; split it into prompt "
        "and response, or into messages: training adds the markers"
    )


def _layouts(policy: RowPolicy) -> Callable[[dict[str, Any]], Layout]:
    """`find_layout`, computed once for rows that have the same columns of the same types."""
    known: dict[tuple[tuple[str, type], ...], Layout] = {}

    def layout(values: dict[str, Any]) -> Layout:
        present = tuple((name, type(value)) for name, value in values.items() if not is_blank(value))
        found = known.get(present)
        if found is None:
            found = find_layout(values, policy.columns)
            # Refusals by value, and what stands beside a conversation, depend on more than the names.
            if not (found.messages and len(found.used) < len(present)):
                known[present] = found
        return found

    return layout


def _read(
    values: dict[str, Any], layout: Layout, policy: RowPolicy, notes: Notes, chat: ChatFormat
) -> Example:
    """The conversation of a row, checked, up to the last answer that is trained on."""
    turns = _turns(values, layout, notes)
    for turn in turns:
        _check_text(turn.name, turn.message["content"], chat)
    messages = tuple(turn.message for turn in turns)
    _check_order(messages)
    learned = learned_turns(turns, policy.loss)
    for name, text in _parts(values, layout, turns, learned):
        if is_mark_of_missing(text):
            if policy.missing != "keep":
                raise MissingValueError(
                    f"{name} is {text.strip()!r}, which marks a missing value (if it is meant as text, set "
                    "data.missing to keep)"
                )
            notes.marks += 1
    _count_answers(turns, learned, policy, notes)
    return Example(messages[: learned[-1] + 1], learned_earlier=learned[:-1])


def _count_answers(turns: Sequence[Turn], learned: Sequence[int], policy: RowPolicy, notes: Notes) -> None:
    """Note the answers of a conversation that the model is not trained on."""
    has_earlier = any(turn.message["role"] == "assistant" for turn in turns[:-1])
    notes.earlier_answers += has_earlier
    notes.turns_after += len(turns) - 1 - learned[-1]
    if policy.loss == "last":
        notes.last_only += has_earlier
        return
    for index, turn in enumerate(turns[: learned[-1]]):
        if turn.message["role"] == "assistant" and index not in learned:
            notes.answers_in_prompts += turn.in_prompt
            notes.excluded_by_flags += not turn.in_prompt


def _parts(
    values: dict[str, Any], layout: Layout, turns: Sequence[Turn], learned: Sequence[int]
) -> Iterator[tuple[str, str]]:
    """The texts, each with its name, that may be the mark of a missing value: each answer that is trained
    on and its question, the system message, and the columns that are joined to the prompt."""
    for index in learned:
        yield from ((turn.name, turn.message["content"]) for turn in turns[index - 1 : index + 1])
    if turns[0].message["role"] == "system" and len(turns) > 2:
        yield turns[0].name, turns[0].message["content"]
    joined = fields(layout.template) if layout.template else layout.prompt
    if layout.template or len(layout.prompt) > 1:
        yield from ((name, text) for name in joined if isinstance(text := column_value(values, name), str))


def _turns(values: dict[str, Any], layout: Layout, notes: Notes) -> list[Turn]:
    """The conversation in a row."""
    if layout.messages:
        turns = read_turns(layout.messages, column_value(values, layout.messages), notes)
    else:
        assert layout.response is not None
        prompt, response = _prompt(values, layout, notes), column_value(values, layout.response)
        history = column_value(values, layout.history) if layout.history else None
        turns = _history(layout.history, history, notes)
        turns += [turn._replace(in_prompt=True) for turn in _side(layout, prompt, "user", notes)]
        turns += _side(layout, response, "assistant", notes)
    system = _system(values, layout, notes)
    if system is None:
        return turns
    if turns and turns[0].message["role"] == "system":
        if turns[0].message["content"].strip() == system.strip():
            return turns
        raise InputError(f"{layout.system} and the first turn are two different system messages; remove one")
    return [Turn(str(layout.system), {"role": "system", "content": system}), *turns]


def _system(values: dict[str, Any], layout: Layout, notes: Notes) -> str | None:
    """The row's system message, as text or as an object of Gemini's parts."""
    if not layout.system:
        return None
    value = column_value(values, layout.system)
    if isinstance(value, dict):
        (turn,) = read_turns(layout.system, [{"role": "user"} | value], notes)
        return turn.message["content"]
    return None if is_blank(value) else as_text(layout.system, value, notes)


def _prompt(values: dict[str, Any], layout: Layout, notes: Notes) -> Any:
    """The prompt: the template filled in, or the columns with an empty line between them; a list of turns as
    it is."""
    if layout.template:
        return fill(
            layout.template,
            {name: as_text(name, column_value(values, name), notes) for name in fields(layout.template)},
        )
    if len(layout.prompt) == 1:
        return column_value(values, layout.prompt[0])
    return "\n\n".join(
        trim_answer(as_text(name, column_value(values, name), notes)) for name in layout.prompt
    )


def _side(layout: Layout, value: Any, role: Role, notes: Notes) -> list[Turn]:
    """The prompt or the response of a row: text, or a list of turns."""
    name = (
        str(layout.response)
        if role == "assistant"
        else layout.prompt[0]
        if layout.prompt
        else "data.template"
    )
    turns = turns_in_text(value) if isinstance(value, str) else value
    if isinstance(turns, list) and turns and isinstance(turns[0], dict):
        return read_turns(name, turns, notes)
    return [Turn(name, {"role": role, "content": as_text(name, value, notes)})]


def _history(name: str | None, value: Any, notes: Notes) -> list[Turn]:
    """Earlier turns as a list of pairs of question and answer."""
    if name is None or is_blank(value):
        return []
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise InputError(f"{name} is {value!r:.40}, expected a list of question-answer pairs")
    roles: tuple[Role, Role] = ("user", "assistant")
    return [
        Turn(f"{name} {number}", {"role": role, "content": as_text(f"{name} {number}", text, notes)})
        for number, pair in enumerate(value, start=1)
        for role, text in zip(roles, pair, strict=True)
    ]


def _check_text(name: str, text: str, chat: ChatFormat) -> None:
    token = chat.control_token_in(text)
    if token:
        raise InputError(
            f"{name} contains the control token {token}, which the model would read as structure; remove it"
        )
    if "\0" in text:
        raise InputError(f"{name} contains a NUL character; remove it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} is not valid Unicode: unpaired surrogate at character {error.start + 1}"
        ) from None


def _check_order(messages: tuple[Message, ...]) -> None:
    first = 1 if messages and messages[0]["role"] == "system" else 0
    for number, message in enumerate(messages[first:]):
        expected = "assistant" if number % 2 else "user"
        if message["role"] != expected:
            raise InputError(
                f"roles out of order: turn {number + first + 1} is {message['role']}, expected {expected} "
                "(an optional system turn, then user and assistant alternately)"
            )
    if not messages or messages[-1]["role"] != "assistant":
        raise InputError(
            "the last turn must be the assistant's: it is the response that the model is trained on"
        )
