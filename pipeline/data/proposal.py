"""A proposal for `data.columns` where the names of the columns are unknown."""

from typing import Any

from pipeline.data.values import normalized

PROMPT_LIKE = (
    *("prompt", "question", "problem", "instruction", "text", "sentence", "utterance", "content", "source"),
    *("src", "article", "document", "dialogue", "title", "body", "input", "query"),
)
RESPONSE_LIKE = (
    *("response", "answer", "answers", "category", "label", "intent", "class", "target", "tgt", "output"),
    *("summary", "highlights", "translation", "solution", "code", "sql", "sentiment", "tag"),
)
TEXTS = ("text", "value", "content")
"""Keys of objects that hold the text itself."""


LONGEST_NAME = 20
"""Characters beyond which several words are no name of a column."""


def propose(values: dict[str, Any]) -> str:
    """What to set in the recipe for a row of unknown columns, as the end of a sentence.

    Known words in the names come first; of exactly two columns the first is the prompt. Columns of objects
    are looked into.
    """
    names = [path for path, value in _leaves(values) if isinstance(value, str | int) and value != ""]
    if all(" " in name.strip() for name in values) and any(len(name) > LONGEST_NAME for name in values):
        return "; the first line looks like data: add a header line such as prompt,response"
    answers = tuple(name for name in names if normalized(name).split(".")[0] in RESPONSE_LIKE)
    prompt = _like(names, PROMPT_LIKE, answers)
    response = _like(names, RESPONSE_LIKE, (prompt,))
    names = [name for name in names if not normalized(name).startswith("system")]
    lists = [name for name, value in values.items() if isinstance(value, list) and value]
    if len(lists) > 1 and all(isinstance(values[name][0], dict) for name in lists):
        wrapped = " and ".join(lists)
        return f"; save the rows of {wrapped} as separate files, and list them in the recipe"
    unsure = ""
    if len(names) == 2 and not (prompt and response):
        unsure = " (if these are data, add a header line such as prompt,response)"
        prompt, response = (prompt or next(n for n in names if n != response)), response
        response = response or next(name for name in names if name != prompt)
    if prompt and response:
        return (
            f"; looks like prompt={prompt}, response={response}: set "
            f"data.columns: {{prompt: {prompt}, response: {response}}}{unsure}"
        )
    return "; set data.columns: {prompt: …, response: …} to two of them"


def _leaves(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, list) and len(value) == 1:
            found.append((prefix + name, value[0]))
        else:
            found.append((prefix + name, value))
    return found


def _like(names: list[str], words: tuple[str, ...], taken: tuple[str, ...]) -> str:
    """The name that is, or else contains, the first of some words; empty if there is none."""
    parts = {name: normalized(name).split(".") for name in names if name not in taken}
    for depth in (-1, 0):  # The name itself before the column of objects that it is in.
        for word in words:
            if exact := [name for name, part in parts.items() if part[depth] == word]:
                return next((name for name in exact if parts[name][-1] in TEXTS), exact[0])
    for word in words:
        if within := [name for name, part in parts.items() if word in part[-1].split("_")]:
            return within[0]
    return ""
