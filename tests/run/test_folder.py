import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, Interrupted, PocketGemmaError
from pipeline.run.files import MANIFEST
from pipeline.run.folder import Run

ROOT = Path(__file__).parents[2]

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from pipeline.run.folder import Run
with Run(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run(tmp_path / "run") as run:
        yield run


def make(
    run: Run, stage: str = "prepare", content: str = "hello", *, after: tuple[str, ...] = (), **options: Any
) -> bool:
    """Do a stage; whether there was anything to do."""
    settings = options.pop("settings", {"content": content})
    with run.stage(stage, settings=settings, after=after, **options) as work:
        if work.up_to_date:
            return False
        (work.folder / "sub").mkdir()
        (work.folder / "a.txt").write_text(content)
        (work.folder / "sub/b.txt").write_text(content)
        work.details["length"] = len(content)
    return True


def leftovers(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {".lock", ".digests.json", "prepare"}


def test_the_manifest_lists_all_that_a_stage_read_and_wrote(run: Run, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("in")
    make(run, "download")
    make(run, after=("download",), inputs={"examples": tmp_path / "input.txt"})
    document = run.manifest("prepare").document
    assert [entry["name"] for entry in document["outputs"]] == ["a.txt", "sub/b.txt"]
    # sha256 of "hello", from an independent tool.
    assert document["outputs"][0] == {
        "name": "a.txt",
        "bytes": 5,
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    }
    assert document["inputs"][0]["name"] == "examples"
    assert document["previous"] == {"download": run.manifest("download").digest}
    assert document["details"] == {"length": 5}
    assert document["seconds"] >= 0
    assert document["peak_memory_bytes"] > 1_000_000
    assert {"numpy", "keras"} <= document["packages"].keys()


def test_an_up_to_date_stage_touches_nothing(run: Run) -> None:
    assert make(run)
    before = {path: path.stat().st_mtime_ns for path in run.root.rglob("*")}
    assert not make(run)
    assert {path: path.stat().st_mtime_ns for path in run.root.rglob("*")} == before


def test_force_runs_a_stage_again(run: Run) -> None:
    assert make(run)
    assert make(run, force=True)


def test_changed_settings_run_a_stage_again(run: Run) -> None:
    assert make(run, settings={"rank": 8, "targets": ("query",)})
    assert not make(run, settings={"targets": ["query"], "rank": 8})
    assert make(run, settings={"rank": 16, "targets": ("query",)})


def test_changed_inputs_run_a_stage_again(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "a").write_text("1")
    assert make(run, inputs={"folder": folder})
    assert not make(run, inputs={"folder": folder})
    (folder / "a").write_text("2")
    assert make(run, inputs={"folder": folder})
    (folder / "b").write_text("")
    assert make(run, inputs={"folder": folder})
    (folder / "b").rename(folder / "c")
    assert make(run, inputs={"folder": folder})
    assert not make(run, inputs={"folder": folder})


def test_an_input_that_changes_while_a_stage_works_runs_it_again(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "input.txt"
    file.write_text("before")
    with run.stage("prepare", settings={}, inputs={"input": file}) as work:
        file.write_text("during")
        (work.folder / "a.txt").write_text(file.read_text())
    assert make(run, settings={}, inputs={"input": file})


def test_a_new_result_of_an_earlier_stage_runs_a_stage_again_and_an_equal_one_does_not(run: Run) -> None:
    make(run, "download")
    assert make(run, after=("download",))
    make(run, "download", force=True)
    assert not make(run, after=("download",))
    make(run, "download", "other")
    assert make(run, after=("download",))


def damage_file(run: Run) -> None:
    path = run.folder("prepare") / "a.txt"
    stamp = path.stat()
    path.write_text("hellO")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))


def manifest_becomes(text: str) -> Callable[[Run], object]:
    return lambda run: (run.folder("prepare") / MANIFEST).write_text(text)


@pytest.mark.parametrize(
    "damage",
    [
        damage_file,
        lambda run: (run.folder("prepare") / "a.txt").unlink(),
        lambda run: (run.folder("prepare") / "sub/b.txt").rename(run.folder("prepare") / "sub/c.txt"),
        lambda run: (run.folder("prepare") / "more.txt").write_text("x"),
        lambda run: os.truncate(run.folder("prepare") / "a.txt", 2),
        lambda run: (run.folder("prepare") / MANIFEST).unlink(),
        lambda run: os.truncate(run.folder("prepare") / MANIFEST, 100),
        manifest_becomes(""),
        manifest_becomes("[]"),
        manifest_becomes("{}"),
        manifest_becomes('{"stage": "prepare"}'),
    ],
)
def test_a_damaged_result_is_made_again(run: Run, damage: Callable[[Run], object]) -> None:
    make(run)
    damage(run)
    assert make(run)
    assert not make(run)
    assert (run.folder("prepare") / "a.txt").read_text() == "hello"


@pytest.mark.parametrize(
    "key", ["format", "inputs", "outputs", "previous", "settings", "sources", "input_paths", "details"]
)
@pytest.mark.parametrize("value", [None, 5.5, "text", [5], [{"name": "a.txt"}]])
def test_a_manifest_with_a_value_of_the_wrong_type_is_damaged(run: Run, key: str, value: Any) -> None:
    make(run)
    document = json.loads((run.folder("prepare") / MANIFEST).read_text())
    manifest_becomes(json.dumps(document | {key: value}))(run)
    with pytest.raises(PocketGemmaError, match="damaged"):
        run.manifest("prepare")


@pytest.mark.parametrize("text", ["", "[]", '{"stage": "prepare"}', '"text"'])
def test_the_message_for_a_damaged_manifest_says_what_to_run(run: Run, text: str) -> None:
    make(run)
    manifest_becomes(text)(run)
    with pytest.raises(PocketGemmaError, match=r"manifest.json: damaged .*pocketgemma prepare --force"):
        run.manifest("prepare")


def test_the_message_for_a_missing_earlier_stage_says_what_to_run(run: Run) -> None:
    with pytest.raises(InputError, match="no result of download yet; run: pocketgemma download"):
        make(run, after=("download",))


def test_a_missing_input_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.jsonl: no such file or folder \(input examples\)"):
        make(run, inputs={"examples": tmp_path / "none.jsonl"})


def test_an_unknown_stage_is_a_programming_error(run: Run) -> None:
    with pytest.raises(ValueError, match="unknown stage"):
        make(run, "bake")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, InputError])
