"""Errors for the user: a line that says what is wrong, where, what was expected and what to do."""


class PocketGemmaError(Exception):
    """A stage or a check failed. The command exits with code 1."""

    exit_code = 1


class UndecidedError(PocketGemmaError):
    """A check has too few examples to tell whether its limit is kept. The command exits with code 3."""

    exit_code = 3


class Interrupted(PocketGemmaError):
    """Ctrl-C in a stage. Typer would end the command without a word. It exits with code 130, as after the
    signal."""

    exit_code = 130


class OutputError(PocketGemmaError):
    """Standard output takes nothing more, so nothing can be said there. The command exits with code 1."""


class InputError(PocketGemmaError):
    """An input (a file, a key, an option) is not usable. The command exits with code 2."""

    exit_code = 2
