"""Promise: no damaged model crashes the process that opens it, or answers otherwise than the whole one."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.litert.runtime import probe as probing
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.probe import make_sure_it_opens
from tests.support.damage import damaged

QUESTION = "Hello"
COUNT = 100


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))


def reply(model: Path) -> str:
    with Runtime(model) as runtime:
        return runtime.answer([{"role": "user", "content": QUESTION}], max_new_tokens=4).text


@pytest.mark.slow
def test_random_damage_is_refused_or_changes_nothing(model: Path, tmp_path: Path) -> None:
    whole, refused = reply(model), 0
    copy = tmp_path / "model.litertlm"
    for content in damaged(model.read_bytes(), COUNT):
        copy.write_bytes(content)
        try:
            make_sure_it_opens(copy)
        except PocketGemmaError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert reply(copy) == whole
    # What remains is damage between sections, which nothing reads.
    assert refused > COUNT / 2


@pytest.mark.slow
def test_one_changed_weight_is_refused_without_opening_the_file(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "probe", lambda _: pytest.fail("opened"))
    make_sure_it_opens(model)
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    copy = tmp_path / "model.litertlm"
    copy.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.litertlm: damaged: its content does not match its ID"):
        make_sure_it_opens(copy)


@pytest.mark.slow
def test_a_file_of_others_is_tried_in_another_process_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(probing, "is_whole", lambda _: None)
    monkeypatch.setattr(probing, "probe", tried.append)
    for _ in range(2):
        make_sure_it_opens(model)
    assert tried == [model]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.bin", "MODEL.LITERTLM", "model.download", "model"])
def test_a_model_is_known_by_its_content_whatever_its_name(model: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / name
    shutil.copyfile(model, other)
    make_sure_it_opens(other)
    assert reply(other) == reply(model)
