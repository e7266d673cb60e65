"""Promise: the page shows everything that was recorded, as text, in one file that loads nothing."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.report.charts import COLORS
from pipeline.report.facts import gather
from pipeline.report.html import render
from pipeline.run.folder import Run
from tests.support import reported_run
from tests.support.reported_run import SCRIPT, make_run, refuse

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """The elements of a page: their attributes, text by section, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, str] = {}
        self._section = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[self._section] = f"{self.texts.get(self._section, '')} {data}"

    def text(self, section: str) -> str:
        return " ".join(self.texts[section].split())


@pytest.fixture(scope="module")
def text(run_folder: Path) -> str:
    return render(gather(run_folder))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_same_run_gives_the_same_bytes_also_from_another_folder(
    run_folder: Path, tmp_path: Path, text: str
) -> None:
    assert text == render(gather(run_folder))
    shutil.copytree(run_folder, tmp_path / "elsewhere")
    assert text == render(gather(tmp_path / "elsewhere"))


def test_a_question_with_a_script_is_shown_as_text(text: str, page: Page) -> None:
    assert "<script" not in text
    assert SCRIPT in page.text("examples")


def test_the_page_loads_nothing(text: str, page: Page) -> None:
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action")
    ]
    assert addresses  # the markers of the curves
    assert [address for address in addresses if not (address or "").startswith("#")] == []
    assert re.findall(r"@import|url\((?!#)", text) == []


def test_the_page_contains_no_path_of_this_machine(text: str, run_folder: Path) -> None:
    assert str(run_folder.parent) not in text
    assert str(Path.home()) not in text


def test_ids_are_unique_and_every_reference_has_its_target(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {f"#{each}" for each in ids}
    used = {attributes["xlink:href"] for tag, attributes in page.elements if tag == "use"}
    clips = {
        str(attributes["clip-path"])[4:-1] for _, attributes in page.elements if "clip-path" in attributes
    }
    assert used and clips
    assert used | clips <= targets


def test_the_verdict_has_the_score_with_its_interval(page: Page) -> None:
    head = page.text("")
    assert (
        "Verified. The phone's runtime answers 87.5 % of 16 test questions correctly (95 % interval" in head
    )
    assert "demo, gemma3, 1.6 million parameters · LoRA, rank 2" in head
    assert "convert/model.litertlm" in head


def test_every_part_is_on_the_page(page: Page) -> None:
    expected = {
        "examples": ["before: the base in Keras ✗ The base says.", "2 wrong answers in the runtime"],
        "scores": ["all questions 16 93.8 % 87.5 %", "by kind", "even 8", "odd 8"],
        "training": ["method LoRA", "trainable parameters 4,321", "1,234 tokens/s", "Epoch 2 is kept"],
        "data": ["train 190", "1 duplicates dropped", "train.jsonl", "prompt from prompt"],
        "checks": [
            "merged matrices 12",
            "largest deviation from W0 + 1·A·B 5.7e-08",
            "✓ model file matches training yes",
            "eval --data",
        ],
        "memory": ["weights", "KV cache for 0 tokens", "TFLiteModel", "total"],
        "files": ["merge/huggingface/", "pocketgemma trace FILE", "run pocketgemma bundle"],
        "time": ["finetune", "verify", "keras-hub"],
    }
    for section, phrases in expected.items():
        assert [phrase for phrase in phrases if phrase not in page.text(section)] == [], page.text(section)


def test_curves_are_drawn_in_the_colors_of_the_style_sheet(text: str) -> None:
    curves = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert [re.search('aria-label="(.*?)"', curve)[1] for curve in curves] == [  # type: ignore[index]
        "loss, nats per response token by epoch",
        "exact match, % by epoch",
    ]
    for curve in curves:
        assert re.findall("#[0-9a-f]{6}", curve.replace("xlink:href", "")) == []
        assert {variable for variable in COLORS.values() if variable not in curve} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.44, "0.4 s"), (61.2, "1 min 1 s"), (599.9, "10 min 0 s"), (1500.0, "25 min"), (7500.0, "2 h 5 min")],
)
def test_times_are_in_units_that_a_reader_grasps(run_folder: Path, seconds: float, shown: str) -> None:
    facts = gather(run_folder)
    page = Page(render(replace(facts, stages=[replace(facts.stages[0], seconds=seconds)])))
    assert f"download {shown}" in page.text("time")


