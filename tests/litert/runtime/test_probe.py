"""Promise: a file that the runtime cannot use is refused in one line, even if the runtime crashes or hangs on
it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.litert.runtime.probe import probe
from tests.support.litertlm import with_metadata, write_container


def test_a_missing_file_is_refused_without_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started a process"))
    with pytest.raises(InputError, match="No such file"):
        probe(tmp_path / "model.litertlm")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (subprocess.CompletedProcess([], -11, b"", b""), r"crashes on this file \(signal 11\)"),
        (subprocess.CompletedProcess([], 1, b"", b"Traceback\nE: no\n"), "cannot use this file: E: no;"),
        (subprocess.CompletedProcess([], 1, b"", b""), "cannot use this file: no reason given;"),
        (subprocess.TimeoutExpired([], 1), "hangs on this file"),
    ],
)
def test_every_end_of_the_process_has_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: object, message: str
) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(PocketGemmaError, match=message) as refused:
        probe(write_container(tmp_path / "model.litertlm"))
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_sampler_that_the_runtime_lacks_is_refused(model: Path, tmp_path: Path) -> None:
    def not_implemented(metadata: Any) -> None:
        metadata.sampler_params.type = 3  # GREEDY: in the format, not in the runtime

    with_metadata(model, tmp_path / "model.litertlm", not_implemented)
    with pytest.raises(PocketGemmaError, match="not implemented"):
        probe(tmp_path / "model.litertlm")


@pytest.mark.slow
def test_a_file_without_a_model_is_refused_without_a_crash(tmp_path: Path) -> None:
    copy = write_container(tmp_path / "model.litertlm", model=b"\0\0\0\0TFL3" + b"\xff" * 5000)
    with pytest.raises(PocketGemmaError, match=r"model\.litertlm"):
        probe(copy)


@pytest.mark.slow
def test_a_damaged_model_is_refused_or_runs_but_never_crashes_the_caller(model: Path, tmp_path: Path) -> None:
    section = read_container(model).section(MODEL)
    copy = tmp_path / "model.litertlm"
    refused = 0
    for begin in (
        section.begin,
        section.begin + 40,
        (section.begin + section.end) // 2,
        section.end - 2000,
        section.end - 300,
    ):
        content = bytearray(model.read_bytes())
        content[begin : begin + 300] = b"\xff" * len(content[begin : begin + 300])
        copy.write_bytes(content)
        try:
            probe(copy)
        except PocketGemmaError:
            refused += 1
    assert refused >= 2


@pytest.mark.slow
def test_a_complete_model_passes_the_probe(model: Path) -> None:
    probe(model)
