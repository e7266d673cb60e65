"""The errors that a person sees: one line that says what was wrong, where, what was expected and what to do."""


class PocketGemmaError(Exception):
    """A stage failed or a check refused. The command ends with exit code 1."""

    exit_code = 1


class InputError(PocketGemmaError):
    """What the person gave (a file, a key, an option) is not usable. The command ends with exit code 2."""

    exit_code = 2