def test_a_refused_model_is_called_refused(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    refuse(Run(tmp_path / "run"))
    page = Page(render(gather(tmp_path / "run")))
    assert "Refused. The phone's runtime answers 0.0 % of 16 test questions" in page.text("")
    assert "✗ failed: model file matches training 12 matrices differ" in page.text("checks")


@pytest.mark.slow
@pytest.mark.parametrize("until", ["download", "prepare", "finetune", "merge", "convert", "bundle"])
def test_a_stage_that_has_not_run_is_one_line_with_its_command(tmp_path: Path, until: str) -> None:
    facts = gather(make_run(tmp_path, until))
    page = Page(render(facts))
    sections = {"data": "prepare", "training": "finetune", "memory": "convert", "scores": "verify"}
    for section, stage in sections.items():
        said = f"The result of {stage} is missing. To create it, run pocketgemma {stage} with the recipe"
        assert (said in page.text(section)) == (stage in facts.missing), section


def test_without_validation_there_are_curves_of_training_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(reported_run.TRAINING, "untrained_validation_loss", None)
    folder = make_run(tmp_path, "finetune", validation_share=0)
    history = folder / "finetune" / "history.csv"
    history.write_text("epoch,exact_match,loss\n1,0.5,1.0\n2,0.8,0.1\n", encoding="utf-8")
    facts = gather(folder)
    assert facts.training and facts.data
    curves = re.findall(r"<svg.*?</svg>", render(facts), re.DOTALL)
    assert len(curves) == 2
    assert "Epoch 0" not in Page(render(facts)).text("training")
    assert facts.data.splits[1].prompt == {}


def test_epoch_0_is_the_model_that_training_started_from(run_folder: Path, page: Page) -> None:
    assert "Epoch 0 is the untrained model." in page.text("training")
    assert "started from" not in page.text("training")
    facts = gather(run_folder)
    assert facts.training
    started = Page(render(replace(facts, training=replace(facts.training, start="ab" * 32))))
    said = started.text("training")
    assert "Epoch 0 is the model with the adapter that training started from." in said
    assert "started from an earlier adapter, sha256 abababababab…" in said


def test_a_merge_of_weights_is_not_called_one_of_matrices(run_folder: Path) -> None:
    facts = gather(run_folder)
    assert facts.merge
    merge = replace(facts.merge, changed="weights", formula="the trained W")
    said = Page(render(replace(facts, merge=merge))).text("checks")
    assert "merged weights 12 largest deviation from the trained W 5.7e-08" in said


def test_scores_on_questions_of_unknown_origin_do_not_say_where_they_are_from(run_folder: Path) -> None:
    facts = gather(run_folder)
    assert facts.comparison
    unknown = Page(render(replace(facts, comparison=replace(facts.comparison, split=""))))
    assert "of 16 questions correctly" in unknown.text("")


def test_every_file_for_the_phone_is_in_the_head(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    with Run(folder) as run, run.stage("bundle", settings={}, after=("convert", "verify")) as work:
        (work.folder / "planets.apk").write_bytes(bytes(1_000_000))
        (work.folder / "model.litertlm").write_bytes(bytes(2_000_000))
    head = Page(render(gather(folder))).text("")
    assert "3.0 MB bundle/planets.apk, bundle/model.litertlm" in head


def test_a_damaged_manifest_is_named_by_its_path(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "verify" / "manifest.json").write_text("{}", encoding="utf-8")
    said = Page(render(gather(tmp_path / "run"))).text("scores")
    assert said.startswith("Exact match verify/manifest.json is damaged: ")
