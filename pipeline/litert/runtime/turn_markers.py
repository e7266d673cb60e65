"""Replies end where a turn ends, even if a model file lacks the stop token and the runtime goes on."""

from collections.abc import Iterable, Iterator, Sequence


def before_marker(pieces: Iterable[str], markers: Sequence[str]) -> Iterator[str]:
    """The text of a reply up to the first marker, piece by piece.

    Args:
        pieces: the reply; a marker may begin in one and end in another.
        markers: texts of which none is empty.
    """
    held = ""
    for piece in pieces:
        held += piece
        ends = [place for marker in markers if (place := held.find(marker)) >= 0]
        if ends:
            if held[: min(ends)]:
                yield held[: min(ends)]
            return
        sure = len(held) - max(_begun(held, marker) for marker in markers)
        if sure:
            yield held[:sure]
        held = held[sure:]
    if held:
        yield held


def _begun(text: str, marker: str) -> int:
    """How many characters at the end of a text are the beginning of a marker."""
    return next((size for size in range(len(marker) - 1, 0, -1) if text.endswith(marker[:size])), 0)
