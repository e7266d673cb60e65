"""Native libraries keep quiet while they load, and are heard when loading fails."""

import os

import pytest

from pipeline.console import without_native_chatter


def test_output_of_native_libraries_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with without_native_chatter():
        os.write(2, b"oneDNN custom operations are on\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_held_back_output_is_printed_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), without_native_chatter():
        os.write(2, b"libcuda is missing\n")
        raise ImportError("torch")
    assert "libcuda is missing" in capfd.readouterr().err