def test_a_stage_that_fails_leaves_what_was_there(run: Run, error: type[BaseException]) -> None:
    make(run)
    ended = Interrupted if error is KeyboardInterrupt else error
    with pytest.raises(ended), run.stage("prepare", settings={"content": "new"}) as work:
        (work.folder / "a.txt").write_text("half")
        raise error("in the middle")
    assert leftovers(run.root) == set()
    assert not make(run)


def test_a_stage_that_is_interrupted_says_what_is_kept(run: Run) -> None:
    make(run, "download")
    make(run, "prepare")
    for stage, message in (
        ("finetune", "in finetune: it begins again the next time; the results of download, prepare are kept"),
        ("prepare", "in prepare: its earlier result is kept, and it begins again the next time; the results"),
    ):
        said = pytest.raises(Interrupted, match=f"interrupted {message}")
        with said as caught, run.stage(stage, settings={"content": "new"}):
            raise KeyboardInterrupt
        assert caught.value.exit_code == 130


def test_finished_work_that_cannot_be_published_is_kept_and_found(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(run, content="old")
    write = Path.write_text

    def full(path: Path, *text: Any, **options: Any) -> int:
        if path.name == MANIFEST:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PocketGemmaError, match=r"cannot be written \(No space left on device\)") as caught:
        make(run, content="new")
    kept = run.files.logs.unpublished("prepare")
    assert str(kept) in str(caught.value)
    assert (kept / "a.txt").read_text() == "new"
    monkeypatch.undo()
    assert not make(run, content="old")


def contents(run: Run) -> set[str]:
    """What the files of the stage hold, each file a line repeated."""
    return {(run.folder("prepare") / name).read_text()[:3] for name in ("0.txt", "1.txt")}


