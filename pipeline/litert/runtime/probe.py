"""Whether the runtime can use a model file, tried in a process of its own: the runtime crashes on some
damaged files."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from pipeline.cache import cached, sha256_of_weights
from pipeline.errors import InputError, PocketGemmaError
from pipeline.formats.litertlm import read_container
from pipeline.formats.litertlm_content import is_whole
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.model_file import check_model_file, is_task

PROBE_SECONDS = 600
"""A 1B model opens in seconds; a process that takes longer than this hangs."""

PACKAGE_ROOT = Path(__file__).parents[3]


def probe(model: Path) -> None:
    """Open a model in another process and generate one token with its own sampler, as an app does.

    Args:
        model: a .litertlm or .task file.

    Raises:
        InputError: the file is missing, truncated or damaged.
        PocketGemmaError: the runtime rejects it, crashes or hangs on it.
    """
    check_model_file(model)
    try:
        result = subprocess.run(
            [sys.executable, "-m", __name__, str(model.resolve())],
            cwd=PACKAGE_ROOT,
            capture_output=True,
            check=False,
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise PocketGemmaError(f"{model}: the runtime hangs on this file; convert it again") from None
    if result.returncode < 0:
        raise PocketGemmaError(
            f"{model}: the runtime crashes on this file (signal {-result.returncode}): it is damaged; "
            "convert it again"
        )
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        raise PocketGemmaError(
            f"{model}: the runtime cannot use this file: {lines[-1] if lines else 'no reason given'}; "
            "convert it again"
        )


def make_sure_it_opens(model: Path) -> None:
    """Refuse a model on which the runtime would crash or answer wrongly, before this process opens it.

    A .litertlm of PocketGemma has the id of its content, which is computed again; any other file is tried
    in another process. A file that has passed is known by its sha256.

    Args:
        model: a .litertlm or .task file.

    Raises:
        InputError: the file is missing, truncated or damaged.
        PocketGemmaError: the runtime rejects it, crashes or hangs on it.
    """
    check_model_file(model)

    def check(_: Path) -> None:
        whole = None if is_task(model) else is_whole(read_container(model))
        if whole is False:
            raise InputError(f"{model}: damaged: its content does not match its ID; copy it again")
        if whole is None:
            probe(model)

    cached("opened", f"{sha256_of_weights(model)}-{version('litert-lm-api')}", check)


def generate_one_token(model: Path) -> None:
    """Open a model and generate one token."""
    with Runtime(model) as runtime, runtime.chat(max_new_tokens=1) as chat:
        list(chat.stream("Hello"))


if __name__ == "__main__":
    generate_one_token(Path(sys.argv[1]))
