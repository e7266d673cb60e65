"""The text of a reply without turn markers: a model may repeat the header of its turn, and a file may lack
the stop token that ends it."""

from collections.abc import Iterable, Iterator

from pipeline.families.chat import ChatFormat


def reply_text(pieces: Iterable[str], chat_format: ChatFormat) -> Iterator[str]:
    """A reply without the header of a turn at its beginning, up to the first marker after it.

    Args:
        pieces: what the runtime generates; a marker may begin in one piece and end in another.
        chat_format: the markers.
    """
    header, held, begun = chat_format.model_prefix, "", False
    markers = (*chat_format.stop_tokens, chat_format.start_of_turn)
    for piece in pieces:
        held += piece
        if not begun:
            while held.startswith(header):
                held = held.removeprefix(header)
            if header.startswith(held):
                continue
            begun = True
        ends = [place for marker in markers if (place := held.find(marker)) >= 0]
        sure = min(ends) if ends else len(held) - max(_begun(held, marker) for marker in markers)
        if sure:
            yield held[:sure]
        if ends:
            return
        held = held[sure:]
    # A beginning of the header that never became one is text, unless it has a marker in it.
    if held and chat_format.start_of_turn not in held:
        yield held


def _begun(text: str, marker: str) -> int:
    """How many characters at the end of a text are the beginning of a marker."""
    return next((size for size in range(len(marker) - 1, 0, -1) if text.endswith(marker[:size])), 0)