@pytest.mark.slow
def test_a_killed_process_leaves_the_old_or_the_new_result_and_never_part_of_one(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "tests.support.killed_stage", str(tmp_path)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    *killed, finished = [tuple(map(int, line.split())) for line in output.splitlines()]
    assert [step for step, _ in killed] == list(range(1, len(killed) + 1))
    assert {ended for _, ended in killed} == {-signal.SIGKILL}
    assert finished == (len(killed) + 1, 0)
    found = []
    for step, _ in killed:
        halves = leftovers(tmp_path / str(step))
        with Run(tmp_path / str(step)) as run:
            assert leftovers(run.root) == set()
            recorded = run.manifest("prepare").document["settings"]["content"]
            assert contents(run) == {recorded}
            with run.stage("prepare", settings={"content": recorded}) as work:
                assert work.up_to_date
            assert make(run, content="next")
        found.append((recorded, bool(halves)))
    # It died before and after the moment that counts, and left halves behind to be cleared away.
    assert {("old", False), ("old", True), ("new", True)} <= set(found)
    assert [recorded for recorded, _ in found] == sorted((recorded for recorded, _ in found), reverse=True)


def test_a_first_result_that_was_killed_is_removed(tmp_path: Path) -> None:
    working = tmp_path / "run/.prepare.working"
    working.mkdir(parents=True)
    (working / "a.txt").write_text("half")
    with Run(tmp_path / "run") as run:
        assert leftovers(run.root) == set()
        with pytest.raises(InputError, match="no result of prepare yet"):
            run.manifest("prepare")


def test_a_run_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD_THE_LOCK,
            str(tmp_path),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "locked\n"
        started = time.monotonic()
        with pytest.raises(InputError, match="in use by another pocketgemma command"), Run(tmp_path):
            pass
        assert time.monotonic() - started < 2
    finally:
        holder.kill()
        holder.wait()
    with Run(tmp_path) as run:  # a killed process holds no lock
        assert make(run)


def test_a_second_run_of_the_same_process_is_refused_too(run: Run) -> None:
    with pytest.raises(InputError, match="in use by another pocketgemma command"), Run(run.root):
        pass


def test_the_lock_is_released_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Run(tmp_path) as run, run.stage("prepare", settings={}):
        raise RuntimeError("oops")
    with Run(tmp_path) as run:
        assert make(run)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_impossible_run_folder_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="--run"):
        Run(tmp_path / place)


def test_what_a_stage_took_is_printed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    make(run)
    started, finished = capsys.readouterr().out.splitlines()
    assert started == "▸ prepare"
    assert re.fullmatch(r"✓ prepare   \d+\.\d s, peak memory \d+\.\d GB", finished)
    make(run)
    assert capsys.readouterr().out == "✓ prepare   up to date\n"


def test_files_in_a_folder_that_no_stage_wrote_are_kept(tmp_path: Path) -> None:
    (tmp_path / "prepare").mkdir()
    (tmp_path / "prepare/notes.txt").write_text("mine")
    with Run(tmp_path) as run, run.stage("prepare", settings={}) as work:
        (work.folder / "a.txt").write_text("a")
    assert (tmp_path / "logs/added/prepare/notes.txt").read_text() == "mine"
    assert {path.name for path in (tmp_path / "prepare").iterdir()} == {"a.txt", MANIFEST}


def test_files_that_someone_added_to_a_result_are_moved_to_the_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in ("first", "second"):
        with Run(tmp_path) as run, run.stage("prepare", settings={"a": content}) as work:
            (work.folder / "a.txt").write_text(content)
        (tmp_path / "prepare/sub").mkdir(exist_ok=True)
        (tmp_path / "prepare/sub/notes.txt").write_text(f"mine, beside the {content}")
    kept = tmp_path / "logs/added/prepare/sub/notes.txt"
    assert kept.read_text() == "mine, beside the first"
    assert f"not written by prepare; moved to {kept}" in capsys.readouterr().out
    assert (tmp_path / "prepare/a.txt").read_text() == "second"
