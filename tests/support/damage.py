"""Random damage to files, the same for the same seed: flipped bits, zeroed bytes, cuts, wrong lengths.

    python -m tests.support.damage COUNT FILE …

inspects COUNT damaged copies of each file, each in at most SECONDS and with at most MEMORY more than the
process has, and prints how many were refused. It ends with an error at the first that is not refused well.
"""

import random
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PocketGemmaError
from pipeline.inspect.file import inspect_file
from pipeline.inspect.render import print_report

SECONDS = 10
MEMORY = 1 << 30
EDGE = 4096
"""Bytes at both ends of a file, where headers and lists of entries are: half of the damage is there."""


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of a file's content, each with one fault."""
    chosen = random.Random(seed)
    for number in range(count):
        copy = bytearray(content)
        place = _place(chosen, len(copy))
        if number % 4 == 0:
            copy[place] ^= 1 << chosen.randrange(8)
        elif number % 4 == 1:
            copy[place] = 0 if copy[place] else 255
        elif number % 4 == 2:
            del copy[place:]
        else:
            start = place - place % 4
            value = chosen.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chosen.randrange(1 << 32)))
            copy[start : start + 4] = value.to_bytes(4, "little")
        if bytes(copy) != content:
            yield bytes(copy)


def _place(chosen: random.Random, size: int) -> int:
    if chosen.random() < 0.5:
        return chosen.randrange(size)
    place = chosen.randrange(min(EDGE, size))
    return place if chosen.random() < 0.5 else size - 1 - place


def inspect_damaged(path: Path, count: int) -> int:
    """Inspect damaged copies of a file; returns how many were refused.

    Raises:
        Exception: a copy was neither inspected nor refused with one line.
    """
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(damaged(path.read_bytes(), count)):
            copy = Path(folder) / f"{number}{path.suffix}"
            copy.write_bytes(content)
            signal.alarm(SECONDS)
            try:
                print_report(inspect_file(copy), everything=True)
            except PocketGemmaError as error:
                assert "\n" not in str(error), error
                refused += 1
            signal.alarm(0)
            copy.unlink()
    return refused


def main() -> None:
    count, *paths = sys.argv[1:]
    sys.stdout, output = sys.stderr, sys.stdout
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for path in paths:
        print(Path(path).name, inspect_damaged(Path(path), int(count)), file=output)


if __name__ == "__main__":
    main()
