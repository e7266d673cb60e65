from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.targets.android import native
from pipeline.targets.android.elf import load_alignments
from pipeline.targets.android.native import (
    PAGE_BYTES,
    PLATFORMS,
    find_uv,
    locked_requirement,
    runtime_library,
    shim_library,
)


def test_the_runtime_is_pinned_with_hashes() -> None:
    requirement = locked_requirement("litert-lm-api")
    assert requirement.startswith("litert-lm-api==")
    assert requirement.count("--hash=sha256:") >= 3  # for this machine and two Android ABIs
    assert "# via" not in requirement


def test_a_package_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(PocketGemmaError, match="does not pin no-such-package"):
        locked_requirement("no-such-package")


def test_uv_is_found_where_setup_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(native, "LOCK", tmp_path / "requirements.lock")
    assert find_uv() is None
    uv = tmp_path / ".venv-uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.touch()
    assert find_uv() == uv


def test_without_uv_and_pip_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path))
    monkeypatch.setattr(native, "find_uv", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PocketGemmaError, match=r"needs uv or pip; install uv, or run: \S+ -m ensurepip"):
        runtime_library("x86_64")
    assert list(tmp_path.glob("runtime/*/*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("abi", PLATFORMS)
def test_the_shim_loads_on_phones_with_large_pages(abi: str) -> None:
    with shim_library(abi).open("rb") as file:
        assert all(alignment == PAGE_BYTES for alignment in load_alignments(file))
